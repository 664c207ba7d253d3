import { type Context, Hono } from 'hono'
import { USAGE_DAYS } from '../../../src/metrics/custom-usage.ts'
import { HUB_NAME } from '../../../src/metrics/shard-name.ts'
import { coverageOf, totalsBy } from '../../../src/metrics/totals.ts'
import { compareModel, OBSERVED_BY } from '../../../src/models/compare.ts'
import { SYSTEM_TENANT_ID } from '../../../src/models/registry.ts'
import { targetsOf } from '../../../src/routing/balance.ts'
import type { AppEnv } from '../context.ts'
import { actorOf } from '../middleware/actor.ts'
import { bearer } from '../middleware/bearer.ts'
import { isOperator } from '../middleware/operator.ts'
import { stored } from '../stored.ts'

/**
 * GET /api/models/custom/monitoring: how custom models do, what they cost and what is saved. A tenant's own by its key;
 * with the operator's token those of `?tenant=NAME`, or else of all, and how much of everything was counted.
 */
export const monitoring = new Hono<AppEnv>().get('/', async (c) => {
  c.header('cache-control', 'no-store')
  if (
    c.req.query('tenant') === undefined &&
    (await isOperator(bearer(c.req.raw.headers), c.env.env.OPERATOR_TOKEN))
  )
    return c.json(await ofAll(c))
  const { tenantId } = await actorOf(c, 'models')
  return c.json(await ofTenant(c, tenantId))
})

async function ofTenant(c: Context<AppEnv>, tenantId: string) {
  const { customUsage } = c.env.services
  const [used, models, health] = await Promise.all([
    stored(customUsage.tenant(tenantId)),
    stored(customUsage.models(tenantId)),
    healthOf(c, tenantId),
  ])
  const { requests, errors, hit_rate, cost_usd, saved_usd } = used
  return {
    scope: 'tenant',
    days: USAGE_DAYS,
    errors: { requests, errors, error_rate: requests > 0 ? errors / requests : 0 },
    savings: { cost_usd, saved_usd, hit_rate },
    usage: models.map(({ tenant_id: _, ...usage }) => usage),
    health,
  }
}

async function ofAll(c: Context<AppEnv>) {
  const { METRICS_HUB } = c.env.env
  const hub = METRICS_HUB.get(METRICS_HUB.idFromName(HUB_NAME))
  const [{ totals, away, isolates }, usage, health] = await Promise.all([
    stored(Promise.resolve(hub.snapshot())),
    stored(c.env.services.customUsage.models(undefined)),
    healthOf(c, SYSTEM_TENANT_ID),
  ])
  const { counters } = totals
  return {
    scope: 'all',
    days: USAGE_DAYS,
    coverage: { ...coverageOf(counters), isolates, shards_away: away },
    errors: {
      by_outcome: totalsBy(counters, 'requests_total', 'outcome'),
      by_code: totalsBy(counters, 'request_errors_total', 'type'),
    },
    savings: {
      cost_usd: totalsBy(counters, 'cost_usd_total', 'type'),
      saved_usd: totalsBy(counters, 'cost_saved_usd_total', 'reason'),
      lookups: totalsBy(counters, 'cache_lookups_total', 'result'),
    },
    usage,
    health,
  }
}

/** Custom models that the tenant may use, as this isolate sees them. */
async function healthOf(c: Context<AppEnv>, tenantId: string) {
  const { catalogue, chat, modelStats, clock } = c.env.services
  const { models } = await catalogue.of(tenantId, (promise) => c.executionCtx.waitUntil(promise))
  const nowMs = clock.now()
  const custom = models.filter(
    ({ kind, ownerId, isPublic }) => kind === 'custom' && (ownerId === tenantId || isPublic),
  )
  return {
    ...OBSERVED_BY,
    models: custom.map((model) => {
      const { route } = model
      const available = targetsOf(route).some((target) => chat.health.available(target, nowMs))
      const endpoints = route.provider.endpoints.map(({ id }) => id)
      const { id, source, is_active, observed, ...rest } = compareModel(
        model,
        tenantId,
        available,
        modelStats.of(tenantId, route.id, endpoints),
      )
      return { id, source, is_active, available: rest.available, observed }
    }),
  }
}
