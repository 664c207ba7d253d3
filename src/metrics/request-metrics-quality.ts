import { NONE, seriesName } from './catalogue.ts'
import { RATIO } from './families/buckets.ts'
import type { RequestFacts, Sink } from './request-facts.ts'
import type { Mode } from './request-modes.ts'
import { memoised } from './series-memo.ts'

const scores = memoised((mode: Mode | typeof NONE) => seriesName('quality_score_ratio', { mode }))
const LOW = seriesName('warnings_total', { type: 'low_quality' })
const TRUNCATED = seriesName('warnings_total', { type: 'truncated' })
/** The threshold of LowQualityScore. */
const LOW_BELOW = 0.8

/** What the checks of a whole answer add. */
export function countChecks(
  sink: Sink,
  mode: Mode | typeof NONE,
  { score, truncated }: NonNullable<RequestFacts['checks']>,
): void {
  observeQuality(sink, mode, score)
  if (score < LOW_BELOW) sink.count(LOW)
  if (truncated) sink.count(TRUNCATED)
}

function observeQuality(sink: Sink, mode: Mode | typeof NONE, score: number): void {
  const series = scores(mode)
  sink.observe(series, score, RATIO)
  sink.sketch(series, score)
}

/** A rating, as far as it is counted. */
export interface RatingFacts {
  readonly source: 'user' | 'bot' | 'auto-prompt'
  readonly thumbs: 'up' | 'down' | null
  readonly rating: number | null
}

const ratings = memoised((source: RatingFacts['source'], verdict: Judgement) =>
  seriesName('ratings_total', { source, verdict }),
)
const SATISFACTION = seriesName('satisfaction_ratio', { mode: NONE })

type Judgement = 'good' | 'neutral' | 'bad' | typeof NONE

/** What a rating adds that was accepted. Of its prediction nothing is known here, so it has no mode. */
export function countRating(sink: Sink, { source, thumbs, rating }: RatingFacts): void {
  const score = scoreOf(thumbs, rating)
  sink.count(ratings(source, judgementOf(score)))
  if (score === undefined) return
  sink.observe(SATISFACTION, score, RATIO)
  observeQuality(sink, NONE, score)
}

/** As the database reckons it: the stars, else the thumb. */
function scoreOf(thumbs: RatingFacts['thumbs'], rating: number | null): number | undefined {
  if (rating !== null) return (rating - 1) / 4
  return thumbs === null ? undefined : thumbs === 'up' ? 1 : 0
}

function judgementOf(score: number | undefined): Judgement {
  if (score === undefined) return NONE
  return score > 0.5 ? 'good' : score < 0.5 ? 'bad' : 'neutral'
}
