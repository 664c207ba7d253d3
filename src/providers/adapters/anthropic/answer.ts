import { isObject, type JsonObject, type JsonValue } from '../../../core/json.ts'
import type { AnswerContext, Completion } from '../../adapter.ts'
import { count } from '../../completion.ts'
import { completionOf, type FinishReason, type TokenCounts, type TranslatedCall } from '../../translated.ts'
import { objectOf, objectsOf, parse, sumOf, textOf, wordOf } from '../read.ts'

const FINISH: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
  // Both leave an answer that could go on.
  pause_turn: 'length',
  model_context_window_exceeded: 'length',
}

/** @returns undefined where no reason is given; one that is not known yet counts as an ordinary end */
export function finishOf(reason: JsonValue | undefined): FinishReason | undefined {
  const word = wordOf(reason)
  if (!word) return undefined
  return (Object.hasOwn(FINISH, word) ? FINISH[word] : undefined) ?? 'stop'
}

/** What was read from the cache or written to it is input like the rest, only billed differently. */
export function countsOf(usage: JsonObject): TokenCounts | undefined {
  const { input_tokens, cache_read_input_tokens: read, cache_creation_input_tokens: written } = usage
  const completion = count(usage.output_tokens)
  const prompt = count(input_tokens) === undefined ? undefined : sumOf(input_tokens, read, written)
  if (prompt === undefined || completion === undefined) return undefined
  const reasoning = count(objectOf(usage.output_tokens_details).thinking_tokens) ?? 0
  return { prompt, completion, cached: count(read) ?? 0, reasoning }
}

/** The signed part of thinking, which the model wants to see again beside the calls that it led to. */
export function signedThought(block: JsonObject): JsonObject | undefined {
  const { type, thinking, signature, data } = block
  if (type === 'redacted_thinking' && typeof data === 'string') return { type, data }
  if (type !== 'thinking' || typeof signature !== 'string' || signature === '') return undefined
  return { type, thinking: textOf(thinking), signature }
}

export const signedThoughts = (blocks: readonly JsonObject[]): JsonObject[] =>
  blocks.map(signedThought).filter((thought) => thought !== undefined)

/** @returns undefined when the text is no message of Anthropic's, or one without an end */
export function readMessage(text: string, context: AnswerContext): Completion | undefined {
  const message = parse(text)
  if (!isObject(message) || message.type !== 'message' || !Array.isArray(message.content)) return undefined
  const finish = finishOf(message.stop_reason)
  if (!finish) return undefined
  const blocks = objectsOf(message.content)
  const thoughts = signedThoughts(blocks)
  const choice = {
    text: joined(blocks, 'text', 'text'),
    reasoning: joined(blocks, 'thinking', 'thinking'),
    calls: blocks.flatMap((block) => readCall(block) ?? []),
    finish,
    extra: thoughts.length > 0 ? { thinking_blocks: thoughts } : undefined,
  }
  return completionOf(
    {
      id: wordOf(message.id),
      model: wordOf(message.model),
      choices: [choice],
      counts: countsOf(objectOf(message.usage)),
    },
    context,
  )
}

const joined = (blocks: readonly JsonObject[], type: string, field: string): string =>
  blocks.map((block) => (block.type === type ? textOf(block[field]) : '')).join('')

export function readCall({ type, id, name, input }: JsonObject): TranslatedCall | undefined {
  const [called, named] = [wordOf(id), wordOf(name)]
  if (type !== 'tool_use' || !called || !named) return undefined
  return { id: called, name: named, arguments: JSON.stringify(objectOf(input)) }
}
