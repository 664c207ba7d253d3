import { Hono } from 'hono'
import { readAuditQuery } from '../../../src/tenants/audit.ts'
import type { AppEnv } from '../context.ts'
import { operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'

/** GET /api/admin/audit: who changed what, the newest first. For the operator only. */
export const audit = new Hono<AppEnv>().use(operatorOnly).get('/', async (c) => {
  const query = readAuditQuery(c.req.queries())
  const data = await stored(c.env.services.audit.list(query))
  const next_cursor = data.length < query.limit ? null : (data.at(-1)?.id ?? null)
  return c.json({ data, next_cursor }, 200, { 'cache-control': 'no-store' })
})
