import { type Context, Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { type ComparedModel, compareModel, OBSERVED_BY, SORTS, sorted } from '../../../src/models/compare.ts'
import type { Model } from '../../../src/models/model.ts'
import { targetsOf } from '../../../src/routing/balance.ts'
import { standing } from '../../../src/selection/standing.ts'
import { AUTO, wantedModels } from '../../../src/selection/wanted.ts'
import type { Tenant } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { modelsOf, noSuchModel, planRequired } from './models.ts'

/** GET /api/models and /api/models/{id}: how the models that the caller may use compare, as far as is known here. */
export const modelOverview = new Hono<AppEnv>()
  .get('/', async (c) => {
    const { tenant, models } = await modelsOf(c, 'models')
    const by = sortOf(c.req.query('sort'))
    const compared = models
      .filter((model) => mayUse(model, tenant))
      .map((model) => comparedOf(c, model, tenant))
    return c.json({ ...OBSERVED_BY, data: by ? sorted(compared, by) : compared })
  })
  // Names of models hold colons and slashes.
  .get('/:id{.+}', async (c) => {
    const { tenant, models } = await modelsOf(c, 'models')
    const id = c.req.param('id')
    const found = id === AUTO ? [] : wantedModels(id, models, tenant.id).models
    const [first] = found
      .filter((model) => mayUse(model, tenant))
      .toSorted((a, b) => rankOf(a, tenant) - rankOf(b, tenant))
    if (first) return c.json({ ...OBSERVED_BY, ...comparedOf(c, first, tenant) })
    throw found.some(({ isActive }) => isActive) ? planRequired(tenant) : noSuchModel()
  })

function comparedOf(c: Context<AppEnv>, model: Model, tenant: Tenant): ComparedModel {
  const { chat, modelStats, clock } = c.env.services
  const { route } = model
  const nowMs = clock.now()
  const available = targetsOf(route).some((target) => chat.health.available(target, nowMs))
  const endpoints = route.provider.endpoints.map(({ id }) => id)
  return compareModel(model, tenant.id, available, modelStats.of(tenant.id, route.id, endpoints))
}

const rankOf = (model: Model, { id, plan }: Tenant): number => standing(model, id, plan).rank

const mayUse = (model: Model, { id, plan }: Tenant): boolean =>
  standing(model, id, plan).excluded === undefined

/** @throws GatewayError `invalid_request` */
function sortOf(text: string | undefined) {
  const by = SORTS.find((sort) => sort === text)
  if (text === undefined || by) return by
  throw new GatewayError(
    'invalid_request',
    'Models cannot be sorted by this.',
    `Use one of ?sort=${SORTS.join(', ')}, or leave it out.`,
    { param: 'sort' },
  )
}
