import { RATIO } from './buckets.ts'
import { counter, gauge, histogram } from './family.ts'
import { MODES } from './values.ts'

/** How good the answers are. */
export const QUALITY = {
  quality_score_ratio: histogram('Quality of an answer, 0 to 1.', 'Q1 Q2', RATIO, { mode: MODES }),
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

/** How well the gateway chooses and learns. */
export const LEARNING = {
  prediction_accuracy_ratio: histogram(
    'How close a predicted quality came to the rating: 1 less their distance.',
    'prediction accuracy',
    RATIO,
    { mode: MODES },
  ),
  ratings_total: counter(
    'Ratings that found their prediction; over requests_total it is the feedback rate.',
    'feedback rate',
    { source: ['user', 'bot', 'auto-prompt'], verdict: ['good', 'neutral', 'bad'] },
  ),
  satisfaction_ratio: histogram('What ratings say of answers, 0 to 1.', 'satisfaction', RATIO, {
    mode: MODES,
  }),
  selection_checks_total: counter(
    'Choices of a model held against the policy; success: the policy would choose the same.',
    'selection conformance',
    { outcome: ['success', 'error'] },
  ),
  experiments_total: counter('Experiments that ended, by what they showed.', 'optimisation success', {
    result: ['better', 'worse', 'undecided'],
  }),
  quality_improvement_ratio: gauge(
    'Growth of the average quality over the last 30 days; 0.05 is 5 % better.',
    'improvement a month',
    {},
  ),
} as const
