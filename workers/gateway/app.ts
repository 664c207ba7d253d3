import { Hono } from 'hono'
import { ERRORS, GatewayError, toGatewayError } from '../../src/core/errors.ts'
import { type AppEnv, RequestScope, type ServicesOf } from './context.ts'
import { withCors } from './cors.ts'
import type { Env } from './env.ts'
import { admin } from './routes/admin.ts'
import { alerts } from './routes/alerts.ts'
import { audit } from './routes/audit.ts'
import { budgets } from './routes/budgets.ts'
import { cache } from './routes/cache.ts'
import { chat } from './routes/chat.ts'
import { costs } from './routes/costs.ts'
import { customModels } from './routes/custom-models.ts'
import { deadLetters } from './routes/dead-letters.ts'
import { feedback } from './routes/feedback.ts'
import { health } from './routes/health.ts'
import { home } from './routes/home.ts'
import { keyRotation } from './routes/key-rotation.ts'
import { limits } from './routes/limits.ts'
import { metrics } from './routes/metrics.ts'
import { modelAliases } from './routes/model-aliases.ts'
import { modelOverview } from './routes/model-overview.ts'
import { models } from './routes/models.ts'
import { monitoring } from './routes/monitoring.ts'
import { monitoringPage } from './routes/monitoring-page.ts'
import { privacy } from './routes/privacy.ts'
import { providerKeys } from './routes/provider-keys.ts'
import { requests, requestsOfPage } from './routes/requests.ts'
import { switches } from './routes/switches.ts'
import { telemetry } from './routes/telemetry.ts'
import { tenants } from './routes/tenants.ts'

const app = new Hono<AppEnv>()
  .route('/v1/chat/completions', chat)
  .route('/v1/models', models)
  .route('/healthz', health.alive)
  .route('/readyz', health.ready)
  .route('/api/admin/rotate-keys', keyRotation)
  .route('/api/admin/dead-letters', deadLetters)
  .route('/api/admin/tenants', privacy)
  .route('/api/admin/tenants', tenants)
  .route('/api/admin/alerts', alerts)
  .route('/api/admin/switches', switches)
  .route('/api/admin/audit', audit)
  .route('/api/admin', admin)
  .route('/api/models/custom/monitoring', monitoring)
  .route('/api/models/custom', customModels)
  .route('/api/models/aliases', modelAliases)
  .route('/api/models/provider-keys', providerKeys)
  .route('/api/models', modelOverview)
  .route('/api/feedback', feedback)
  .route('/api/telemetry', telemetry)
  .route('/metrics', metrics)
  .route('/monitoring/requests', requestsOfPage)
  .route('/monitoring', monitoringPage)
  .route('/api/budgets', budgets)
  .route('/api/cache', cache)
  .route('/api/costs', costs)
  .route('/api/limits', limits)
  .route('/api/requests', requests)
  .route('/', home)

/** Every method and path that is answered. */
export const ROUTES: readonly { readonly method: string; readonly path: string }[] = app.routes

app.notFound(() => {
  throw new GatewayError(
    'not_found',
    'There is nothing at this address.',
    'Routes: POST /v1/chat/completions, GET /v1/models, GET /v1/models/{id}, GET /api/models, GET /api/models/{id}, /api/models/custom, /api/models/aliases, /api/models/provider-keys, /api/feedback, /api/budgets, DELETE /api/cache/entries, POST /api/cache/purge, GET /api/cache/stats, /api/costs, /api/limits, /api/admin/switches, GET /api/requests, GET /api/requests/{id}, POST /api/telemetry, GET /metrics, GET /healthz, GET /readyz, GET /monitoring, GET /.',
  )
})

app.onError((thrown, c) => {
  const error = toGatewayError(thrown)
  const { requestId, predictionId, limitHeaders } = c.env
  if (ERRORS[error.code].fault === 'gateway') {
    // The cause's text may hold values, so the log gets its kind only.
    const cause = error.cause instanceof Error ? error.cause.name : undefined
    console.error(JSON.stringify({ level: 'error', request_id: requestId, code: error.code, cause }))
  }
  const headers: Record<string, string> = { ...limitHeaders, 'x-request-id': requestId }
  if (predictionId !== undefined) headers['x-beast-prediction'] = predictionId
  if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(error.retryAfterSeconds)
  if (error.retryAfterMs !== undefined) headers['retry-after-ms'] = String(Math.ceil(error.retryAfterMs))
  if (!error.mayRetry) headers['x-should-retry'] = 'false'
  if (error.status === 401) headers['www-authenticate'] = 'Bearer'
  return c.json(error.toBody(requestId), error.status as 500, headers)
})

/**
 * The whole HTTP surface.
 * @param servicesOf the isolate's services; may throw `misconfigured`
 */
export function createFetch(servicesOf: ServicesOf) {
  return (request: Request, env: Env, ctx: ExecutionContext): Response | Promise<Response> => {
    const scope = new RequestScope(env, request, servicesOf)
    if (!request.headers.has('origin')) return app.fetch(request, scope, ctx)
    return withCors(request, scope, () => app.fetch(request, scope, ctx))
  }
}
