import { type Context, Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { OPERATOR } from '../../../src/tenants/audit.ts'
import { isUuid, readKeyCreation, readKeyRotation } from '../../../src/tenants/key-requests.ts'
import { scopesOf } from '../../../src/tenants/scopes.ts'
import type { StoredKey } from '../../../src/tenants/supabase-directory.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { rotateKey } from '../key-changes.ts'
import { audited } from '../middleware/audit.ts'
import { operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'
import { tenantForKey } from '../tenant-changes.ts'

/** The longest that a copy of a key's record is believed anywhere, while the stores are up. */
const REVOKED_WITHIN_SECONDS = 90

/** /api/admin/keys: make, list, rotate and revoke virtual keys. For the operator only. */
export const admin = new Hono<AppEnv>()
  .use(operatorOnly)
  .post('/keys', async (c) => {
    const { services } = c.env
    const request = readKeyCreation(await readSmallJson(c.req.raw), services.clock.now())
    const tenant = await tenantForKey(c, request.tenant, request.plan)
    const { expiresAt: expires_at, scopes } = request
    const id = crypto.randomUUID()
    const entry = { action: 'key.create', tenantId: tenant.id, target: id, after: { expires_at, scopes } }
    const created = await audited(c, OPERATOR, entry, () =>
      stored(services.directory.issue(tenant, { id, expires_at, scopes })),
    )
    return c.json(created, 201)
  })
  .get('/keys', async (c) =>
    c.json({ data: await stored(c.env.services.directory.list(c.req.query('tenant'))) }),
  )
  .post('/keys/:id/rotate', async (c) => {
    const { overlapHours } = readKeyRotation(await readSmallJson(c.req.raw))
    return c.json(await rotateKey(c, await keyOf(c), overlapHours), 201)
  })
  .delete('/keys/:id', async (c) => {
    const { directory, keyRecords, revokeInAccount } = c.env.services
    const { id, tenant_id: tenantId, expires_at, revoked_at, scopes } = await keyOf(c)
    const before = { expires_at, revoked_at, scopes: scopesOf(scopes) ?? 'all' }
    const entry = { action: 'key.revoke', tenantId, target: id, before }
    const revoked = await audited(c, OPERATOR, entry, async () => {
      const revoked = await stored(directory.revoke(id))
      if (!revoked) throw noSuchKey()
      // Revoking again repeats both, so a failure here is mended by the same command.
      await stored(revokeInAccount(revoked.tenantId, id))
      await keyRecords.remove(revoked.digest).catch(() => {})
      return revoked
    })
    return c.json({ id, revoked_at: revoked.revokedAt, effective_within_seconds: REVOKED_WITHIN_SECONDS })
  })

async function keyOf(c: Context<AppEnv>): Promise<StoredKey> {
  const id = c.req.param('id') ?? ''
  const key = isUuid(id) ? await stored(c.env.services.directory.key(id.toLowerCase())) : undefined
  if (key) return key
  throw noSuchKey()
}

const noSuchKey = () =>
  new GatewayError('not_found', 'There is no key with this id.', 'List the keys with GET /api/admin/keys.')
