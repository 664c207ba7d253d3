import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { isObject } from '../../../src/core/json.ts'
import { OPERATOR } from '../../../src/tenants/audit.ts'
import type { LimitState, OwnedLimits } from '../../../src/tenants/limits.ts'
import { TENANT_NAME } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { actorOf } from '../middleware/actor.ts'
import { audited } from '../middleware/audit.ts'
import { operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'
import { tenantIdOf } from '../tenant-of.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** The largest of each kind, as the database checks them too. */
const MOST = {
  requests_per_minute: 1_000_000,
  tokens_per_minute: 1_000_000_000,
  concurrency: 10_000,
  max_tokens: 10_000_000,
} as const
type Kind = keyof typeof MOST
const KINDS = Object.keys(MOST) as Kind[]

/** /api/limits: how fast, and how many at once, a tenant and its keys may ask. Tenants read, the operator sets. */
export const limits = new Hono<AppEnv>()
  .get('/', async (c) => {
    const { tenantId } = await actorOf(c)
    const states = await c.env.services.limits.states(tenantId)
    return c.json({ data: states.map(toJson) }, 200, { 'cache-control': 'no-store' })
  })
  .put('/', operatorOnly, async (c) => {
    const { tenant, limits } = parseLimits(await readSmallJson(c.req.raw))
    const tenantId = await tenantIdOf(c, tenant)
    const { keyId, ...after } = limits
    const entry = { action: 'limits.set', tenantId, target: keyId ?? 'all', after }
    await audited(c, OPERATOR, entry, () => stored(c.env.services.limits.put(tenantId, limits)))
    return c.json({ data: (await c.env.services.limits.states(tenantId)).map(toJson) })
  })
  .delete('/', operatorOnly, async (c) => {
    const { tenant, keyId } = parsePlace(c.req.query())
    const tenantId = await tenantIdOf(c, tenant)
    const entry = { action: 'limits.remove', tenantId, target: keyId ?? 'all' }
    await audited(c, OPERATOR, entry, async () => {
      if (!(await stored(c.env.services.limits.remove(tenantId, keyId)))) throw noSuchLimits()
    })
    return c.json({ removed: true })
  })

const noSuchLimits = () =>
  new GatewayError(
    'not_found',
    'There are no such limits.',
    'List the limits with GET /api/limits?tenant=NAME.',
  )

const toJson = (state: LimitState) => ({
  key_id: state.keyId,
  requests_per_minute: state.requestsPerMinute ?? null,
  tokens_per_minute: state.tokensPerMinute ?? null,
  concurrency: state.concurrency ?? null,
  max_tokens: state.maxTokens ?? null,
  requests_used: state.requestsUsed,
  tokens_used: state.tokensUsed,
  in_flight: state.inFlight,
})

/** Strict: a misspelt name would limit nothing, and nobody would know. */
function parseLimits(body: unknown): { tenant: string; limits: OwnedLimits } {
  const { requests_per_minute, tokens_per_minute, concurrency, max_tokens, ...place } = isObject(body)
    ? body
    : {}
  const { tenant, keyId } = parsePlace(place)
  const given = { requests_per_minute, tokens_per_minute, concurrency, max_tokens }
  if (KINDS.every((kind) => (given[kind] ?? null) === null))
    throw invalid(
      'requests_per_minute',
      'No limit is named.',
      `Name at least one of ${KINDS.join(', ')}; to limit nothing any more, use DELETE.`,
    )
  const limitOf = (kind: Kind): number | undefined => {
    const value = given[kind] ?? undefined
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MOST[kind])
      return value
    throw invalid(kind, `The field "${kind}" is no limit.`, `Use a whole number from 1 to ${MOST[kind]}.`)
  }
  return {
    tenant,
    limits: {
      keyId,
      requestsPerMinute: limitOf('requests_per_minute'),
      tokensPerMinute: limitOf('tokens_per_minute'),
      concurrency: limitOf('concurrency'),
      maxTokens: limitOf('max_tokens'),
    },
  }
}

function parsePlace({
  tenant,
  key_id: keyId,
  ...others
}: {
  readonly tenant?: unknown
  readonly key_id?: unknown
}): { tenant: string; keyId: string | null } {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw invalid(unknown, `There is no "${unknown}" here.`, 'See docs/limits.md for what there is.')
  if (typeof tenant !== 'string' || !TENANT_NAME.test(tenant))
    throw invalid('tenant', 'The tenant is missing, or no valid name.', 'Name it as "tenant".')
  if (keyId !== undefined && keyId !== null && !(typeof keyId === 'string' && UUID.test(keyId)))
    throw invalid(
      'key_id',
      'What stands as "key_id" is not the id of a key.',
      'Use an id from npm run keys -- list, or leave it out to mean the whole tenant.',
    )
  return { tenant, keyId: typeof keyId === 'string' ? keyId.toLowerCase() : null }
}

const invalid = (param: string, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tip, { param })
