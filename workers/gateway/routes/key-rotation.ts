import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { isObject } from '../../../src/core/json.ts'
import { rotateBatch } from '../../../src/models/key-rotation.ts'
import { OPERATOR } from '../../../src/tenants/audit.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { audited } from '../middleware/audit.ts'
import { operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'

/** A row is a call to the database, of which Cloudflare's free plan allows 50 a request. */
const BATCH = 40

/** POST /api/admin/rotate-keys: wraps a batch of stored provider keys under the newest KEK. For the operator only. */
export const keyRotation = new Hono<AppEnv>().use(operatorOnly).post('/', async (c) => {
  const body = await readSmallJson(c.req.raw)
  const cursor = isObject(body) ? (body.cursor ?? undefined) : undefined
  const { sealedKeys, models } = c.env.services
  const batch =
    cursor === undefined || typeof cursor === 'string'
      ? await audited(c, OPERATOR, { action: 'provider_key.rotate' }, () =>
          stored(rotateBatch(sealedKeys, models.keys, cursor, BATCH)),
        )
      : undefined
  if (!batch)
    throw new GatewayError(
      'invalid_request',
      'The field "cursor" is not one that this route gave.',
      'Leave it out to begin anew; what is done already is passed over.',
      { param: 'cursor' },
    )
  return c.json(batch)
})
