import { type Context, Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { GatewayError } from '../../../src/core/errors.ts'
import {
  type Exemplars,
  OPENMETRICS_TYPE,
  renderOpenMetrics,
  renderText,
  TEXT_TYPE,
} from '../../../src/metrics/exposition.ts'
import { HUB_NAME, SHARD_NAMES } from '../../../src/metrics/shard-name.ts'
import type { MetricsSnapshot } from '../../../src/metrics/snapshot.ts'
import type { AppEnv } from '../context.ts'
import { bearer } from '../middleware/bearer.ts'
import { holdsToken } from '../middleware/token.ts'

/** Lets only those through who may read the metrics. */
const metricsOnly = createMiddleware<AppEnv>(async (c, next) => {
  if (await holdsToken(bearer(c.req.raw.headers), c.env.env.METRICS_TOKEN)) return next()
  throw new GatewayError(
    'invalid_api_key',
    'This needs the token of the metrics.',
    'Send Authorization: Bearer with the value of the secret METRICS_TOKEN; while that is not set, nobody is let in.',
  )
})

/** /metrics: everything that was counted, for Prometheus: all shards as one, or each by itself, never both in one job. */
export const metrics = new Hono<AppEnv>()
  .use(metricsOnly)
  .get('/', async (c) => {
    const { totals, exemplars } = await counted(hubOf(c).snapshot())
    return exposition(c, totals, exemplars)
  })
  .get('/targets', async (c) => {
    const { METRICS_SHARD } = c.env.env
    const known = new Set(await counted(hubOf(c).shardIds()))
    const targets = [new URL(c.req.url).host]
    return c.json(
      SHARD_NAMES.flatMap((name, n) =>
        known.has(METRICS_SHARD.idFromName(name).toString())
          ? [{ targets, labels: { __metrics_path__: `/metrics/shard/${n}` } }]
          : [],
      ),
    )
  })
  .get('/shard/:n', async (c) => {
    const { METRICS_SHARD } = c.env.env
    const n = c.req.param('n')
    const name = /^\d{1,3}$/.test(n) ? SHARD_NAMES[Number(n)] : undefined
    if (name === undefined)
      throw new GatewayError(
        'not_found',
        'There is no shard of this number.',
        'GET /metrics/targets lists those that there are.',
      )
    const shard = METRICS_SHARD.get(METRICS_SHARD.idFromName(name))
    // Its minutes are for the hub.
    const { totals, exemplars } = await counted(shard.report(Number.MAX_SAFE_INTEGER))
    return exposition(c, totals, exemplars)
  })

const hubOf = ({ env: { env } }: Context<AppEnv>) => env.METRICS_HUB.get(env.METRICS_HUB.idFromName(HUB_NAME))

function exposition(c: Context<AppEnv>, totals: MetricsSnapshot, exemplars: Exemplars): Response {
  const isOpen = c.req.header('accept')?.includes('application/openmetrics-text') === true
  c.header('cache-control', 'no-store')
  c.header('vary', 'accept')
  if (!isOpen) return c.body(renderText(totals), 200, { 'content-type': TEXT_TYPE })
  return c.body(renderOpenMetrics(totals, exemplars), 200, { 'content-type': OPENMETRICS_TYPE })
}

/** Nothing is shown rather than less than there was: a counter that falls reads as one that began anew. */
async function counted<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new GatewayError(
      'store_unavailable',
      'The metrics could not be read.',
      'Try again; what is counted meanwhile is not lost.',
      { cause, retryAfterSeconds: 5 },
    )
  }
}
