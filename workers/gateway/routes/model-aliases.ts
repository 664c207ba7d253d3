import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { describeAlias } from '../../../src/models/describe.ts'
import { MAX_ALIASES } from '../../../src/models/registry.ts'
import { readAlias } from '../../../src/models/requests.ts'
import { beforeOf } from '../../../src/tenants/audit.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { actorOf } from '../middleware/actor.ts'
import { audited } from '../middleware/audit.ts'
import { stored } from '../stored.ts'

/** /api/models/aliases: a tenant's own names for sets of models. */
export const modelAliases = new Hono<AppEnv>()
  .get('/', async (c) => {
    const { tenantId } = await actorOf(c, 'models')
    const { aliases } = await stored(c.env.services.models.store.load(tenantId))
    return c.json({ data: aliases.map(describeAlias) })
  })
  .put('/:name', async (c) => {
    const { tenantId, by } = await actorOf(c, 'models')
    const name = c.req.param('name')
    const request = readAlias(name, await readSmallJson(c.req.raw))
    const { models, registry } = c.env.services
    const { aliases } = await stored(models.store.load(tenantId))
    const seen = aliases.find((alias) => alias.name === name)
    if (aliases.length >= MAX_ALIASES && !seen)
      throw new GatewayError(
        'conflict',
        `There are ${MAX_ALIASES} aliases already.`,
        'Delete one that is not used.',
      )
    const before = seen && beforeOf(request, { ...seen })
    const entry = { action: 'alias.set', tenantId, target: name, after: request, ...(before && { before }) }
    const alias = await audited(c, by, entry, () =>
      stored(models.store.putAlias({ tenantId, name, ...request })),
    )
    registry.expire(tenantId)
    return c.json(describeAlias(alias))
  })
  .delete('/:name', async (c) => {
    const { tenantId, by } = await actorOf(c, 'models')
    const name = c.req.param('name')
    const { models, registry } = c.env.services
    const seen = (await stored(models.store.load(tenantId))).aliases.find((alias) => alias.name === name)
    if (!seen) throw noSuchAlias()
    const before = { kind: seen.kind, targets: seen.targets }
    await audited(c, by, { action: 'alias.delete', tenantId, target: name, before }, async () => {
      if (!(await stored(models.store.removeAlias(tenantId, name)))) throw noSuchAlias()
    })
    registry.expire(tenantId)
    return c.json({ name, deleted: true })
  })

const noSuchAlias = () =>
  new GatewayError(
    'not_found',
    'There is no alias of this name among yours.',
    'List them with GET /api/models/aliases.',
  )
