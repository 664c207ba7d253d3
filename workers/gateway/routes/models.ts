import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import type { Route } from '../../../src/models/provider.ts'
import type { AppEnv } from '../context.ts'
import { callerOf } from '../middleware/caller.ts'

/** GET /v1/models and /v1/models/{id}: the models that the caller's plan may use, in OpenAI's form. */
export const models = new Hono<AppEnv>()
  .get('/', async (c) => {
    const caller = await callerOf(c)
    const routes = await c.env.services.catalogue.routes(caller.tenant.plan)
    return c.json({ object: 'list', data: routes.map(toModel) })
  })
  // Names of models hold colons and slashes.
  .get('/:id{.+}', async (c) => {
    const caller = await callerOf(c)
    const id = c.req.param('id')
    if (id === 'auto')
      throw new GatewayError(
        'model_not_found',
        '"auto" is no model but a choice among them.',
        'Call GET /v1/models for the names.',
      )
    return c.json(toModel(await c.env.services.catalogue.resolve(id, caller.tenant.plan)))
  })

const toModel = (route: Route) => ({
  id: route.id,
  object: 'model',
  created: 0,
  owned_by: route.provider.name,
})
