import { availableParallelism, loadavg } from 'node:os'
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

// How many predictions a second the recorder's work stores in the embedded Supabase, and what of that bounds it: the
// recorder's own code with its client, HTTP over loopback with the REST surface, or Postgres; all in one process, on
// one core. Run: npx node scripts/bench/recorder.ts

const BATCHES = 20
const ROUNDS = 5
const ROWS = 50
/** Rows of one insert, as the recorder sends them. */
const LOT = 200

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
let requestMs = 0
const store = new SupabaseRecords(
  () =>
    createClient(supabase.url, secretKey, {
      auth: { persistSession: false, autoRefreshToken: false },
      global: {
        fetch: async (input, init) => {
          const started = performance.now()
          const response = await fetch(input, init)
          requestMs += performance.now() - started
          return response
        },
      },
    }),
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
    sentBytes: 2_000,
    receivedAtMs: Date.now(),
    totalMs: 3,
    upstreamMs: undefined,
    usage: undefined,
    attempts: [],
    explain: undefined,
  })
  return row ? [{ kind: 'prediction', row }] : []
}

const someRecords = (count: number) => Array.from({ length: count }, () => record(tenant?.id ?? '')).flat()

/** The same inserts as SQL, with rows of the same columns. */
async function insertAlone(): Promise<void> {
  const rows = someRecords(LOT).map(({ row }) => row)
  const columns = Object.keys(rows[0] ?? {}).join(', ')
  await supabase.sql(
    `insert into ml_predictions (${columns})
     select ${columns} from jsonb_populate_recordset(null::ml_predictions, $rows$${JSON.stringify(rows)}$rows$)
     on conflict do nothing`,
  )
}

/** Milliseconds that a thousand rows take. */
interface Round {
  readonly all: number
  readonly request: number
  readonly postgres: number
  /** Of the processor: what others do meanwhile is not in it. */
  readonly cpu: number
}
const rounds: Round[] = []
for (let round = 0; round <= ROUNDS; round++) {
  const messages = Array.from({ length: BATCHES }, () => ({
    body: { records: someRecords(ROWS) },
    attempts: 1,
    ack: () => {},
    retry: () => {},
  }))
  requestMs = 0
  const cpuBefore = process.cpuUsage()
  const started = performance.now()
  const { stored } = await takeIn(store, messages, newId)
  const all = performance.now() - started
  const { user, system } = process.cpuUsage(cpuBefore)
  const sqlStarted = performance.now()
  for (let rows = 0; rows < stored; rows += LOT) await insertAlone()
  const postgres = performance.now() - sqlStarted
  const scale = 1_000 / stored
  // The first round warms.
  if (round === 0) continue
  const cpu = ((user + system) / 1e3) * scale
  rounds.push({ all: all * scale, request: requestMs * scale, postgres: postgres * scale, cpu })
}
await supabase.close()

const ms = (of: (round: Round) => number): number => Math.round(median(rounds.map(of)))
const parts = {
  'the recorder and its client': ms(({ all, request }) => all - request),
  'HTTP and the REST surface': ms(({ request, postgres }) => Math.max(0, request - postgres)),
  Postgres: ms(({ postgres }) => postgres),
}
const [bound] = Object.entries(parts).sort(([, a], [, b]) => b - a)[0] ?? []
const rates = rounds.map(({ all }) => Math.round(1e6 / all))
console.log(`${median(rates)} rows/s (${rates.join(', ')}), messages of ${ROWS}`)
console.log(`${Math.round(1e6 / ms(({ cpu }) => cpu))} rows in a second of processor time`)
console.log(
  `a thousand rows, milliseconds: ${Object.entries(parts)
    .map(([part, each]) => `${part} ${each}`)
    .join(', ')}. Bound by ${bound}`,
)
const [load = 0] = loadavg()
if (load > availableParallelism())
  console.log(`This machine was busy: load ${load.toFixed(1)} on ${availableParallelism()} cores`)
