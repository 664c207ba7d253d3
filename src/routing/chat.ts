import type { CacheChain, ChainRead, Verdict } from '../cache/chain.ts'
import { type CacheControl, type CacheHeaders, cacheControl } from '../cache/control.ts'
import type { CacheEntry } from '../cache/entry.ts'
import { isPurged } from '../cache/purge.ts'
import type { SlotMaker } from '../cache/slot.ts'
import { ageSeconds, BYPASS, cacheStatus, collapsedStatus } from '../cache/status.ts'
import type { CacheSlot } from '../cache/tier.ts'
import { byteLength } from '../core/bytes.ts'
import { type Clock, type WaitUntil, Watch } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { isObject, type JsonValue } from '../core/json.ts'
import type { HitFolding } from '../feedback/folding.ts'
import type { KeyedHashes } from '../feedback/keyed-hashes.ts'
import type { SwitchedOff } from '../switches/switch.ts'
import { isLimited, maxTokensOf } from '../tenants/isolate-rates.ts'
import type { Caller } from '../tenants/tenant.ts'
import { type Answer, type Answered, type AskServices, askModels, type Keep } from './ask.ts'
import { type ChatRequest, checkChatRequest } from './chat-request.ts'
import { type Asked, fly } from './flight.ts'
import type { Lead } from './flight-lead.ts'
import type { Flights } from './flights.ts'
import { choose, type Plan, type PlanServices, wish } from './plan.ts'
import type { Settlement } from './settlement.ts'
import { Spending, type SpendingServices } from './spending.ts'

export interface ChatServices extends AskServices, PlanServices, SpendingServices {
  readonly clock: Clock
  readonly slots: SlotMaker
  readonly chain: CacheChain
  readonly folding: Pick<HitFolding, 'isDue'>
  readonly userHashes: Pick<KeyedHashes, 'of'>
  /** Where requests that are alike find each other; absent = each asks for itself. */
  readonly flights?: Flights | undefined
  /** What an operator turned off. */
  readonly switches: { readonly off: Pick<SwitchedOff, 'isCacheOff' | 'isModelOff'> }
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
  const policy = services.switches.off.isCacheOff ? 'none' : tenant.cachePolicy
  const control = cacheControl(call.headers, policy, request.temperature === 0)
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
    countHere(services, caller)
    return hit(services, settlement, read, read.entry)
  }
  const status = read ? cacheStatus(read, services.clock.now()) : BYPASS
  settlement.cache = read ? 'miss' : 'bypass'
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
  const askedAtMs = services.clock.now()
  return answerMiss(services, call, { request, plan, slot, control, read, status, watch, askedAtMs })
}

/** A request that nothing stored answers. */
interface Miss {
  readonly request: ChatRequest
  readonly plan: Plan
  readonly slot: CacheSlot | undefined
  readonly control: CacheControl
  readonly read: ChainRead | undefined
  readonly status: string
  readonly watch: Watch
  readonly askedAtMs: number
}

async function answerMiss(services: ChatServices, call: ChatCall, miss: Miss): Promise<ChatAnswer> {
  const { flights } = services
  const { request, plan, slot, control, read, status, watch } = miss
  const { signal, waitUntil, settlement } = call
  const { targets } = plan
  const kind = request.stream === true ? 'sse' : 'json'
  const ask = asker(services, call, miss)
  const asked = ({ body, answeredBy }: Answered, cacheStatus: string): ChatAnswer => {
    const route = plan.routeHeader(targets.indexOf(answeredBy))
    return { kind, body, cacheStatus, age: undefined, route }
  }
  if (!flights || !slot || !read || !control.store || hasOwnMaximum(call.caller, request))
    return asked(await ask(undefined), status)

  let isCounted = false
  const count = (): void => {
    if (!isCounted) countHere(services, call.caller)
    isCounted = true
  }
  const lookAgain = async (): Promise<ChatAnswer | undefined> => {
    const read = await lookUp(services, call, slot, control, watch)
    if (!read.entry) return undefined
    count()
    return hit(services, settlement, read, read.entry)
  }
  const { id: slotId } = slot
  const flown = await fly(services, flights, {
    slotId,
    kind,
    watch,
    signal,
    waitUntil,
    settlement,
    lookAgain,
    follows: count,
    ask,
  })
  if (flown.kind === 'asked')
    return asked(flown.answered, flown.followed ? collapsedStatus(status, false) : status)
  if (flown.kind === 'shared') {
    const cacheStatus = collapsedStatus(status, true)
    return { kind, body: flown.body, cacheStatus, age: undefined, route: undefined }
  }
  watch.stop()
  return flown.hit
}

