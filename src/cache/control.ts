import { GatewayError } from '../core/errors.ts'
import type { CachePolicy } from '../tenants/tenant.ts'

/** What one request lets the cache do. */
export interface CacheControl {
  readonly read: boolean
  readonly store: boolean
  /** Answer from the cache or not at all. */
  readonly onlyIfCached: boolean
  /** Oldest answer taken, seconds. */
  readonly maxAgeSeconds: number | undefined
  /** Longest life of what is stored, milliseconds. */
  readonly ttlMs: number | undefined
}

const ANYTHING: CacheControl = {
  read: true,
  store: true,
  onlyIfCached: false,
  maxAgeSeconds: undefined,
  ttlMs: undefined,
}
const MAX_TTL_SECONDS = 24 * 60 * 60

export interface CacheHeaders {
  /** `Cache-Control` as RFC 9111 has it; directives that do not concern us are ignored. */
  readonly cacheControl: string | undefined
  /** `x-beast-cache`: what HTTP has no word for. `ttl=SECONDS` bounds the life of what is stored. */
  readonly beastCache: string | undefined
}

/**
 * The tenant's policy and the request's own wishes, as one answer.
 * @param deterministic whether the request asks for temperature 0
 * @throws GatewayError `invalid_header` for a switch that does not exist or a value out of range
 */
export function cacheControl(
  headers: CacheHeaders,
  policy: CachePolicy,
  deterministic: boolean,
): CacheControl {
  const allowed = policy === 'all' || (policy === 'deterministic' && deterministic)
  if (allowed && !headers.cacheControl && !headers.beastCache) return ANYTHING
  const asked = directives(headers.cacheControl ?? '')
  const never = !allowed || asked.has('no-store')
  const maxAge = asked.get('max-age')
  const maxAgeSeconds = maxAge === undefined ? undefined : seconds('Cache-Control: max-age', maxAge)
  return {
    // max-age=0 asks for a new answer, also where the stored one is of this very second.
    read: !never && !asked.has('no-cache') && maxAgeSeconds !== 0,
    store: !never,
    onlyIfCached: asked.has('only-if-cached'),
    maxAgeSeconds,
    ttlMs: switches(headers.beastCache ?? ''),
  }
}

function switches(header: string): number | undefined {
  let ttlMs: number | undefined
  for (const [name, value] of directives(header)) {
    if (name !== 'ttl') {
      throw new GatewayError(
        'invalid_header',
        'The header x-beast-cache has a switch that does not exist.',
        'Use x-beast-cache: ttl=SECONDS, or the standard Cache-Control header.',
        { param: 'x-beast-cache' },
      )
    }
    ttlMs = Math.min(seconds('x-beast-cache: ttl', value), MAX_TTL_SECONDS) * 1_000
  }
  return ttlMs
}

function directives(header: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of header.split(',')) {
    const [name = '', value = ''] = part.split('=', 2)
    if (name.trim()) found.set(name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1'))
  }
  return found
}

function seconds(what: string, value: string): number {
  if (/^\d{1,10}$/.test(value)) return Number(value)
  throw new GatewayError(
    'invalid_header',
    `${what} needs a whole number of seconds.`,
    `Send ${what}=60, for example.`,
    {
      param: what.split(':')[0],
    },
  )
}
