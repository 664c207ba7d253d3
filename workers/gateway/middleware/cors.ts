import { createMiddleware } from 'hono/factory'
import type { AppEnv } from '../context.ts'

const ANSWER_HEADERS = 'age, cache-status, retry-after, x-request-id'
const MAX_AGE_SECONDS = '600'

/** Lets the pages of listed origins call, by exact match and without credentials. None by default. */
export const cors = createMiddleware<AppEnv>(async (c, next) => {
  const origin = c.req.header('origin')
  if (origin === undefined) return next()
  const allowed = c.var.services.corsOrigins.includes(origin)
  if (c.req.method === 'OPTIONS') {
    const headers: Record<string, string> = { vary: 'origin' }
    if (allowed) {
      headers['access-control-allow-origin'] = origin
      headers['access-control-allow-methods'] = 'GET, POST'
      headers['access-control-allow-headers'] =
        'authorization, content-type, cache-control, x-beast-cache, x-request-id'
      headers['access-control-max-age'] = MAX_AGE_SECONDS
    }
    return c.body(null, 204, headers)
  }
  await next()
  c.header('vary', 'origin')
  if (!allowed) return
  c.header('access-control-allow-origin', origin)
  c.header('access-control-expose-headers', ANSWER_HEADERS)
})
