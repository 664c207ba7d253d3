import { uuidv7 } from '../../src/core/ids.ts'
import { type ListPrices, listPrices } from '../../src/cost/list-prices.ts'
import { bundledTable } from '../../src/cost/price-table.ts'
import { takeIn } from '../../src/feedback/intake.ts'
import { fullJitterMs } from '../../src/feedback/parcels.ts'
import { SupabaseRecords } from '../../src/feedback/supabase-records.ts'
import { countLot } from '../../src/metrics/write-counts.ts'
import type { MetricsShard } from '../state/metrics-shard.ts'
import { supabaseConnector } from '../supabase.ts'
import { recorderMetrics } from './metrics.ts'

export interface Env {
  readonly SUPABASE_URL?: string
  /** The key of the role beast_recorder, or the project's secret key: docs/database.md. */
  readonly SUPABASE_RECORDER_KEY?: string
  readonly METRICS_SHARD: DurableObjectNamespace<MetricsShard>
}

let prices: ListPrices | undefined

const STORE_TIMEOUT_MS = 15_000
const RETRY_BASE_MS = 1_000
/** A hundred retries of half this long, on average, see four hours through. */
const RETRY_CAP_MS = 5 * 60_000
/** Then the dead-letter queue sees another two days through. */
const DEAD_RETRY_CAP_MS = 60 * 60_000

export default {
  /**
   * Stores what comes; see `takeIn`.
   * @param ctx under which what became of it is told to the metrics; absent: it is not
   */
  async queue(batch, env, ctx?: Pick<ExecutionContext, 'waitUntil'>) {
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
    const metrics = recorderMetrics(env.METRICS_SHARD)
    const lot = countLot(metrics)
    try {
      const { stored, buried, later } = await takeIn(
        await openStore(env),
        deliveries,
        () => uuidv7(Date.now()),
        lot.told,
      )
      lot.over()
      if (ctx) metrics.flushLater((promise) => ctx.waitUntil(promise))
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
async function openStore({ SUPABASE_URL: url, SUPABASE_RECORDER_KEY: key }: Env): Promise<SupabaseRecords> {
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
  return new SupabaseRecords(connect, prices)
}
