import type { CacheChain, ChainRead } from '../cache/chain.ts'
import { type CacheControl, type CacheHeaders, cacheControl } from '../cache/control.ts'
import type { CacheEntry } from '../cache/entry.ts'
import type { SlotMaker } from '../cache/slot.ts'
import { ageSeconds, BYPASS, cacheStatus } from '../cache/status.ts'
import type { CacheSlot } from '../cache/tier.ts'
import { byteLength } from '../core/bytes.ts'
import { type Clock, type WaitUntil, Watch } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { isObject, type JsonValue } from '../core/json.ts'
import type { HitFolding } from '../feedback/folding.ts'
import type { KeyedHashes } from '../feedback/keyed-hashes.ts'
import { isLimited } from '../tenants/isolate-rates.ts'
import type { Caller } from '../tenants/tenant.ts'
import { type Answer, type AskServices, askModels, type Keep } from './ask.ts'
import { checkChatRequest } from './chat-request.ts'
import { choose, type Plan, type PlanServices, wish } from './plan.ts'
import type { Settlement } from './settlement.ts'
import { Spending, type SpendingServices } from './spending.ts'

export interface ChatServices extends AskServices, PlanServices, SpendingServices {
  readonly clock: Clock
  readonly slots: SlotMaker
  readonly chain: CacheChain
  readonly folding: Pick<HitFolding, 'isDue'>
  readonly userHashes: Pick<KeyedHashes, 'of'>
}

/** One request as it reached the story: who asks, what, and what ends it. */
export interface ChatCall {
  readonly caller: Caller
  readonly body: JsonValue
  readonly headers: CacheHeaders
  /** Fires when the caller leaves; asked for by misses only, because making one costs. */
  readonly signal: () => AbortSignal
  readonly waitUntil: WaitUntil
  readonly settlement: Settlement
}

export interface ChatAnswer {
  readonly kind: CacheEntry['kind']
  readonly body: string | ReadableStream<Uint8Array>
  readonly cacheStatus: string
  /** Seconds; only on a hit. */
  readonly age: number | undefined
  /** `x-beast-route`: who answered and why; only where a model was asked. */
  readonly route: string | undefined
}

/**
 * The story of one chat request: judge it, find its model, look for an answer that was given before, and
 * only then spend. Settles every call that it answers; what it throws the caller of it settles.
 */
export async function answerChat(services: ChatServices, call: ChatCall): Promise<ChatAnswer> {
  const { caller, settlement } = call
  const { tenant } = caller
  settlement.tenantId = tenant.id
  settlement.keyId = caller.keyId

  const canonicalBody = isObject(call.body) ? services.slots.canonical(tenant, call.body) : ''
  const request = checkChatRequest(call.body)
  settlement.stream = request.stream === true
  const control = cacheControl(call.headers, tenant.cachePolicy, request.temperature === 0)
  const wished = await wish(services, tenant, request.model, call.waitUntil)
  const { requested } = wished
  settlement.routeId = requested.id
  if (typeof request.user === 'string' && request.user !== '')
    settlement.userHash = await services.userHashes.of(tenant.id, request.user)

  const slot =
    control.read || control.store ? await services.slots.slot(tenant, requested, canonicalBody) : undefined
  settlement.promptHash = slot?.id
  const watch = new Watch(services.clock)
  const read = slot && control.read ? await lookUp(services, call, slot, control, watch) : undefined
  if (read?.entry) {
    watch.stop()
    // Who asks the account is counted there.
    if (isLimited(caller)) services.rates.take(caller, services.clock.now())
  }
  const status = read ? cacheStatus(read, services.clock.now()) : BYPASS
  settlement.cache = read ? (read.entry ? 'hit' : 'miss') : 'bypass'
  if (read?.entry) {
    settlement.tier = read.from
    const { origin } = read.entry
    settlement.origin = origin
    if (services.folding.isDue(tenant.id)) settlement.fold(origin)
    settlement.settle('success')
    const { kind, body } = read.entry
    const age = ageSeconds(read.entry, services.clock.now())
    return { kind, body, cacheStatus: status, age, route: undefined }
  }
  let plan: Plan
  try {
    if (control.onlyIfCached) throw notCached()
    plan = choose(services, tenant, wished, request)
    settlement.explain = plan.record
    settlement.sentBytes = byteLength(canonicalBody)
    if (tenant.keepsText) settlement.prompt = () => JSON.stringify(request.messages)
  } catch (error) {
    watch.stop()
    throw error
  }
  const spending = new Spending(services, caller, settlement)
  const keep: Keep | undefined =
    slot && control.store
      ? async (answer) => {
          if (!spending.mayBeCut(answer.usage)) await store(services, slot, control, answer, settlement)
        }
      : undefined
  const { signal, waitUntil } = call
  const { targets, standsFor } = plan
  const asked = { targets, standsFor, request: plan.request, keep, watch, signal, waitUntil, settlement }
  const { body, answeredBy } = await askModels(services, { ...asked, spending })
  const kind = request.stream === true ? 'sse' : 'json'
  return {
    kind,
    body,
    cacheStatus: status,
    age: undefined,
    route: plan.routeHeader(targets.indexOf(answeredBy)),
  }
}

function lookUp(
  { chain, clock }: ChatServices,
  call: ChatCall,
  slot: CacheSlot,
  control: CacheControl,
  watch: Watch,
): Promise<ChainRead> {
  const { maxAgeSeconds } = control
  const io = { waitUntil: call.waitUntil, watch }
  if (maxAgeSeconds === undefined) return chain.read(slot, io)
  return chain.read(slot, io, (entry) => clock.now() - entry.storedAtMs <= maxAgeSeconds * 1_000)
}

function store(
  services: ChatServices,
  slot: CacheSlot,
  control: CacheControl,
  answer: Answer,
  { predictionId }: Settlement,
): Promise<void> {
  const { chain, clock } = services
  const expiresAtMs = chain.expiryMs(control.ttlMs)
  const { kind, body, ...gave } = answer
  const origin = { predictionId, ...gave }
  return chain.write(slot, { kind, body, origin, storedAtMs: clock.now(), expiresAtMs })
}

const notCached = () =>
  new GatewayError(
    'not_cached',
    'No stored answer fits, and the request asked for a stored one only (Cache-Control: only-if-cached).',
    'Send the request without only-if-cached to have it answered by the model.',
  )
