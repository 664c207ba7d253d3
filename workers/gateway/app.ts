import { Hono } from 'hono'
import { ERRORS, GatewayError, toGatewayError } from '../../src/core/errors.ts'
import { requestId } from '../../src/core/ids.ts'
import type { AppEnv } from './context.ts'
import type { Env } from './env.ts'
import { cors } from './middleware/cors.ts'
import { admin } from './routes/admin.ts'
import { chat } from './routes/chat.ts'
import { health } from './routes/health.ts'
import { home } from './routes/home.ts'
import { models } from './routes/models.ts'
import type { Administration, Services } from './services.ts'

/**
 * The whole HTTP surface.
 * @param servicesOf the isolate's services; may throw `misconfigured`
 */
export function createApp(servicesOf: (env: Env) => Services & Administration): Hono<AppEnv> {
  const app = new Hono<AppEnv>()

  app.onError((thrown, c) => {
    const error = toGatewayError(thrown)
    const id = c.get('requestId') ?? requestId(undefined, Date.now())
    // The cause's text may hold values, so the log gets its kind only.
    if (ERRORS[error.code].fault === 'gateway') {
      const { cause } = error
      console.error(
        JSON.stringify({
          level: 'error',
          request_id: id,
          code: error.code,
          cause: cause instanceof Error ? cause.name : undefined,
        }),
      )
    }
    const headers: Record<string, string> = { 'x-request-id': id }
    if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(error.retryAfterSeconds)
    if (error.status === 401) headers['www-authenticate'] = 'Bearer'
    return c.json(error.toBody(id), error.status as 500, headers)
  })

  app.use(async (c, next) => {
    c.set('requestId', requestId(c.req.header('x-request-id'), Date.now()))
    return next()
  })
  app.route('/healthz', health.alive)
  app.use(async (c, next) => {
    c.set('services', servicesOf(c.env))
    return next()
  })
  app.use('/v1/*', cors)
  app.route('/v1/chat/completions', chat)
  app.route('/v1/models', models)
  app.route('/readyz', health.ready)
  app.route('/api/admin', admin)
  app.route('/', home)

  app.notFound(() => {
    throw new GatewayError(
      'not_found',
      'There is nothing at this address.',
      'Routes: POST /v1/chat/completions, GET /v1/models, GET /v1/models/{id}, GET /healthz, GET /readyz, GET /.',
    )
  })
  return app
}
