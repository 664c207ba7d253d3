import type { RequestScope } from './context.ts'
import { listOf } from './env.ts'

const ANSWER_HEADERS =
  'age, cache-status, idempotency-replayed, retry-after, retry-after-ms, x-beast-limits, x-beast-prediction, ' +
  'x-ratelimit-limit-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-requests, ' +
  'x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, x-ratelimit-reset-tokens, x-request-id'
const REQUEST_HEADERS =
  'authorization, content-type, cache-control, idempotency-key, x-beast-cache, x-beast-tags, x-request-id'
const MAX_AGE_SECONDS = '600'

/**
 * Lets the pages of listed origins call /v1 and send ratings: by exact match, without credentials, none by default.
 * The administration is never opened to a page.
 * @param answer what answers the request itself
 */
export async function withCors(
  request: Request,
  scope: RequestScope,
  answer: () => Response | Promise<Response>,
): Promise<Response> {
  if (!isForPages(new URL(request.url).pathname)) return answer()
  const origin = request.headers.get('origin') ?? ''
  const allowed = listOf(scope.env.CORS_ORIGINS).includes(origin)
  if (request.method === 'OPTIONS') return preflight(origin, allowed)
  const answered = await answer()
  const headers = new Headers(answered.headers)
  headers.append('vary', 'origin')
  if (allowed) {
    headers.set('access-control-allow-origin', origin)
    headers.set('access-control-expose-headers', ANSWER_HEADERS)
  }
  return new Response(answered.body, { status: answered.status, headers })
}

const isForPages = (path: string): boolean => path.startsWith('/v1/') || path === '/api/feedback'

function preflight(origin: string, allowed: boolean): Response {
  const headers = new Headers({ vary: 'origin' })
  if (allowed) {
    headers.set('access-control-allow-origin', origin)
    headers.set('access-control-allow-methods', 'GET, POST')
    headers.set('access-control-allow-headers', REQUEST_HEADERS)
    headers.set('access-control-max-age', MAX_AGE_SECONDS)
  }
  return new Response(null, { status: 204, headers })
}
