import { afterAll, beforeAll, expect, it } from 'vitest'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { listPrices } from '../../src/cost/list-prices.ts'
import { bundledTable } from '../../src/cost/price-table.ts'
import { savedBy, toPredictionRow } from '../../src/feedback/prediction.ts'
import { tablesOf } from '../../src/feedback/table-rows.ts'
import { startTestSupabase } from '../support/stores.ts'
import { facts, idOf } from '../support/telemetry.ts'

let supabase: EmbeddedSupabase
beforeAll(async () => {
  supabase = await startTestSupabase()
})
afterAll(() => supabase?.close())

const origin = {
  predictionId: idOf(1),
  model: 'openai:gpt-4o-mini',
  pricedAs: { provider: 'openai', model: 'gpt-4o-mini', price: undefined },
  usage: { inputTokens: 1_000, outputTokens: 100 },
} as const

it('an answer that is shared costs its follower nothing, and what it saves is the cache’s', async () => {
  const shared = facts(2, { cache: 'miss', tier: undefined, upstreamMs: 900, origin } as never)
  const row = toPredictionRow(shared)
  if (!row) throw new Error('no row')
  expect(row).toMatchObject({
    cache: 'miss',
    cache_match: 'exact',
    cached_prediction_id: idOf(1),
    model: 'openai:gpt-4o-mini',
    attempts: 0,
    features: { collapsed: true, saved_input_tokens: 1_000, saved_output_tokens: 100 },
  })
  const record = { kind: 'prediction', row, saved: savedBy(shared) } as const
  const [predictions, ...ledger] = tablesOf([record], listPrices(await bundledTable()))
  expect(ledger).toEqual([])
  const stored = predictions?.rows[0] as { cost_usd: number; saved_usd: number; cache_match: string }
  expect(stored.cost_usd).toBe(0)
  expect(stored.saved_usd).toBeGreaterThan(0)
  const none = `'{${Array(18).fill(0).join(',')}}'`
  await supabase.sql(
    `insert into roll_up_hours (tenant_id, starts_at, model, outcome, cache, cache_match, requests, saved_usd,
       total_buckets, upstream_buckets, first_byte_buckets)
     values ('${row.tenant_id}', '2026-11-21', 'openai:gpt-4o-mini', 'success', 'miss', '${stored.cache_match}', 1,
       ${stored.saved_usd}, ${none}, ${none}, ${none}),
       ('${row.tenant_id}', '2026-11-21', 'openai:gpt-4o-mini', 'success', 'miss', 'none', 1, 0.5, ${none}, ${none}, ${none})`,
  )
  const [told] = await supabase.sql(
    `select saved_by_cache_usd::float8 as cache, saved_by_routing_usd::float8 as routing from cost_by_hour`,
  )
  expect(told).toEqual({ cache: stored.saved_usd, routing: 0.5 })
})
