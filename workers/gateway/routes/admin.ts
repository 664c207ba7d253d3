import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { isObject, parseJson } from '../../../src/core/json.ts'
import { PLANS, type Plan, TENANT_NAME } from '../../../src/tenants/tenant.ts'
import { readBody } from '../body.ts'
import type { AppEnv } from '../context.ts'
import { operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'

const MAX_BODY_BYTES = 10_000
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const DAY_MS = 24 * 60 * 60_000
/** The longest that a copy of a key's record is believed anywhere, while the stores are up. */
const REVOKED_WITHIN_SECONDS = 90

/** /api/admin/keys: make, list and revoke virtual keys. For the operator only. */
export const admin = new Hono<AppEnv>()
  .use(operatorOnly)
  .post('/keys', async (c) => {
    const { tenant, plan, expiresInDays } = parseCreation(
      parseJson(await readBody(c.req.raw, MAX_BODY_BYTES)),
    )
    const { services } = c.env
    const expiresAtMs = expiresInDays === undefined ? null : services.clock.now() + expiresInDays * DAY_MS
    return c.json(await stored(services.directory.create(tenant, plan, expiresAtMs)), 201)
  })
  .get('/keys', async (c) =>
    c.json({ data: await stored(c.env.services.directory.list(c.req.query('tenant'))) }),
  )
  .delete('/keys/:id', async (c) => {
    const { directory, keyRecords, revokeInAccount } = c.env.services
    const id = c.req.param('id').toLowerCase()
    const revoked = UUID.test(id) ? await stored(directory.revoke(id)) : undefined
    if (!revoked)
      throw new GatewayError(
        'not_found',
        'There is no key with this id.',
        'List the keys with GET /api/admin/keys.',
      )
    // Revoking again repeats both, so a failure here is mended by the same command.
    await stored(revokeInAccount(revoked.tenantId, id))
    await keyRecords.remove(revoked.digest).catch(() => {})
    return c.json({ id, revoked_at: revoked.revokedAt, effective_within_seconds: REVOKED_WITHIN_SECONDS })
  })

function parseCreation(body: unknown): {
  tenant: string
  plan: Plan | undefined
  expiresInDays: number | undefined
} {
  const { tenant, plan, expires_in_days: days } = isObject(body) ? body : {}
  if (typeof tenant !== 'string' || !TENANT_NAME.test(tenant)) {
    throw invalid(
      'tenant',
      'The field "tenant" is not a valid name.',
      'Use 1 to 63 small letters, digits, "-" or "_".',
    )
  }
  if (plan !== undefined && !PLANS.includes(plan as Plan)) {
    throw invalid('plan', 'The field "plan" is not a plan.', `Use one of ${PLANS.join(', ')}.`)
  }
  if (days !== undefined && !(typeof days === 'number' && days > 0 && days <= 3_650)) {
    throw invalid(
      'expires_in_days',
      'The field "expires_in_days" is out of range.',
      'Use a number above 0, at most 3650.',
    )
  }
  return { tenant, plan: plan as Plan | undefined, expiresInDays: days as number | undefined }
}

const invalid = (param: string, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tip, { param })
