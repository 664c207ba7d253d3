import { RATIO } from './buckets.ts'
import { counter, histogram } from './family.ts'
import { MODES } from './values.ts'

/** How good the answers are. */
export const QUALITY = {
  quality_score_ratio: histogram(
    'Quality of an answer, 0 to 1: the checks of its form that it passed, what a rating says, or what was reported.',
    'Q1 Q2',
    RATIO,
    { mode: MODES },
  ),
  degraded_responses_total: counter('Answers that are less than what was asked for, each once.', 'Q3', {
    mode: MODES,
  }),
  degradations_total: counter('Why answers are less than what was asked for, each reason once.', 'Q4', {
    reason: ['fallback', 'stale', 'partial'],
  }),
  warnings_total: counter('Answers that were given with a warning.', 'Q5 Q6', {
    // `truncated`: cut at the token limit; `uncounted`: the provider named no tokens; `unpriced`: no price is known.
    type: ['low_quality', 'truncated', 'uncounted', 'unpriced', 'budget_near'],
  }),
} as const

/** What its users say of it. What has no figures yet has no family: docs/metrics.md names it. */
export const LEARNING = {
  ratings_total: counter(
    'Ratings that were accepted; over requests_total it is the feedback rate.',
    'feedback rate',
    { source: ['user', 'bot', 'auto-prompt'], verdict: ['good', 'neutral', 'bad'] },
  ),
  satisfaction_ratio: histogram('What ratings say of answers, 0 to 1.', 'satisfaction', RATIO, {
    mode: MODES,
  }),
} as const
