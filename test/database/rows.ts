import { uuidv7 } from '../../src/core/ids.ts'

export const TENANT_A = '0a000000-0000-4000-8000-00000000000a'
export const TENANT_B = '0b000000-0000-4000-8000-00000000000b'
export const USER = 'u'.repeat(43)

/** A UUID of version 4 whose digits follow a seed, for `uuidv7`. */
export const seededUuid = (random: () => number): string =>
  '........-....-4...-9...-............'.replaceAll('.', () => Math.floor(random() * 16).toString(16))

/** A row for `ml_predictions` as the recorder writes it. Every row has every column: bulk inserts need one shape. */
export const predictionRow = (
  tenantId: string,
  createdAtMs: number,
  more: Readonly<Record<string, unknown>> = {},
) => ({
  id: uuidv7(createdAtMs),
  tenant_id: tenantId,
  key_id: null,
  request_id: `request-${createdAtMs}`,
  user_hash: null,
  created_at: new Date(createdAtMs).toISOString(),
  route: 'auto',
  model: 'openai:gpt-4o-mini',
  provider: 'openai',
  stream: false,
  outcome: 'success',
  error_code: null,
  cache: 'miss',
  cache_tier: null,
  cache_match: null,
  cached_prediction_id: null,
  task: 'chat',
  mode: 1,
  language: null,
  input_tokens: 100,
  output_tokens: 20,
  tokens_estimated: false,
  cost_usd: '0.000027',
  saved_usd: '0',
  total_ms: 812.5,
  upstream_ms: 800,
  first_byte_ms: 300,
  attempts: 1,
  predicted_quality: 0.8,
  decision: {
    task: 'chat',
    candidates: [{ id: 'openai:gpt-4o-mini', rank: 3, score: 1, reasons: ['cheapest'] }],
  },
  features: { words: 12, has_code: false, task: 'chat' },
  prompt_hash: 'p'.repeat(43),
  answer_hash: 'a'.repeat(43),
  ...more,
})

export const feedbackRow = (
  tenantId: string,
  predictionId: string,
  more: Readonly<Record<string, unknown>> = {},
) => ({
  id: uuidv7(Date.now()),
  tenant_id: tenantId,
  prediction_id: predictionId,
  source: 'user',
  thumbs: 'up',
  rating: null,
  outcome: null,
  correction: null,
  tags: null,
  received_at: new Date().toISOString(),
  ...more,
})

export const foldedRow = (
  tenantId: string,
  startsAtMs: number,
  more: Readonly<Record<string, unknown>> = {},
) => ({
  id: uuidv7(Date.now()),
  tenant_id: tenantId,
  starts_at: new Date(Math.floor(startsAtMs / 60_000) * 60_000).toISOString(),
  mode: 1,
  model: 'openai:gpt-4o-mini',
  provider: 'openai',
  outcome: 'success',
  cache: 'hit',
  cache_tier: 'memory',
  cache_match: 'exact',
  requests: 10,
  streams: 0,
  input_tokens: 1_000,
  output_tokens: 200,
  estimated: 0,
  cost_usd: '0',
  saved_usd: '0.00027',
  total_ms: 20,
  upstream_ms: 0,
  first_byte_ms: 0,
  total_buckets: [0, 10, ...Array(16).fill(0)],
  upstream_buckets: Array(18).fill(0),
  first_byte_buckets: Array(18).fill(0),
  ...more,
})
