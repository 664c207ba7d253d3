import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { describeAlias } from '../../../src/models/describe.ts'
import { MAX_ALIASES } from '../../../src/models/registry.ts'
import { readAlias } from '../../../src/models/requests.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { actorOf } from '../middleware/actor.ts'
import { stored } from '../stored.ts'

/** /api/models/aliases: a tenant's own names for sets of models. */
export const modelAliases = new Hono<AppEnv>()
  .get('/', async (c) => {
    const { tenantId } = await actorOf(c)
    const { aliases } = await stored(c.env.services.models.store.load(tenantId))
    return c.json({ data: aliases.map(describeAlias) })
  })
  .put('/:name', async (c) => {
    const { tenantId } = await actorOf(c)
    const name = c.req.param('name')
    const request = readAlias(name, await readSmallJson(c.req.raw))
    const { models, registry } = c.env.services
    const { aliases } = await stored(models.store.load(tenantId))
    if (aliases.length >= MAX_ALIASES && !aliases.some((alias) => alias.name === name))
      throw new GatewayError(
        'conflict',
        `There are ${MAX_ALIASES} aliases already.`,
        'Delete one that is not used.',
      )
    const alias = await stored(models.store.putAlias({ tenantId, name, ...request }))
    registry.expire(tenantId)
    return c.json(describeAlias(alias))
  })
  .delete('/:name', async (c) => {
    const { tenantId } = await actorOf(c)
    const name = c.req.param('name')
    const { models, registry } = c.env.services
    if (!(await stored(models.store.removeAlias(tenantId, name))))
      throw new GatewayError(
        'not_found',
        'There is no alias of this name among yours.',
        'List them with GET /api/models/aliases.',
      )
    registry.expire(tenantId)
    return c.json({ name, deleted: true })
  })
