import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { describeProviderKey } from '../../../src/models/describe.ts'
import { setProviderKey } from '../../../src/models/own-keys.ts'
import type { ModelStore, ProviderKey } from '../../../src/models/registry.ts'
import { readProviderKey } from '../../../src/models/requests.ts'
import { beforeOf, factsOf } from '../../../src/tenants/audit.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { actorOf } from '../middleware/actor.ts'
import { audited } from '../middleware/audit.ts'
import { stored } from '../stored.ts'

/** /api/models/provider-keys: a tenant's own keys for providers. They go in and never come out. */
export const providerKeys = new Hono<AppEnv>()
  .get('/', async (c) => {
    const { tenantId } = await actorOf(c, 'models')
    const registry = await stored(c.env.services.models.store.load(tenantId))
    return c.json({ data: registry.providerKeys.map(describeProviderKey) })
  })
  .put('/:provider', async (c) => {
    const { tenantId, by } = await actorOf(c, 'models')
    const provider = c.req.param('provider')
    const request = readProviderKey(provider, await readSmallJson(c.req.raw))
    const { models, registry } = c.env.services
    const seen = await seenKey(models.store, tenantId, provider)
    const before = seen && beforeOf(request, { ...describeProviderKey(seen), api_key: 'set' })
    const after = factsOf(request)
    const entry = { action: 'provider_key.set', tenantId, target: provider, after, ...(before && { before }) }
    const key = await audited(c, by, entry, () => stored(setProviderKey(models, tenantId, provider, request)))
    registry.expire(tenantId)
    return c.json(describeProviderKey(key))
  })
  .delete('/:provider', async (c) => {
    const { tenantId, by } = await actorOf(c, 'models')
    const provider = c.req.param('provider')
    const { models, registry } = c.env.services
    const seen = await seenKey(models.store, tenantId, provider)
    if (!seen) throw noSuchKey()
    const before = factsOf({ base_url: seen.baseUrl, wire_format: seen.format, api_key: 'set' })
    await audited(c, by, { action: 'provider_key.delete', tenantId, target: provider, before }, async () => {
      if (!(await stored(models.store.removeProviderKey(tenantId, provider)))) throw noSuchKey()
    })
    registry.expire(tenantId)
    return c.json({ provider, deleted: true })
  })

const seenKey = async (
  store: ModelStore,
  tenantId: string,
  provider: string,
): Promise<ProviderKey | undefined> =>
  (await stored(store.load(tenantId))).providerKeys.find((key) => key.provider === provider)

const noSuchKey = () =>
  new GatewayError(
    'not_found',
    'There is no key of yours for this provider.',
    'List them with GET /api/models/provider-keys.',
  )