/** Asks the models, at most once. */
function asker(services: ChatServices, call: ChatCall, { plan, slot, control, watch, askedAtMs }: Miss) {
  const { signal, waitUntil, settlement } = call
  const { targets, standsFor, request } = plan
  const spending = new Spending(services, call.caller, settlement)
  const keep: Keep | undefined =
    slot && control.store
      ? async (answer) => {
          const { predictionId } = settlement
          if (!spending.mayBeCut(answer.usage))
            await store(services, slot, control, answer, { predictionId, askedAtMs })
        }
      : undefined
  const models = { targets, standsFor, request, keep, watch, signal, waitUntil, settlement, spending }
  return async (lead: Lead | undefined): Promise<Asked> => {
    let over: Promise<unknown> = Promise.resolve()
    const hold: WaitUntil = (promise) => {
      over = promise
      waitUntil(promise)
    }
    const shared = lead && { shared: lead, signal: () => lead.signal, waitUntil: hold }
    const answered = await askModels(services, { ...models, ...shared })
    return { ...answered, over }
  }
}

/** Settles the request by what was stored. */
function hit(services: ChatServices, settlement: Settlement, read: ChainRead, entry: CacheEntry): ChatAnswer {
  settlement.cache = 'hit'
  settlement.tier = read.from
  const { kind, body, origin } = entry
  settlement.origin = origin
  const { tenantId } = settlement
  if (tenantId !== undefined && services.folding.isDue(tenantId)) settlement.fold(origin)
  settlement.settle('success')
  const nowMs = services.clock.now()
  return {
    kind,
    body,
    cacheStatus: cacheStatus(read, nowMs),
    age: ageSeconds(entry, nowMs),
    route: undefined,
  }
}

/** Who asks the account is counted there. @throws GatewayError `rate_limit_exceeded` */
function countHere({ rates, clock }: ChatServices, caller: Caller): void {
  if (isLimited(caller)) rates.take(caller, clock.now())
}

/** Whether the answer may end for the caller's limit alone: then it is nobody else's. */
const hasOwnMaximum = (caller: Caller, { max_tokens, max_completion_tokens }: ChatRequest): boolean =>
  maxTokensOf(caller) !== undefined && !(max_tokens ?? max_completion_tokens)

function lookUp(
  { chain, clock }: ChatServices,
  call: ChatCall,
  slot: CacheSlot,
  control: CacheControl,
  watch: Watch,
): Promise<ChainRead> {
  const { maxAgeSeconds = Number.POSITIVE_INFINITY } = control
  const { purgeMarks } = call.caller.tenant
  const io = { waitUntil: call.waitUntil, watch }
  if (!purgeMarks && control.maxAgeSeconds === undefined) return chain.read(slot, io)
  const routeId = call.settlement.routeId
  return chain.read(slot, io, (entry): Verdict => {
    if (purgeMarks && isPurged(purgeMarks, slot.id, routeId, entry)) return 'purged'
    return clock.now() - entry.storedAtMs <= maxAgeSeconds * 1_000 ? 'usable' : 'unwanted'
  })
}

function store(
  services: ChatServices,
  slot: CacheSlot,
  control: CacheControl,
  answer: Answer,
  { predictionId, askedAtMs }: { readonly predictionId: string; readonly askedAtMs: number },
): Promise<void> {
  const { chain, clock } = services
  const expiresAtMs = chain.expiryMs(control.ttlMs)
  const { kind, body, ...gave } = answer
  const origin = { predictionId, ...gave }
  const { tags } = control
  return chain.write(slot, { kind, body, origin, storedAtMs: clock.now(), askedAtMs, tags, expiresAtMs })
}

const notCached = () =>
  new GatewayError(
    'not_cached',
    'No stored answer fits, and the request asked for a stored one only (Cache-Control: only-if-cached).',
    'Send the request without only-if-cached to have it answered by the model.',
  )
