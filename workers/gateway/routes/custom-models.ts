import { Hono } from 'hono'
import { describeListed, describeOwn, describePublic } from '../../../src/models/describe.ts'
import { type Actor, changeModel, createModel, noSuchModel, testModel } from '../../../src/models/manage.ts'
import type { CustomModel } from '../../../src/models/registry.ts'
import type { RegistryCache } from '../../../src/models/registry-cache.ts'
import { type ChangeRequest, readChange, readCreation } from '../../../src/models/requests.ts'
import { SLUG } from '../../../src/models/rows.ts'
import { beforeOf, factsOf } from '../../../src/tenants/audit.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { actorOf } from '../middleware/actor.ts'
import { audited } from '../middleware/audit.ts'
import { stored } from '../stored.ts'

/**
 * /api/models/custom: a tenant's own models. Another tenant's model is as one that does not exist; of a public one
 * its abilities can be read. Keys go in and never come out.
 */
export const customModels = new Hono<AppEnv>()
  .get('/', async (c) => {
    const { tenantId } = await actorOf(c, 'models')
    const { models } = await stored(c.env.services.models.store.load(tenantId))
    return c.json({
      data: models.map((model) => (model.tenantId === tenantId ? describeOwn(model) : describePublic(model))),
    })
  })
  .post('/', async (c) => {
    const actor = await actorOf(c, 'models')
    const request = readCreation(await readSmallJson(c.req.raw))
    const { models, registry } = c.env.services
    const { model_id: target, ...after } = request
    const entry = { action: 'model.create', tenantId: actor.tenantId, target, after: factsOf(after) }
    const { model, discovered } = await audited(c, actor.by, entry, () =>
      stored(createModel(models, actor, request)),
    )
    expire(registry, actor)
    return c.json({ ...describeOwn(model), discovered: describeListed(discovered) }, 201)
  })
  .get('/:id', async (c) => {
    const { tenantId } = await actorOf(c, 'models')
    const { store } = c.env.services.models
    const modelId = modelIdOf(c.req.param('id'))
    const own = await stored(store.find(tenantId, modelId))
    if (own) return c.json(describeOwn(own))
    const shared = await stored(store.findPublic(modelId))
    if (!shared) throw noSuchModel()
    return c.json(describePublic(shared))
  })
  .patch('/:id', async (c) => {
    const actor = await actorOf(c, 'models')
    const modelId = modelIdOf(c.req.param('id'))
    const request = readChange(await readSmallJson(c.req.raw))
    const { models, registry } = c.env.services
    const seen = await stored(models.store.find(actor.tenantId, modelId))
    if (!seen) throw noSuchModel()
    const entry = {
      action: actionOf(request, seen),
      tenantId: actor.tenantId,
      target: modelId,
      before: beforeOf(request, { ...describeOwn(seen), api_key: seen.key ? 'set' : null }),
      after: factsOf(request),
    }
    const changed = await audited(c, actor.by, entry, () =>
      stored(changeModel(models, actor, modelId, request)),
    )
    expire(registry, actor)
    return c.json(describeOwn(changed))
  })
  .delete('/:id', async (c) => {
    const actor = await actorOf(c, 'models')
    const modelId = modelIdOf(c.req.param('id'))
    const { models, registry } = c.env.services
    const seen = await stored(models.store.find(actor.tenantId, modelId))
    if (!seen) throw noSuchModel()
    const { endpoint_url, provider, is_public } = describeOwn(seen)
    const before = factsOf({ endpoint_url, provider, is_public })
    const entry = { action: 'model.delete', tenantId: actor.tenantId, target: modelId, before }
    await audited(c, actor.by, entry, async () => {
      if (!(await stored(models.store.remove(actor.tenantId, modelId)))) throw noSuchModel()
    })
    expire(registry, actor)
    return c.json({ model_id: modelId, deleted: true })
  })
  .post('/:id/test', async (c) => {
    const actor = await actorOf(c, 'models')
    const { models } = c.env.services
    const { report, discovered } = await stored(testModel(models, actor, modelIdOf(c.req.param('id'))))
    return c.json({ ...report, discovered: describeListed(discovered) })
  })

const actionOf = ({ is_public }: ChangeRequest, seen: CustomModel): string => {
  if (is_public === undefined || is_public === seen.isPublic) return 'model.update'
  return is_public ? 'model.publish' : 'model.unpublish'
}

/** The operator's changes may be of public models. A tenant cannot make every other one's be read anew. */
const expire = (registry: RegistryCache, { tenantId, isOperator }: Actor): void =>
  isOperator ? registry.expireAll() : registry.expire(tenantId)

/** `custom:{id}`, as models are called, or the bare id. @throws GatewayError `not_found` */
function modelIdOf(text: string): string {
  const modelId = text.startsWith('custom:') ? text.slice('custom:'.length) : text
  if (!SLUG.test(modelId)) throw noSuchModel()
  return modelId
}
