import type { Clock } from '../../src/core/clock.ts'
import type { Batch } from '../../src/metrics/batch.ts'
import { MetricsBuffer } from '../../src/metrics/buffer.ts'
import { shardName } from '../../src/metrics/shard-name.ts'
import type { MetricsShard } from '../../workers/state/metrics-shard.ts'

interface Env {
  readonly SHARD: DurableObjectNamespace<MetricsShard>
}

const REQUESTS = 'requests_received_total'
const clock: Clock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  },
}
const shardOf = (env: Env, isolate: string) => env.SHARD.get(env.SHARD.idFromName(shardName('weur', isolate)))

let mine: { readonly isolate: string; readonly buffer: MetricsBuffer } | undefined
let received = 0

function start(env: Env) {
  const isolate = crypto.randomUUID()
  const send = (batch: Batch) => shardOf(env, isolate).take(batch)
  return { isolate, buffer: new MetricsBuffer({ clock, random: Math.random, isolate, send }) }
}

/** Counts every request but those that ask how many there were. */
export default {
  async fetch(request, env, ctx) {
    mine ??= start(env)
    if (request.method === 'GET') {
      const { totals } = await shardOf(env, mine.isolate).report(0)
      return Response.json({ received, counted: totals.counters[REQUESTS] ?? 0 })
    }
    received += 1
    mine.buffer.count(REQUESTS)
    mine.buffer.flushLater((work) => ctx.waitUntil(work))
    await new Promise((resolve) => setTimeout(resolve, 20))
    return new Response('counted')
  },
} satisfies ExportedHandler<Env>
