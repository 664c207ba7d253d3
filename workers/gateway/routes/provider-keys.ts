import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { describeProviderKey } from '../../../src/models/describe.ts'
import { setProviderKey } from '../../../src/models/own-keys.ts'
import { readProviderKey } from '../../../src/models/requests.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { actorOf } from '../middleware/actor.ts'
import { stored } from '../stored.ts'

/** /api/models/provider-keys: a tenant's own keys for providers. They go in and never come out. */
export const providerKeys = new Hono<AppEnv>()
  .get('/', async (c) => {
    const { tenantId } = await actorOf(c)
    const registry = await stored(c.env.services.models.store.load(tenantId))
    return c.json({ data: registry.providerKeys.map(describeProviderKey) })
  })
  .put('/:provider', async (c) => {
    const { tenantId } = await actorOf(c)
    const provider = c.req.param('provider')
    const request = readProviderKey(provider, await readSmallJson(c.req.raw))
    const { models, registry } = c.env.services
    const key = await stored(setProviderKey(models, tenantId, provider, request))
    registry.expire(tenantId)
    return c.json(describeProviderKey(key))
  })
  .delete('/:provider', async (c) => {
    const { tenantId } = await actorOf(c)
    const provider = c.req.param('provider')
    const { models, registry } = c.env.services
    if (!(await stored(models.store.removeProviderKey(tenantId, provider))))
      throw new GatewayError(
        'not_found',
        'There is no key of yours for this provider.',
        'List them with GET /api/models/provider-keys.',
      )
    registry.expire(tenantId)
    return c.json({ provider, deleted: true })
  })
