import { type Context, Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { beforeOf, OPERATOR } from '../../../src/tenants/audit.ts'
import { TENANT_NAME } from '../../../src/tenants/tenant.ts'
import { readTenant, readTenantChange, type TenantListing } from '../../../src/tenants/tenant-settings.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { audited } from '../middleware/audit.ts'
import { operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'
import { changeTenant, createTenant } from '../tenant-changes.ts'

const MAX_PAGE = 500
/** As long as an isolate may go on with what it knew of a tenant, while the stores are up. */
const EFFECTIVE_WITHIN_SECONDS = 90

/** /api/admin/tenants: who there is, and what each may and keeps. For the operator only. */
export const tenants = new Hono<AppEnv>()
  .use(operatorOnly)
  .get('/', async (c) => {
    const { after, limit } = parsePage(c.req.query())
    const data = await stored(c.env.services.tenants.list(after, limit))
    const next_cursor = data.length < limit ? null : (data.at(-1)?.name ?? null)
    return c.json({ data, next_cursor })
  })
  .post('/', async (c) => {
    const { name, settings } = readTenant(await readSmallJson(c.req.raw))
    return c.json(await createTenant(c, name, settings), 201)
  })
  .get('/:tenant', async (c) => c.json(await tenantOf(c)))
  .patch('/:tenant', async (c) => {
    const body = await readSmallJson(c.req.raw)
    const seen = await tenantOf(c)
    const { purge, settings } = readTenantChange(body, seen)
    const change = { ...settings, ...(purge && { epoch: seen.epoch + 1 }) }
    const isPurgeOnly = purge && Object.keys(settings).length === 0
    const entry = {
      action: isPurgeOnly ? 'tenant.purge' : 'tenant.update',
      tenantId: seen.id,
      before: beforeOf(change, { ...seen }),
      after: change,
    }
    const tenant = await audited(c, OPERATOR, entry, () => changeTenant(c, seen, change))
    return c.json({ ...tenant, effective_within_seconds: EFFECTIVE_WITHIN_SECONDS })
  })

async function tenantOf(c: Context<AppEnv>): Promise<TenantListing> {
  const name = c.req.param('tenant') ?? ''
  const tenant = TENANT_NAME.test(name) ? await stored(c.env.services.tenants.find(name)) : undefined
  if (tenant) return tenant
  throw new GatewayError(
    'not_found',
    'There is no tenant of this name.',
    'List the tenants with GET /api/admin/tenants.',
    { param: 'tenant' },
  )
}

function parsePage({ cursor, limit, ...others }: Record<string, string>): {
  after: string | undefined
  limit: number
} {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw invalid(unknown.slice(0, 100), 'There is no such parameter here.', 'Use "limit" and "cursor".')
  if (cursor !== undefined && !TENANT_NAME.test(cursor))
    throw invalid(
      'cursor',
      'The parameter "cursor" is not one that was given.',
      'Use the "next_cursor" of the page before.',
    )
  const count = limit === undefined ? 100 : Number(limit || Number.NaN)
  if (Number.isInteger(count) && count >= 1 && count <= MAX_PAGE) return { after: cursor, limit: count }
  throw invalid(
    'limit',
    'The parameter "limit" is out of range.',
    `Use a whole number from 1 to ${MAX_PAGE}.`,
  )
}

const invalid = (param: string, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tip, { param })
