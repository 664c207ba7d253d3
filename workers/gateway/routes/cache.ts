import { type Context, Hono } from 'hono'
import { CACHE_TAG, MODEL_NAME, markOf, type PurgeTarget } from '../../../src/cache/purge.ts'
import type { PurgedBy, Removal } from '../../../src/cache/purge-desk.ts'
import type { TierName } from '../../../src/cache/tier.ts'
import { GatewayError } from '../../../src/core/errors.ts'
import { isObject, parseJson } from '../../../src/core/json.ts'
import { cachedSlot } from '../../../src/routing/cached-slot.ts'
import { wish } from '../../../src/routing/plan.ts'
import type { AuditActor } from '../../../src/tenants/audit.ts'
import type { Scope } from '../../../src/tenants/scopes.ts'
import type { Tenant } from '../../../src/tenants/tenant.ts'
import { readBody } from '../body.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { actorOf } from '../middleware/actor.ts'
import { audited } from '../middleware/audit.ts'
import { callerOf } from '../middleware/caller.ts'
import { stored } from '../stored.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** The longest that a copy of a tenant's record is believed anywhere, while the stores are up. */
const MARKED_WITHIN_SECONDS = 90
/** An hour in KV, an hour in the memory of an isolate that found it there last, and the minute that KV hides a removal. */
const UNMARKED_WITHIN_SECONDS = 2 * 3_600 + 60
const TIERS: readonly TierName[] = ['memory', 'kv', 'redis', 'supabase']

/** /api/cache: what is cached of a tenant's answers, and how to be rid of it. */
export const cache = new Hono<AppEnv>()
  .delete('/entries', async (c) => {
    // No more than `Cache-Control: no-cache` can do.
    const { tenant } = await tenantOf(c, 'inference')
    const place = { tenantId: tenant.id, id: await slotId(c, tenant) }
    return c.json(removalOf(await stored(c.env.services.purges.remove(place))))
  })
  .post('/purge', async (c) => {
    const { tenant, by } = await tenantOf(c, 'models')
    const target = parseTarget(await readSmallJson(c.req.raw))
    const meant = target?.kind === 'model' ? await meantModel(c, tenant, target) : target
    const entry = { action: 'cache.purge', tenantId: tenant.id, target: meant ? markOf(meant) : 'all' }
    const purgedBy = await audited(c, by, entry, () => stored(c.env.services.purges.purge(tenant.id, meant)))
    return c.json({
      purged: purgedBy === 'epoch' || !meant ? { all: true } : { [meant.kind]: meant.name },
      purged_by: purgedBy,
      effective_within_seconds: MARKED_WITHIN_SECONDS,
    })
  })
  .get('/stats', async (c) => {
    const { tenantId } = await actorOf(c)
    const { entries, bytes, hits, marks } = await stored(c.env.services.purges.stats(tenantId))
    const tiers = TIERS.map((name) => ({
      tier: name,
      entries: name === 'supabase' ? entries : null,
      bytes: name === 'supabase' ? bytes : null,
      hits_last_hour: hits[name] ?? 0,
    }))
    const held = Object.entries(marks).map(([mark, atMs]) => ({
      mark,
      purged_at: new Date(atMs).toISOString(),
    }))
    return c.json({ tiers, marks: held }, 200, { 'cache-control': 'no-store' })
  })

/** As the directory has it: by an older epoch the slot would be another. */
async function tenantOf(c: Context<AppEnv>, scope: Scope): Promise<{ tenant: Tenant; by: AuditActor }> {
  const { isOperator, by } = await actorOf(c, scope)
  const name = isOperator ? (c.req.query('tenant') ?? '') : (await callerOf(c, scope)).tenant.name
  const tenant = await stored(c.env.services.directory.tenantNamed(name))
  if (tenant) return { tenant, by }
  throw new GatewayError('not_found', 'There is no such tenant any more.', 'Ask for a new key.')
}

/** Of the request in the body, or else of the prediction that the address names. */
async function slotId(c: Context<AppEnv>, tenant: Tenant): Promise<string> {
  const { services } = c.env
  const body = await readBody(c.req.raw, services.maxBodyBytes)
  const predictionId = c.req.query('prediction')
  if (predictionId === undefined) {
    const { id } = await cachedSlot(services.chat, tenant, parseJson(body), (promise) =>
      c.executionCtx.waitUntil(promise),
    )
    return id
  }
  if (body.length > 0)
    throw invalid(
      'prediction',
      'Both a request and a prediction are named.',
      'Send the body of the request, or ?prediction=ID, not both.',
    )
  if (!UUID.test(predictionId))
    throw invalid(
      'prediction',
      'What stands as "prediction" is not the id of one.',
      'Use the value of the header x-beast-prediction.',
    )
  const id = await stored(services.purges.slotOf(tenant.id, predictionId.toLowerCase()))
  if (id !== undefined) return id
  throw new GatewayError(
    'not_found',
    'No prediction of this id is recorded, or its request had nothing to do with the cache.',
    'Records come some seconds after the answer. Send the body of the request instead.',
    { param: 'prediction' },
  )
}

/** @throws GatewayError `store_unavailable` when neither a mark nor every tier has it */
function removalOf({ purgedBy, tiers }: Removal) {
  if (purgedBy === 'none' && [...tiers.values()].includes(false))
    throw new GatewayError(
      'store_unavailable',
      'A tier did not let go of the answer, and the tenant has too many marks for one more.',
      'Try again after the time given in Retry-After.',
      { retryAfterSeconds: 5 },
    )
  return {
    tiers: Object.fromEntries([...tiers].map(([name, isGone]) => [name, isGone ? 'removed' : 'failed'])),
    purged_by: purgedBy,
    effective_within_seconds: withinSeconds(purgedBy),
  }
}

const withinSeconds = (purgedBy: PurgedBy): number =>
  purgedBy === 'none' ? UNMARKED_WITHIN_SECONDS : MARKED_WITHIN_SECONDS

/** Strict: what is misspelt would purge nothing, and nobody would know. @returns undefined: everything */
function parseTarget(body: unknown): PurgeTarget | undefined {
  const fields = isObject(body) ? Object.entries(body) : []
  const [field] = fields
  if (!field || fields.length > 1)
    throw invalid(undefined, 'It is not clear what to purge.', 'Name one of "tag", "model" and "all".')
  const [kind, name] = field
  if (kind === 'all' && name === true) return undefined
  if (kind === 'tag' && typeof name === 'string' && CACHE_TAG.test(name)) return { kind, name }
  if (kind === 'model' && typeof name === 'string' && MODEL_NAME.test(name)) return { kind, name }
  throw invalid(
    kind,
    ['tag', 'model', 'all'].includes(kind)
      ? `The field "${kind}" is no ${kind === 'all' ? 'true' : 'valid name'}.`
      : `There is no "${kind.slice(0, 100)}" here.`,
    'Send {"tag": NAME}, {"model": NAME} or {"all": true}; see docs/cache.md.',
  )
}

/** A short name or an alias as entries bear it. A whole name need not exist any more. */
async function meantModel(c: Context<AppEnv>, tenant: Tenant, target: PurgeTarget): Promise<PurgeTarget> {
  try {
    const waitUntil = (promise: Promise<unknown>) => c.executionCtx.waitUntil(promise)
    const { requested } = await wish(c.env.services.chat, tenant, target.name, waitUntil)
    return { ...target, name: requested.id }
  } catch (error) {
    if (target.name.includes(':')) return target
    throw error
  }
}

const invalid = (param: string | undefined, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tip, param === undefined ? {} : { param })
