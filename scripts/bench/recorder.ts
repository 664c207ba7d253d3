import { join } from 'node:path'
import { createClient } from '@supabase/supabase-js'
import { uuidv7 } from '../../src/core/ids.ts'
import { listPrices } from '../../src/cost/list-prices.ts'
import { bundledTable } from '../../src/cost/price-table.ts'
import { takeIn } from '../../src/feedback/intake.ts'
import type { OutboxRecord } from '../../src/feedback/outbox.ts'
import { toPredictionRow } from '../../src/feedback/prediction.ts'
import { SupabaseRecords } from '../../src/feedback/supabase-records.ts'
import { startSupabase } from '../stack/supabase.ts'
import { median } from './report.ts'

// How many predictions a second the recorder's work stores in the embedded Supabase: its client, HTTP over loopback,
// the REST surface and Postgres, all in one process. Run: npx node scripts/bench/recorder.ts

const BATCHES = 20
const ROUNDS = 5
const ROWS = 50

const secretKey = `sb_secret_${'s'.repeat(32)}`
const supabase = await startSupabase({
  dataDir: 'memory://',
  migrationsDir: join(import.meta.dirname, '../../supabase/migrations'),
  port: 0,
  secretKey,
  publishableKey: `sb_publishable_${'p'.repeat(32)}`,
  jwtSecret: 'j'.repeat(43),
})
const [tenant] = await supabase.sql<{ id: string }>('select id from tenants limit 1')
const store = new SupabaseRecords(
  () => createClient(supabase.url, secretKey, { auth: { persistSession: false, autoRefreshToken: false } }),
  listPrices(await bundledTable()),
)

const newId = () => uuidv7(Date.now())
const record = (tenantId: string): OutboxRecord[] => {
  const row = toPredictionRow({
    predictionId: newId(),
    requestId: 'request',
    outcome: 'success',
    errorCode: undefined,
    tenantId,
    keyId: undefined,
    routeId: 'simulated:sim-small',
    stream: false,
    cache: 'hit',
    replayed: false,
    tier: 'memory',
    origin: {
      predictionId: newId(),
      model: 'openai:gpt-4o-mini',
      pricedAs: { provider: 'openai', model: 'gpt-4o-mini' },
    },
    userHash: undefined,
    promptHash: undefined,
    sentLength: 2_000,
    receivedAtMs: Date.now(),
    totalMs: 3,
    upstreamMs: undefined,
    usage: undefined,
    attempts: [],
    explain: undefined,
  })
  return row ? [{ kind: 'prediction', row }] : []
}

const rates: number[] = []
for (let round = 0; round <= ROUNDS; round++) {
  const messages = Array.from({ length: BATCHES }, () => ({
    body: { records: Array.from({ length: ROWS }, () => record(tenant?.id ?? '')).flat() },
    attempts: 1,
    ack: () => {},
    retry: () => {},
  }))
  const started = performance.now()
  const { stored } = await takeIn(store, messages, newId)
  const rate = stored / ((performance.now() - started) / 1_000)
  // The first round warms.
  if (round > 0) rates.push(rate)
}
console.log(`${Math.round(median(rates))} rows/s (${rates.map(Math.round).join(', ')}), messages of ${ROWS}`)
const sql = (count: number) =>
  `insert into ml_predictions (id, tenant_id, request_id, created_at, outcome, total_ms)
   select (substr(u, 1, 14) || '7' || substr(u, 16))::uuid, '${tenant?.id}', 'r', now(), 'success', 1
   from (select gen_random_uuid()::text as u from generate_series(1, ${count})) as ids`
const started = performance.now()
for (let i = 0; i < BATCHES; i++) await supabase.sql(sql(ROWS))
const alone = (BATCHES * ROWS) / ((performance.now() - started) / 1_000)
console.log(`${Math.round(alone)} rows/s by Postgres alone: the same inserts as SQL, without client and HTTP`)
await supabase.close()
