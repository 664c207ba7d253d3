import { uuidv7 } from '../../src/core/ids.ts'
import { parseBaseline } from '../../src/cost/ledger.ts'
import { type ListPrices, listPrices } from '../../src/cost/list-prices.ts'
import { bundledTable } from '../../src/cost/price-table.ts'
import { takeIn } from '../../src/feedback/intake.ts'
import { fullJitterMs } from '../../src/feedback/parcels.ts'
import { SupabaseRecords } from '../../src/feedback/supabase-records.ts'
import { supabaseConnector } from '../supabase.ts'

interface Env {
  readonly SUPABASE_URL?: string
  /** The key of the role beast_recorder, or the project's secret key: docs/database.md. */
  readonly SUPABASE_RECORDER_KEY?: string
  /** Such as `openai:gpt-4o`: what every request's tokens are priced by as well, to say what routing saves. */
  readonly COST_BASELINE_MODEL?: string
}

let prices: ListPrices | undefined

const STORE_TIMEOUT_MS = 15_000
const RETRY_BASE_MS = 1_000
/** A hundred retries of half this long, on average, see four hours through. */
const RETRY_CAP_MS = 5 * 60_000
/** Then the dead-letter queue sees another two days through. */
const DEAD_RETRY_CAP_MS = 60 * 60_000

export default {
  /** Stores what comes; see `takeIn`. */
  async queue(batch, env) {
    const capMs = batch.queue.endsWith('-dead') ? DEAD_RETRY_CAP_MS : RETRY_CAP_MS
    const deliveries = batch.messages.map((message) => ({
      body: message.body,
      attempts: message.attempts,
      ack: () => message.ack(),
      retry: () => {
        const waitMs = fullJitterMs(message.attempts, RETRY_BASE_MS, capMs, Math.random)
        message.retry({ delaySeconds: Math.ceil(waitMs / 1_000) })
      },
    }))
    try {
      const { stored, buried, later } = await takeIn(await openStore(env), deliveries, () =>
        uuidv7(Date.now()),
      )
      if (buried > 0 || later > 0) complain({ queue: batch.queue, stored, buried, later })
    } catch (error) {
      // One by one: a batch that fails as a whole comes again at once, and soon no more.
      for (const delivery of deliveries) delivery.retry()
      complain({
        queue: batch.queue,
        later: deliveries.length,
        message: error instanceof Error ? error.message : String(error),
      })
    }
  },
} satisfies ExportedHandler<Env>

const complain = (what: Readonly<Record<string, unknown>>): void =>
  console.error(JSON.stringify({ level: 'error', code: 'recorder', ...what }))

/** @throws Error that says what to set */
async function openStore(env: Env): Promise<SupabaseRecords> {
  const { SUPABASE_URL: url, SUPABASE_RECORDER_KEY: key, COST_BASELINE_MODEL: baseline } = env
  if (!url || !key)
    throw new Error('The recorder is not configured: set its secrets SUPABASE_URL and SUPABASE_RECORDER_KEY.')
  const connect = supabaseConnector({
    url,
    key,
    keyName: 'SUPABASE_RECORDER_KEY',
    timeoutMs: STORE_TIMEOUT_MS,
  })
  // A key that cannot be used is known before anything is tried.
  connect()
  // A value of the isolate: reading the table takes longer than a batch.
  prices ??= listPrices(await bundledTable())
  return new SupabaseRecords(connect, prices, parseBaseline(baseline))
}
