/** What a tenant, or one key of it, may do at most. What is not named is not limited. */
export interface Limits {
  readonly requestsPerMinute?: number | undefined
  /** What providers are sent and what they answer, together. */
  readonly tokensPerMinute?: number | undefined
  /** Requests that providers are at work on. */
  readonly concurrency?: number | undefined
  /** What a request may name as its maximum. */
  readonly maxTokens?: number | undefined
}

/** The limits of one key, or of all of the tenant's together where it is null. */
export interface OwnedLimits extends Limits {
  readonly keyId: string | null
}

/** How far limits are used. */
export interface LimitState extends OwnedLimits {
  readonly requestsUsed: number
  readonly tokensUsed: number
  readonly inFlight: number
}

export type LimitOwner = 'key' | 'tenant'
export type RateKind = 'requests' | 'tokens'

/** What one limit on a minute leaves. */
export interface RateState {
  readonly of: LimitOwner
  readonly kind: RateKind
  readonly limit: number
  readonly remaining: number
  /** Until all of it is free again, should nothing more come. */
  readonly resetMs: number
}

/** What a request may need of its tokens' minute. */
export interface TokenAsk {
  /** Our estimate. */
  readonly inputTokens: number
  /** What the caller names as the most for each choice. */
  readonly maxTokens: number | undefined
  readonly choices: number
}

/** Why a request may not go out. */
export type LimitRefusal =
  | {
      readonly kind: 'limited'
      readonly of: LimitOwner
      readonly by: RateKind | 'concurrency'
      readonly limit: number
      /** Whoever waits so long gets through, unless somebody else was first; a guess where others' calls have to end. */
      readonly retryAfterMs: number
      readonly rates: readonly RateState[]
    }
  /** It never could: no waiting helps. */
  | {
      readonly kind: 'oversized'
      readonly of: LimitOwner
      readonly by: 'tokens' | 'max_tokens'
      readonly limit: number
      readonly asked: number
      readonly rates: readonly RateState[]
    }

/** A request that may go out, as far as limits are concerned. */
export interface Allowance {
  /** To be sent upstream where the caller names no maximum. */
  readonly maxTokens: number | undefined
  readonly rates: readonly RateState[]
}

/** The smallest of those that are there. */
export function least(...numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((each) => each !== undefined)
  return known.length > 0 ? Math.min(...known) : undefined
}
