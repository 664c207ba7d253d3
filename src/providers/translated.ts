import type { JsonObject } from '../core/json.ts'
import type { AnswerContext, Completion } from './adapter.ts'
import type { Verdict } from './completion.ts'
import { Said } from './said.ts'
import { sseEvent } from './sse.ts'

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter'

/** Tokens as OpenAI divides them: what was cached is part of the prompt, what was thought of the completion. */
export interface TokenCounts {
  readonly prompt: number
  readonly completion: number
  readonly cached: number
  readonly reasoning: number
}

export interface TranslatedCall {
  readonly id: string
  readonly name: string
  /** JSON text. */
  readonly arguments: string
  /** Fields beside OpenAI's own. */
  readonly extra?: JsonObject | undefined
}

export interface TranslatedChoice {
  readonly text: string
  readonly reasoning?: string | undefined
  readonly calls: readonly TranslatedCall[]
  readonly finish: FinishReason
  /** Fields of the message beside OpenAI's own. */
  readonly extra?: JsonObject | undefined
}

export interface TranslatedAnswer {
  /** The provider's own names for the answer and the model, where it gave them. */
  readonly id?: string | undefined
  readonly model?: string | undefined
  readonly choices: readonly TranslatedChoice[]
  readonly counts: TokenCounts | undefined
}

/** A whole answer in OpenAI's form. */
export function completionOf(answer: TranslatedAnswer, context: AnswerContext): Completion {
  const { choices, counts } = answer
  const body = {
    id: answer.id ?? `chatcmpl-${context.requestId}`,
    object: 'chat.completion',
    created: context.createdS,
    model: answer.model ?? context.model,
    choices: choices.map((choice, index) => ({
      index,
      message: {
        role: 'assistant',
        content: choice.text || null,
        refusal: null,
        ...(choice.reasoning && { reasoning_content: choice.reasoning }),
        ...choice.extra,
        ...(choice.calls.length > 0 && { tool_calls: choice.calls.map(toolCall) }),
      },
      logprobs: null,
      finish_reason: ended(choice.finish, choice.calls.length > 0),
    })),
    ...(counts && { usage: usageOf(counts) }),
  }
  const refused = choices.some(({ finish }) => finish === 'content_filter')
  const said = new Said()
  for (const { index, message } of body.choices) said.add(index, message as JsonObject)
  const truncated = choices.some(({ finish }) => finish === 'length')
  const verdict = { complete: true, refused, truncated, usage: billed(counts), said: said.text }
  return { body: JSON.stringify(body), verdict }
}

/** Formats without a reason of their own for it say "stop" where a model stopped in order to call a tool. */
const ended = (reason: FinishReason, called: boolean): FinishReason =>
  reason === 'stop' && called ? 'tool_calls' : reason

const toolCall = ({ id, name, extra, ...call }: TranslatedCall) => ({
  id,
  type: 'function',
  function: { name, arguments: call.arguments },
  ...extra,
})

const billed = (counts: TokenCounts | undefined): Verdict['usage'] =>
  counts && {
    inputTokens: counts.prompt,
    outputTokens: counts.completion,
    ...(counts.cached > 0 && { cachedTokens: counts.cached }),
    ...(counts.reasoning > 0 && { reasoningTokens: counts.reasoning }),
  }

const usageOf = ({ prompt, completion, cached, reasoning }: TokenCounts) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
  prompt_tokens_details: { cached_tokens: cached },
  completion_tokens_details: { reasoning_tokens: reasoning },
})

interface OpenChoice {
  calls: number
  finished: boolean
}

/** Writes a stream in OpenAI's form, and keeps what is to be known of it. Each method returns the text to pass on. */
export class ChunkWriter {
  readonly #context: AnswerContext
  readonly #choices = new Map<number, OpenChoice>()
  #id: string
  #model: string
  #counts: TokenCounts | undefined
  readonly #said = new Said()
  #refused = false
  #truncated = false
  #begun = false
  #done = false

  constructor(context: AnswerContext) {
    this.#context = context
    this.#id = `chatcmpl-${context.requestId}`
    this.#model = context.model
  }

  get done(): boolean {
    return this.#done
  }

  get begun(): boolean {
    return this.#begun
  }

  get verdict(): Verdict {
    const complete = this.#done && this.allFinished
    const [refused, truncated, said] = [this.#refused, this.#truncated, this.#said.text]
    return { complete, refused, truncated, usage: billed(this.#counts), said }
  }

  /** Whether every choice that was opened has come to its end, and there is one. */
  get allFinished(): boolean {
    return this.#choices.size > 0 && [...this.#choices.values()].every(({ finished }) => finished)
  }

  /** The provider's own names, before anything is written. */
  name(id: string | undefined, model: string | undefined): void {
    if (this.#choices.size > 0) return
    this.#id = id ?? this.#id
    this.#model = model ?? this.#model
  }

  /** The tokens so far; a later count replaces an earlier one. */
  count(counts: TokenCounts | undefined): void {
    this.#counts = counts ?? this.#counts
  }

  /** The role alone, which says that an answer will come. */
  open(index = 0): string {
    return this.#choices.has(index) ? '' : this.#chunk(index, { content: '' }, null)
  }

  delta(delta: JsonObject, index = 0): string {
    this.#begun = true
    this.#said.add(index, delta)
    return this.#chunk(index, delta, null)
  }

  /** @returns where the call stands among those of its choice, for the pieces to come, and the text */
  call(call: TranslatedCall, index = 0): { at: number; text: string } {
    const open = this.#choices.get(index)
    const at = open?.calls ?? 0
    const text = this.delta({ tool_calls: [{ index: at, ...toolCall(call) }] }, index)
    const opened = this.#choices.get(index)
    if (opened) opened.calls = at + 1
    return { at, text }
  }

  /** More of the arguments of a call. */
  piece(at: number, text: string, index = 0): string {
    return this.delta({ tool_calls: [{ index: at, function: { arguments: text } }] }, index)
  }

  finish(reason: FinishReason, index = 0): string {
    this.#begun = true
    this.#refused ||= reason === 'content_filter'
    this.#truncated ||= reason === 'length'
    const open = this.#choices.get(index)
    if (open?.finished) return ''
    const text = this.#chunk(index, {}, ended(reason, (open?.calls ?? 0) > 0))
    const opened = this.#choices.get(index)
    if (opened) opened.finished = true
    return text
  }

  end(): string {
    this.#begun = true
    this.#done = true
    const usage =
      this.#context.includeUsage && this.#counts ? this.#event([], { usage: usageOf(this.#counts) }) : ''
    return `${usage}data: [DONE]\n\n`
  }

  #chunk(index: number, delta: JsonObject, finish_reason: FinishReason | null): string {
    const first = !this.#choices.has(index)
    if (first) this.#choices.set(index, { calls: 0, finished: false })
    return this.#event(
      [{ index, delta: first ? { role: 'assistant', ...delta } : delta, logprobs: null, finish_reason }],
      {},
    )
  }

  #event(choices: readonly unknown[], more: object): string {
    return sseEvent({
      id: this.#id,
      object: 'chat.completion.chunk',
      created: this.#context.createdS,
      model: this.#model,
      choices,
      ...more,
    })
  }
}

/** An id for a call of a format that has none: the same for the same request, and another for every other. */
export const callId = ({ requestId }: AnswerContext, number: number): string =>
  `call_${requestId.replace(/\W/g, '').slice(-24)}_${number}`
