import { isObject, type JsonObject, type JsonValue } from '../core/json.ts'
import { Said } from './said.ts'

/** Tokens as the provider counted them. */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Of the input, what the provider had cached; of the output, what was thought. Absent = not said. */
  readonly cachedTokens?: number | undefined
  readonly reasoningTokens?: number | undefined
}

/** What an answer turned out to be. */
export interface Verdict {
  /** Every choice came to its end. */
  readonly complete: boolean
  /** The model, or the provider's filter, declined: true, but not worth repeating to the next caller. */
  readonly refused: boolean
  /** A choice was cut at the token limit: complete, as far as it was let. */
  readonly truncated: boolean
  readonly usage: Usage | undefined
  /** What it says to its reader, at most `MAX_SAID` characters a choice. */
  readonly said: string
}

/** Judges a whole `chat.completion`. @returns undefined when it is none */
export function judgeCompletion(text: string): Verdict | undefined {
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
  if (!isObject(value) || isError(value) || !Array.isArray(value.choices) || value.choices.length === 0)
    return undefined
  const choices = value.choices.filter(isObject)
  if (choices.length !== value.choices.length || !choices.every((choice) => isObject(choice.message)))
    return undefined
  const said = new Said()
  for (const [index, choice] of choices.entries()) said.add(index, choice.message)
  return {
    complete: choices.every((choice) => typeof choice.finish_reason === 'string'),
    refused: choices.some(
      (choice) => choice.finish_reason === 'content_filter' || hasRefusal(choice.message),
    ),
    truncated: choices.some((choice) => choice.finish_reason === 'length'),
    usage: readUsage(value.usage),
    said: said.text,
  }
}

/** Watches the data of a stream's events until `[DONE]`. */
export class StreamJudge {
  readonly #choices = new Map<number, boolean>()
  readonly #said = new Said()
  #refused = false
  #truncated = false
  #usage: Usage | undefined
  #done = false
  #begun = false

  /** Whether `[DONE]` has come. */
  get done(): boolean {
    return this.#done
  }

  /** Whether anything but the opening of an answer has come. */
  get begun(): boolean {
    return this.#begun
  }

  get verdict(): Verdict {
    const finished = [...this.#choices.values()]
    return {
      complete: this.#done && finished.length > 0 && finished.every(Boolean),
      refused: this.#refused,
      truncated: this.#truncated,
      usage: this.#usage,
      said: this.#said.text,
    }
  }

  /** @returns whether the event is a healthy part of an answer */
  take(data: string): boolean {
    if (data === '[DONE]') {
      this.#done = true
      this.#begun = true
      return true
    }
    let chunk: JsonValue
    try {
      chunk = JSON.parse(data) as JsonValue
    } catch {
      return false
    }
    if (!isObject(chunk) || isError(chunk)) return false
    this.#usage = readUsage(chunk.usage) ?? this.#usage
    for (const choice of Array.isArray(chunk.choices) ? chunk.choices : [])
      if (isObject(choice)) this.#choice(choice)
    return true
  }

  #choice(choice: JsonObject): void {
    const index = typeof choice.index === 'number' ? choice.index : 0
    const finished = typeof choice.finish_reason === 'string'
    this.#said.add(index, choice.delta)
    this.#choices.set(index, finished || this.#choices.get(index) === true)
    this.#begun ||= finished || saysSomething(choice.delta)
    if (choice.finish_reason === 'content_filter' || hasRefusal(choice.delta)) this.#refused = true
    if (choice.finish_reason === 'length') this.#truncated = true
  }
}

/** A role alone, or empty fields, are no part of the answer yet. */
const saysSomething = (delta: JsonValue | undefined): boolean =>
  isObject(delta) &&
  Object.entries(delta).some(
    ([field, value]) =>
      field !== 'role' && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
  )

/** Some providers say `"error": null` in a good answer. */
const isError = (value: JsonObject): boolean => value.error !== undefined && value.error !== null

const hasRefusal = (message: JsonValue | undefined): boolean =>
  isObject(message) && typeof message.refusal === 'string' && message.refusal !== ''

function readUsage(usage: JsonValue | undefined): Usage | undefined {
  if (!isObject(usage)) return undefined
  const [inputTokens, outputTokens] = [count(usage.prompt_tokens), count(usage.completion_tokens)]
  if (inputTokens === undefined || outputTokens === undefined) return undefined
  const cachedTokens = detail(usage.prompt_tokens_details, 'cached_tokens')
  const reasoningTokens = detail(usage.completion_tokens_details, 'reasoning_tokens')
  return {
    inputTokens,
    outputTokens,
    ...(cachedTokens && { cachedTokens }),
    ...(reasoningTokens && { reasoningTokens }),
  }
}

/** A count that can be believed. */
export const count = (value: JsonValue | undefined): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined

const detail = (details: JsonValue | undefined, name: string): number | undefined =>
  isObject(details) ? count(details[name]) : undefined
