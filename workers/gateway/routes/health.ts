import { Hono } from 'hono'
import type { AppEnv } from '../context.ts'
import { bearer } from '../middleware/bearer.ts'
import { isOperator } from '../middleware/operator.ts'

/** GET /healthz: this isolate is alive. Asks nothing of anyone. */
const alive = new Hono<AppEnv>().get('/', (c) => c.json({ status: 'ok' }))

/** GET /readyz: whether requests can be answered; the stores' states are for the operator. */
const ready = new Hono<AppEnv>().get('/', async (c) => {
  const { readiness, counts, chat, telemetry } = c.env.services
  const report = await readiness.report()
  const status = report.ready ? 200 : 503
  c.header('cache-control', 'no-store')
  if (!report.ready) c.header('retry-after', '5')
  if (!(await isOperator(bearer(c.req.raw.headers), c.env.env.OPERATOR_TOKEN)))
    return c.json({ ready: report.ready }, status)
  const checked_at = new Date(report.checkedAtMs).toISOString()
  const isolate = { requests: counts.snapshot(), tiers: chat.chain.states(), telemetry: telemetry.states() }
  return c.json({ ready: report.ready, stores: report.stores, checked_at, isolate }, status)
})

export const health = { alive, ready }
