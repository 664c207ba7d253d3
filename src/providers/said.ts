import { isObject, type JsonValue } from '../core/json.ts'

/** More of an answer is not gathered, characters: enough to know it again by, and little beside what a stream holds. */
export const MAX_SAID = 32_768

/** Gathers what an answer says to its reader, out of messages or the pieces of a stream: text, refusals, tool calls. */
export class Said {
  readonly #choices = new Map<number, string>()

  /** @param part a `message`, or a `delta` of one */
  add(index: number, part: JsonValue | undefined): void {
    if (!isObject(part)) return
    let said = textOf(part.content) + textOf(part.refusal)
    if (Array.isArray(part.tool_calls)) for (const call of part.tool_calls) said += callText(call)
    if (said !== '') this.#append(index, said)
  }

  /** Choices in the order in which they began. */
  get text(): string {
    return this.#choices.size === 1
      ? (this.#choices.values().next().value as string)
      : [...this.#choices.values()].join('\n\n')
  }

  #append(index: number, said: string): void {
    const before = this.#choices.get(index) ?? ''
    if (before.length < MAX_SAID) this.#choices.set(index, (before + said).slice(0, MAX_SAID))
  }
}

const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '')

function callText(call: JsonValue): string {
  if (!isObject(call) || !isObject(call.function)) return ''
  const { name, arguments: given } = call.function
  return (typeof name === 'string' && name !== '' ? `\n${name} ` : '') + textOf(given)
}
