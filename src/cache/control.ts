import { GatewayError } from '../core/errors.ts'
import type { CachePolicy } from '../tenants/tenant.ts'
import { CACHE_TAG } from './purge.ts'

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
  /** What is stored can be purged by these. */
  readonly tags: readonly string[] | undefined
}

const ANYTHING: CacheControl = {
  read: true,
  store: true,
  onlyIfCached: false,
  maxAgeSeconds: undefined,
  ttlMs: undefined,
  tags: undefined,
}
const MAX_TTL_SECONDS = 24 * 60 * 60
const MAX_TAGS = 8

export interface CacheHeaders {
  /** `Cache-Control` as RFC 9111 has it; directives that do not concern us are ignored. */
  readonly cacheControl: string | undefined
  /** `x-beast-cache`: what HTTP has no word for. `ttl=SECONDS` bounds the life of what is stored, `tag=NAME` marks it. */
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
  const asked = new Map(directives(headers.cacheControl ?? ''))
  const never = !allowed || asked.has('no-store')
  const maxAge = asked.get('max-age')
  const maxAgeSeconds = maxAge === undefined ? undefined : seconds('Cache-Control: max-age', maxAge)
  return {
    // max-age=0 asks for a new answer, also where the stored one is of this very second.
    read: !never && !asked.has('no-cache') && maxAgeSeconds !== 0,
    store: !never,
    onlyIfCached: asked.has('only-if-cached'),
    maxAgeSeconds,
    ...switches(headers.beastCache ?? ''),
  }
}

function switches(header: string): Pick<CacheControl, 'ttlMs' | 'tags'> {
  let ttlMs: number | undefined
  const tags = new Set<string>()
  for (const [name, value] of directives(header)) {
    if (name === 'ttl') ttlMs = Math.min(seconds('x-beast-cache: ttl', value), MAX_TTL_SECONDS) * 1_000
    else if (name !== 'tag') throw invalid('has a switch that does not exist')
    else if (!CACHE_TAG.test(value)) throw invalid('has a tag that is no valid name')
    else tags.add(value)
  }
  if (tags.size > MAX_TAGS) throw invalid(`has more than ${MAX_TAGS} tags`)
  return { ttlMs, tags: tags.size === 0 ? undefined : [...tags] }
}

const invalid = (problem: string) =>
  new GatewayError(
    'invalid_header',
    `The header x-beast-cache ${problem}.`,
    `Use x-beast-cache: ttl=SECONDS, and tag=NAME up to ${MAX_TAGS} times (up to 64 letters, digits, "_", ".", ":", "/" or "-"), or the standard Cache-Control header.`,
    { param: 'x-beast-cache' },
  )

function directives(header: string): [name: string, value: string][] {
  const found: [string, string][] = []
  for (const part of header.split(',')) {
    const [name = '', ...value] = part.split('=')
    if (name.trim())
      found.push([
        name.trim().toLowerCase(),
        value
          .join('=')
          .trim()
          .replace(/^"(.*)"$/, '$1'),
      ])
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
