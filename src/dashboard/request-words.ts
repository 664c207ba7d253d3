import { isObject } from '../core/json.ts'
import type { RequestStory, RequestSummary, StoryRating } from '../feedback/request-story.ts'
import { formatValue } from './format.ts'

/** A word and what stands for it. */
export type Fact = readonly [name: string, value: string]

const ms = (value: number | null): string => formatValue(value === null ? null : value / 1_000, 's')
const usd = (value: number): string => formatValue(value, 'currencyUSD')
const count = (value: number | null): string => formatValue(value, 'short')

export const outcomeText = ({ outcome, error_code: code }: Pick<RequestSummary, 'outcome' | 'error_code'>) =>
  code === null ? outcome : `${outcome} (${code})`

export const cacheText = ({ cache, cache_tier: tier }: Pick<RequestSummary, 'cache' | 'cache_tier'>) =>
  tier === null ? cache : `${cache} (${tier})`

/** A row of the list, in the order of its head. */
export const LIST_HEAD = ['Time', 'Model', 'Outcome', 'Cache', 'Took', 'Cost', 'Id'] as const

/** All but the time, which is the reader's own. */
export const listCells = (row: RequestSummary): string[] => [
  row.model ?? row.route ?? 'not known',
  outcomeText(row),
  cacheText(row),
  ms(row.total_ms),
  usd(row.cost_usd),
  row.id,
]

/** @param clock how the reader writes a time */
export function factsOf(story: RequestStory, clock: (iso: string) => string): Fact[] {
  const { ledger } = story
  const tokens = `${count(story.input_tokens)} in, ${count(story.output_tokens)} out`
  const cost = ledger?.unpriced ? `${usd(story.cost_usd)}, a part of it unpriced` : usd(story.cost_usd)
  return [
    ['Outcome', outcomeText(story)],
    ['Asked for', story.route ?? 'not known'],
    ['Answered by', story.model ?? 'nothing'],
    ['Cache', story.cache_match === null ? cacheText(story) : `${cacheText(story)}, ${story.cache_match}`],
    ['Took', ms(story.total_ms)],
    ['Of that, models', ms(story.upstream_ms)],
    ['First byte after', ms(story.first_byte_ms)],
    ['Tokens', story.tokens_estimated ? `${tokens}, counted here` : tokens],
    ['Cost', ledger?.settled_as === 'abandoned' ? `${cost}, never settled` : cost],
    ['Saved', usd(story.saved_usd)],
    ['Task', story.task ?? 'not known'],
    ['Streamed', story.stream ? 'yes' : 'no'],
    ['Tenant', story.tenant],
    ['Key', story.key_id ?? 'none'],
    ['Arrived', clock(story.created_at)],
    ['Recorded', clock(story.stored_at)],
    ['Request id', story.request_id],
    ['Prediction id', story.id],
  ]
}

export const CANDIDATE_HEAD = ['Candidate', 'Rank', 'Score', 'Why'] as const

/** As far as it is what selection writes: older rows may be otherwise. */
export function candidateRows(decision: unknown): string[][] {
  const candidates = isObject(decision) && Array.isArray(decision.candidates) ? decision.candidates : []
  return candidates
    .filter(isObject)
    .map(({ id, rank, score, reasons, excluded }) => [
      String(id),
      typeof rank === 'number' ? count(rank) : '',
      typeof score === 'number' ? count(score) : '',
      typeof excluded === 'string' ? `out: ${excluded}` : Array.isArray(reasons) ? reasons.join(', ') : '',
    ])
}

export const ATTEMPT_HEAD = ['Try', 'Model', 'Result', 'Took', 'Tokens', 'Cost'] as const

export const attemptRows = ({ attempts }: RequestStory): string[][] =>
  attempts.map((attempt) => [
    String(attempt.attempt),
    attempt.endpoint === null ? attempt.model : `${attempt.model} at ${attempt.endpoint}`,
    attempt.failure === null ? attempt.result : `${attempt.result} (${attempt.failure})`,
    ms(attempt.total_ms),
    `${count(attempt.input_tokens)} in, ${count(attempt.output_tokens)} out`,
    attempt.priced_by === 'unpriced' ? 'unpriced' : usd(attempt.cost_usd),
  ])

export const RATING_HEAD = ['Source', 'Rating', 'Tags', 'Given'] as const

export const ratingRows = ({ ratings }: RequestStory, clock: (iso: string) => string): string[][] =>
  ratings.map((rating) => [
    rating.source,
    ratingText(rating),
    rating.tags.join(', '),
    clock(rating.received_at),
  ])

const ratingText = ({ thumbs, rating, outcome }: StoryRating): string =>
  [thumbs && `thumbs ${thumbs}`, rating && `${rating} of 5`, outcome !== null && `outcome ${outcome}`]
    .filter(Boolean)
    .join(', ')
