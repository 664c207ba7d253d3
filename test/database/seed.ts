import type { SupabaseClient } from '@supabase/supabase-js'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import type { TestDatabase } from '../support/stores.ts'
import { clientOf, KEEPER, RECORDER } from './clients.ts'
import { feedbackRow, foldedRow, predictionRow, seededUuid, TENANT_A, TENANT_B, USER } from './rows.ts'

const MODELS = [
  ['openai:gpt-4o-mini', 'openai', 0.00003],
  ['anthropic:claude-haiku', 'anthropic', 0.0002],
  ['custom:mine', 'openai-compatible', 0],
] as const
const TIERS = ['memory', 'kv', 'redis', 'supabase'] as const
const DAY_MS = 86_400_000

/** Sends rows as the recorder does: in batches of 50, where what is there already is no error. */
export async function record(
  client: SupabaseClient,
  table: string,
  rows: readonly Readonly<Record<string, unknown>>[],
  key = 'id',
): Promise<void> {
  for (let at = 0; at < rows.length; at += 50) {
    const batch = rows.slice(at, at + 50)
    await client.from(table).upsert(batch, { onConflict: key, ignoreDuplicates: true }).throwOnError()
  }
}

/** One request of some tenant's, within the three days before `nowMs`. */
export function randomPrediction(random: () => number, tenantId: string, nowMs: number) {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  const createdAtMs = nowMs - Math.floor(random() * 3 * DAY_MS)
  const [model, provider, costUsd] = pick(MODELS)
  const hit = random() < 0.4
  const failed = random() < 0.1
  const answered = hit || !failed
  return predictionRow(tenantId, createdAtMs, {
    id: uuidv7(createdAtMs, seededUuid(random)),
    user_hash: random() < 0.3 ? USER : null,
    model: answered ? model : null,
    provider: answered ? provider : null,
    stream: random() < 0.5,
    outcome: answered ? (random() < 0.05 ? 'cancelled' : 'success') : pick(['error', 'client_error']),
    error_code: answered ? null : 'upstream_failed',
    cache: hit ? 'hit' : pick(['miss', 'miss', 'miss', 'bypass', 'none']),
    cache_tier: hit ? pick(TIERS) : null,
    cache_match: hit ? pick(['exact', 'semantic']) : null,
    cached_prediction_id: hit ? uuidv7(createdAtMs - 60_000, seededUuid(random)) : null,
    mode: pick([1, 2, 3, 4, null]),
    input_tokens: answered ? Math.floor(random() * 2_000) : null,
    output_tokens: answered ? Math.floor(random() * 500) : null,
    tokens_estimated: random() < 0.1,
    cost_usd: hit || !answered ? '0' : costUsd.toFixed(6),
    saved_usd: hit ? costUsd.toFixed(6) : '0',
    total_ms: Math.round((hit ? 8 * random() : 5_000 * random()) * 8) / 8,
    upstream_ms: hit ? null : Math.round(4_000 * random() * 8) / 8,
    first_byte_ms: hit || random() < 0.5 ? null : Math.round(900 * random() * 8) / 8,
    predicted_quality: hit ? null : Math.round(random() * 100) / 100,
  })
}

/** Two tenants with three days behind them, rolled up. The same for the same seed and time. */
export async function seed(supabase: TestDatabase, seedNumber: number, nowMs: number): Promise<void> {
  const random = seededRandom(seedNumber)
  const recorder = clientOf(supabase, RECORDER)
  await supabase.sql(
    `insert into tenants (id, name, keeps_text) values ('${TENANT_A}', 'acme', true), ('${TENANT_B}', 'other', false)`,
  )
  const predictions = [TENANT_A, TENANT_B].flatMap((tenant) =>
    Array.from({ length: 150 }, () => randomPrediction(random, tenant, nowMs)),
  )
  await record(recorder, 'ml_predictions', predictions)
  await record(
    recorder,
    'prediction_texts',
    predictions.slice(0, 20).map(({ id, tenant_id, created_at }) => ({
      prediction_id: id,
      tenant_id,
      created_at,
      prompt: 'How do I sort a list?',
      answer: 'With sorted().',
    })),
    'prediction_id',
  )
  const rated = predictions.filter(() => random() < 0.4)
  const feedback = rated.map(({ id, tenant_id, created_at }, index) =>
    feedbackRow(tenant_id, id, {
      id: uuidv7(nowMs, seededUuid(random)),
      source: index % 5 === 0 ? 'bot' : 'user',
      thumbs: random() < 0.8 ? 'up' : 'down',
      rating: random() < 0.5 ? 1 + Math.floor(random() * 5) : null,
      outcome: random() < 0.2 ? 0.5 : null,
      correction: random() < 0.1 ? 'Use list.sort().' : null,
      tags: random() < 0.2 ? ['slow'] : null,
      received_at: new Date(Date.parse(created_at) + 1_000).toISOString(),
    }),
  )
  // One that will never find its prediction.
  feedback.push(feedbackRow(TENANT_A, uuidv7(nowMs), { source: 'auto-prompt' }))
  await record(recorder, 'quality_feedback_history', feedback)
  await record(
    recorder,
    'prediction_minutes',
    [TENANT_A, TENANT_B].map((tenant) =>
      foldedRow(tenant, nowMs - DAY_MS, { id: uuidv7(nowMs, seededUuid(random)) }),
    ),
  )
  const billed = predictions.filter(({ cost_usd }) => cost_usd !== '0')
  await record(
    recorder,
    'ledger',
    billed.map(({ id, tenant_id, created_at, cost_usd }) => ({
      prediction_id: id,
      tenant_id,
      created_at,
      cost_usd,
    })),
    'prediction_id',
  )
  await record(
    recorder,
    'ledger_attempts',
    billed.map(({ id, tenant_id, created_at, cost_usd, model, provider }) => ({
      prediction_id: id,
      attempt: 1,
      tenant_id,
      created_at,
      model,
      provider,
      result: 'answered',
      total_ms: 700,
      cost_usd,
    })),
    'prediction_id,attempt',
  )
  for (const tenant of [TENANT_A, TENANT_B])
    await supabase.sql(
      `insert into quality_improvements (tenant_id, change, experiment, variant, metric, before_value, after_value,
        interval_low, interval_high, decision, evidence)
       values ('${tenant}', 'cheaper model for chat', 'exp-1', 'b', 'satisfaction', 0.8, 0.86, 0.02, 0.1, 'adopted',
        '{"rated": 812}')`,
    )
  await clientOf(supabase, KEEPER)
    .rpc('roll_up', { stored_from: '-infinity', stored_to: 'infinity' })
    .throwOnError()
}
