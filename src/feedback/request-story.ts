import type { PricedBy, ProviderCall } from '../cost/ledger.ts'
import type { Source } from './feedback.ts'
import type { PredictionRow } from './prediction.ts'
import type { RequestQuery } from './request-search.ts'

/** A request as a list shows it. */
export interface RequestSummary
  extends Pick<
    PredictionRow,
    | 'id'
    | 'created_at'
    | 'route'
    | 'model'
    | 'stream'
    | 'outcome'
    | 'error_code'
    | 'cache'
    | 'cache_tier'
    | 'task'
    | 'input_tokens'
    | 'output_tokens'
    | 'cost_usd'
    | 'saved_usd'
    | 'total_ms'
    | 'attempts'
  > {
  /** By its name. */
  readonly tenant: string
}

export interface RequestPage {
  readonly data: readonly RequestSummary[]
  readonly next_cursor: string | null
}

/** One call to a provider that may have been charged for. */
export interface StoryAttempt {
  /** In the order of trying, from 1. */
  readonly attempt: number
  readonly model: string
  readonly provider: string
  readonly endpoint: string | null
  readonly result: ProviderCall['result']
  readonly failure: string | null
  readonly total_ms: number
  readonly input_tokens: number | null
  readonly output_tokens: number | null
  readonly tokens_estimated: boolean
  readonly cost_usd: number
  readonly priced_by: PricedBy
}

export interface StoryRating {
  readonly source: Source
  readonly thumbs: 'up' | 'down' | null
  readonly rating: number | null
  readonly outcome: number | null
  readonly correction: string | null
  readonly tags: readonly string[]
  readonly received_at: string
  readonly amended_at: string | null
}

/** What is recorded as text or can be joined to a person: not for those who only watch the gateway. */
export interface StoryWords {
  readonly user_hash: string | null
  readonly prompt_hash: string | null
  readonly answer_hash: string | null
  /** Null where the tenant keeps no text, or does not any more. */
  readonly text: { readonly prompt: string | null; readonly answer: string | null } | null
}

/** All that is recorded of one request. */
export interface RequestStory
  extends Omit<PredictionRow, keyof StoryWords | 'tenant_id' | 'attempts' | 'decision' | 'features'>,
    Partial<StoryWords> {
  readonly tenant: string
  readonly stored_at: string
  /** Candidates, scores and reasons, as they were recorded. */
  readonly decision: unknown
  readonly features: unknown
  /** How many calls there were; those that cannot have been charged for are not in `attempts`. */
  readonly tries: number
  readonly attempts: readonly StoryAttempt[]
  /** Null where no provider was called. */
  readonly ledger: {
    readonly cost_usd: number
    readonly saved_usd: number
    readonly settled_as: 'settled' | 'abandoned'
    /** No price is known for a part of it. */
    readonly unpriced: boolean
  } | null
  readonly ratings: readonly StoryRating[]
}

/** Whose requests are read, and how much of each. */
export interface RequestReach {
  /** Undefined: of every tenant. */
  readonly tenantId: string | undefined
  /** Without them no text, no hash and no correction is even asked for. */
  readonly withWords: boolean
}

/** What can be asked of the requests that are recorded. */
export interface RequestReader {
  /** Newest first. */
  search(reach: RequestReach, query: RequestQuery): Promise<RequestPage>
  /** @returns undefined where there is none, or none within reach: the two look the same */
  story(reach: RequestReach, id: string): Promise<RequestStory | undefined>
}
