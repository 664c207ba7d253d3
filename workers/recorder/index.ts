import { withDeadline } from '../../src/core/clock.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import { parseBaseline } from '../../src/cost/ledger.ts'
import { type ListPrices, listPrices } from '../../src/cost/list-prices.ts'
import { bundledTable } from '../../src/cost/price-table.ts'
import { type Intake, takeIn } from '../../src/feedback/intake.ts'
import { fullJitterMs } from '../../src/feedback/parcels.ts'
import { SupabaseRecords } from '../../src/feedback/supabase-records.ts'
import { tellCosts } from '../../src/metrics/cost-counts.ts'
import { countLot } from '../../src/metrics/write-counts.ts'
import { workerClock } from '../clock.ts'
import type { MetricsShard } from '../state/metrics-shard.ts'
import { supabaseConnector } from '../supabase.ts'
import { recorderMetrics } from './metrics.ts'

export interface Env {
  readonly SUPABASE_URL?: string
  /** The key of the role beast_recorder, or the project's secret key: docs/database.md. */
  readonly SUPABASE_RECORDER_KEY?: string
  /** Such as `openai:gpt-4o`: what every request's tokens are priced by as well, to say what routing saves. */
  readonly COST_BASELINE_MODEL?: string
  readonly METRICS_SHARD: DurableObjectNamespace<MetricsShard>
}

let prices: ListPrices | undefined

const STORE_TIMEOUT_MS = 15_000
const TELL_TIMEOUT_MS = 5_000
const RETRY_BASE_MS = 1_000
/** A hundred retries of half this long, on average, see four hours through. */
const RETRY_CAP_MS = 5 * 60_000
/** Then the dead-letter queue sees another two days through. */
const DEAD_RETRY_CAP_MS = 60 * 60_000

export default {
  /**
   * Stores what comes, see `takeIn`, and has counted what of it is money.
   * @param ctx under which what became of it is told to the metrics; absent: it is not
   */
  async queue(batch, env, ctx?: Pick<ExecutionContext, 'waitUntil'>) {
    const capMs = batch.queue.endsWith('-dead') ? DEAD_RETRY_CAP_MS : RETRY_CAP_MS
    const later = (message: Message) => {
      const waitMs = fullJitterMs(message.attempts, RETRY_BASE_MS, capMs, Math.random)
      message.retry({ delaySeconds: Math.ceil(waitMs / 1_000) })
    }
    const done: Message[] = []
    const deliveries = batch.messages.map((message) => ({
      body: message.body,
      attempts: message.attempts,
      ack: () => void done.push(message),
      retry: () => later(message),
    }))
    const metrics = recorderMetrics(env.METRICS_SHARD)
    const lot = countLot(metrics)
    let intake: Intake
    let store: SupabaseRecords
    try {
      store = await openStore(env)
      intake = await takeIn(store, deliveries, () => uuidv7(Date.now()), lot.told)
    } catch (error) {
      // One by one: a batch that fails as a whole comes again at once, and soon no more.
      for (const message of batch.messages) later(message)
      return complain({ queue: batch.queue, later: deliveries.length, message: messageOf(error) })
    }
    lot.over()
    if (ctx) metrics.flushLater((promise) => ctx.waitUntil(promise))
    if (intake.buried > 0 || intake.later > 0) complain({ queue: batch.queue, ...intake })
    const isTold = done.length === 0 || (await tell(store, env))
    // What is stored is stored. One message comes again, though, and with it whoever tells what was booked.
    const [reminder, ...others] = done
    for (const message of others) message.ack()
    if (isTold) reminder?.ack()
    else if (reminder) later(reminder)
  },
} satisfies ExportedHandler<Env>

/** @returns false where something is still to be told */
async function tell(store: SupabaseRecords, { METRICS_SHARD }: Env): Promise<boolean> {
  try {
    await tellCosts({
      now: workerClock.now,
      next: (told) => store.nextCosts(told),
      take: (shard, batch) =>
        withDeadline(
          workerClock,
          TELL_TIMEOUT_MS,
          Promise.resolve(METRICS_SHARD.get(METRICS_SHARD.idFromName(shard)).take(batch)),
        ),
    })
    return true
  } catch (error) {
    complain({ untold: true, message: messageOf(error) })
    return false
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

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
