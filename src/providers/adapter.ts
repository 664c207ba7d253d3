import type { JsonObject } from '../core/json.ts'
import type { Verdict } from './completion.ts'
import type { SseEvent } from './sse.ts'

export const WIRE_FORMATS = ['openai', 'anthropic', 'gemini', 'workers-ai'] as const
/** The protocols that providers speak. */
export type WireFormat = (typeof WIRE_FORMATS)[number]

/** A request as it goes upstream, credentials not yet in it. */
export interface UpstreamRequest {
  /** Joined to the provider's base URL; begins with a slash. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What an answer of another format is told of the request it answers. */
export interface AnswerContext {
  /** The model's name at the provider. */
  readonly model: string
  /** For `id` where the format has none: `chatcmpl-{requestId}`. */
  readonly requestId: string
  /** Seconds since the epoch, for `created`. */
  readonly createdS: number
  /** `stream_options.include_usage` of the request. */
  readonly includeUsage: boolean
}

/** A whole answer as an OpenAI `chat.completion`. */
export interface Completion {
  /** JSON text; the provider's own, untouched, when the formats match. */
  readonly body: string
  readonly verdict: Verdict
}

/** Turns one stream of a provider into one of OpenAI's. Holds at most what one unfinished part needs. */
export interface StreamTranslator {
  /**
   * @returns the text to pass on: whole events in OpenAI's form, the provider's own when formats match, or ''
   *   for an event that says nothing; undefined when the event is no healthy part of an answer
   */
  take(event: SseEvent): string | undefined
  /** Whether the provider's terminal event has come; what was passed on then ends in `[DONE]`. */
  readonly done: boolean
  /** Whether anything of the answer itself has come: text, a refusal, a tool call, or the end. */
  readonly begun: boolean
  readonly verdict: Verdict
}

/** Why a provider refused, as far as its answer says so in words that can be trusted. */
export type RefusalKind =
  | 'context_too_long'
  | 'content_filtered'
  | 'quota_exhausted'
  | 'model_missing'
  | 'overloaded'

/** What a provider's error answer tells; never its prose, which may hold keys and addresses. */
export interface RefusalHint {
  readonly kind?: RefusalKind | undefined
  /** The provider's own code, only where it is a harmless word. */
  readonly code?: string | undefined
  /** The field of the request at fault, only where it is a harmless path. */
  readonly param?: string | undefined
}

/** A model as its provider lists it. What is undefined is unknown. */
export interface ListedModel {
  readonly id: string
  readonly contextTokens?: number | undefined
}

/** One wire format: translation only, no I/O. */
export interface Adapter {
  readonly format: WireFormat
  /** The headers that carry the provider's key. */
  authorize(apiKey: string): Readonly<Record<string, string>>
  /** @throws GatewayError `unsupported_by_model` with `param`, for what the format cannot say */
  request(chat: JsonObject, model: string): UpstreamRequest
  /** @returns undefined when the text is no answer of this format */
  answer(text: string, context: AnswerContext): Completion | undefined
  stream(context: AnswerContext): StreamTranslator
  /** @param text an answer whose status is not 2xx, or one that came as 2xx and is an error */
  refusal(text: string): RefusalHint
  /** Where the list of models lies; undefined where the format has none. */
  readonly listPath: string | undefined
  /** @returns undefined when the text is no list of this format */
  models(text: string): readonly ListedModel[] | undefined
}
