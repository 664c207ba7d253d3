import { env as atStart } from 'cloudflare:workers'
import type { MetricsHub } from '../../workers/state/metrics-hub.ts'
import type { MetricsShard } from '../../workers/state/metrics-shard.ts'

export { MetricsHub } from '../../workers/state/metrics-hub.ts'
export { MetricsShard } from '../../workers/state/metrics-shard.ts'

interface Env {
  readonly METRICS_SHARD: DurableObjectNamespace<MetricsShard>
  readonly METRICS_HUB: DurableObjectNamespace<MetricsHub>
}

const realNow = Date.now
// An alarm that is overdue rings before anybody can ask.
let aheadMs = Number((atStart as { AHEAD_MS?: string }).AHEAD_MS)
Date.now = () => realNow() + aheadMs

/** Sets the clock for all objects, hands the shard a batch, and tells how the alerts stand. */
export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok')
    const { nowMs, batch } = await request.json<{
      nowMs: number
      batch?: Parameters<MetricsShard['take']>[0]
    }>()
    aheadMs = nowMs - realNow()
    const shard = env.METRICS_SHARD.get(env.METRICS_SHARD.idFromName('weur-0'))
    const hub = env.METRICS_HUB.get(env.METRICS_HUB.idFromName('hub'))
    if (batch) await shard.take({ ...batch, startedAtMs: nowMs })
    return Response.json(await hub.alerts())
  },
} satisfies ExportedHandler<Env>
