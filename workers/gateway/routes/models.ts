import { type Context, Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import type { Model } from '../../../src/models/model.ts'
import { standing } from '../../../src/selection/standing.ts'
import { wantedModels } from '../../../src/selection/wanted.ts'
import type { Scope } from '../../../src/tenants/scopes.ts'
import type { Tenant } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { callerOf } from '../middleware/caller.ts'

/** GET /v1/models and /v1/models/{id}: the models that the caller may use, in OpenAI's form. */
export const models = new Hono<AppEnv>()
  .get('/', async (c) => {
    const { tenant, models } = await modelsOf(c, 'inference')
    const usable = models.filter((model) => mayUse(model, tenant))
    // A model of the tenant's own key and of the operator's have one name.
    const byId = new Map(usable.map((model) => [model.route.id, toModel(model, tenant)]))
    return c.json({ object: 'list', data: [...byId.values()] })
  })
  // Names of models hold colons and slashes.
  .get('/:id{.+}', async (c) => {
    const { tenant, models } = await modelsOf(c, 'inference')
    const id = c.req.param('id')
    if (id === 'auto')
      throw noSuchModel('"auto" is no model but a choice among them.', 'Call GET /v1/models for the names.')
    const found = wantedModels(id, models, tenant.id).models
    const usable = found.find((model) => mayUse(model, tenant))
    if (usable) return c.json(toModel(usable, tenant))
    throw found.some((model) => model.isActive) ? planRequired(tenant) : noSuchModel()
  })

/** Every model that may matter to the caller. @throws GatewayError when who calls cannot be said */
export async function modelsOf(
  c: Context<AppEnv>,
  scope: Scope,
): Promise<{ tenant: Tenant; models: readonly Model[] }> {
  const { tenant } = await callerOf(c, scope)
  const { models } = await c.env.services.catalogue.of(tenant.id, (promise) =>
    c.executionCtx.waitUntil(promise),
  )
  return { tenant, models }
}

const mayUse = (model: Model, tenant: Tenant): boolean =>
  model.isActive && standing(model, tenant.id, tenant.plan).excluded === undefined

const toModel = ({ route, kind, ownerId }: Model, tenant: Tenant) => ({
  id: route.id,
  object: 'model',
  created: 0,
  owned_by: kind === 'provider' ? route.provider.name : ownerId === tenant.id ? tenant.name : 'public',
})

export const noSuchModel = (
  message = 'There is no model of this name.',
  tip = 'Call GET /v1/models for the names you may use.',
) => new GatewayError('model_not_found', message, tip, { param: 'model' })

export const planRequired = ({ plan }: Tenant) =>
  new GatewayError(
    'plan_required',
    `This model is not part of the plan "${plan}".`,
    'Choose a model from GET /v1/models, or ask whoever runs this gateway for the paid plan.',
    { param: 'model' },
  )
