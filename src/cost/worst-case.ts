import { isObject, type JsonObject, type JsonValue } from '../core/json.ts'
import { type NanoUsd, toNanoUsdUp } from './nano-usd.ts'
import type { RateBound } from './rate-bound.ts'
import { type NoBound, sizeOf } from './request-size.ts'

/** Role, separators, and the space that some tokenizers put before a text. */
const MESSAGE_TOKENS = 16
/** What providers say to the model on their own account: how to call tools, how to answer in JSON, the date. */
const REQUEST_TOKENS = 2_048
/** A tool's definition in the provider's words, beyond its own bytes. */
const TOOL_TOKENS = 64
/** The dearest way of looking at one picture that is documented is 48,169 (gpt-4o-mini, eight tiles). */
const IMAGE_TOKENS = 50_000
/** Tokens that end an answer. */
const CHOICE_TOKENS = 16

/** What a request may cost at most. */
export interface Bounded {
  readonly nanoUsd: NanoUsd
  readonly inputTokens: number
  readonly outputTokens: number
  /** The caller named no maximum: this one has to be sent upstream, or the bound is none. */
  readonly sendMaxTokens: number | undefined
}

export interface WorstCaseLimits {
  /** For each choice, where the caller names no maximum. */
  readonly outputCapTokens: number
  /** A context that the model is known for certain not to exceed; a wrong one makes the bound wrong. */
  readonly contextTokens?: number | undefined
}

/**
 * An upper bound of what a request costs, before it is sent. A token is at least a byte of UTF-8, so the bytes of the
 * request bound its tokens; every token is taken at the dearest price that the model has, so that cache writes, speech,
 * pictures, tiers and reasoning are in it. Choices count as a request each, as some servers make them.
 * @param chat as it goes upstream, parsed
 * @param rate undefined where the model has no price
 */
export function worstCase(
  chat: JsonObject,
  rate: RateBound | undefined,
  { outputCapTokens, contextTokens = Number.POSITIVE_INFINITY }: WorstCaseLimits,
): Bounded | NoBound {
  if (!rate) return { param: 'model', why: 'unpriced' }
  const size = sizeOf(chat)
  if ('why' in size) return size
  const choices = Math.max(1, number(chat.n))
  const named = Math.max(number(chat.max_tokens), number(chat.max_completion_tokens))
  const each = (named || outputCapTokens) + thinkingTokens(chat) + CHOICE_TOKENS
  const input =
    size.bytes +
    size.messages * MESSAGE_TOKENS +
    size.tools * TOOL_TOKENS +
    size.images * IMAGE_TOKENS +
    REQUEST_TOKENS
  const inputTokens = choices * Math.min(input, contextTokens)
  const outputTokens = choices * each
  const usd =
    (inputTokens * rate.inputUsdPerMTok + outputTokens * rate.outputUsdPerMTok) / 1e6 +
    choices * rate.requestUsd
  return {
    // A billionth on top for each of the sums that a price is made of, which are rounded one by one.
    nanoUsd: toNanoUsdUp(usd) + 3,
    inputTokens,
    outputTokens,
    sendMaxTokens: named ? undefined : outputCapTokens,
  }
}

/** A budget for thinking that may stand beside the maximum instead of within it. */
const thinkingTokens = ({ reasoning, thinking }: JsonObject): number =>
  Math.max(
    isObject(reasoning) ? number(reasoning.max_tokens) : 0,
    isObject(thinking) ? number(thinking.budget_tokens) : 0,
  )

const number = (value: JsonValue | undefined): number =>
  typeof value === 'number' && value > 0 && Number.isFinite(value) ? Math.ceil(value) : 0
