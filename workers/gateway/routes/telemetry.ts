import { Hono } from 'hono'
import { parseJson } from '../../../src/core/json.ts'
import { readEvents } from '../../../src/metrics/telemetry-events.ts'
import { readBody } from '../body.ts'
import type { AppEnv } from '../context.ts'
import { callerOf } from '../middleware/caller.ts'

/** 500 events with the longest names. */
const MAX_BYTES = 256_000

/** POST /api/telemetry: what an application tells of its own work. Every valid key may, for its own tenant. */
export const telemetry = new Hono<AppEnv>().post('/', async (c) => {
  const { keyId, tenant } = await callerOf(c, 'telemetry')
  const events = readEvents(parseJson(await readBody(c.req.raw, MAX_BYTES)))
  const { metrics } = c.env.services
  metrics.reported(tenant.id, keyId, events, (promise) => c.executionCtx.waitUntil(promise))
  return c.json({ accepted: events.length }, 202)
})
