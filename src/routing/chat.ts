import type { CacheChain, ChainRead } from '../cache/chain.ts'
import { type CacheControl, type CacheHeaders, cacheControl } from '../cache/control.ts'
import type { CacheEntry } from '../cache/entry.ts'
import type { SlotMaker } from '../cache/slot.ts'
import { ageSeconds, BYPASS, cacheStatus } from '../cache/status.ts'
import type { CacheSlot } from '../cache/tier.ts'
import { readBounded, TooLargeError } from '../core/bytes.ts'
import { type Clock, type WaitUntil, withDeadline } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { JsonValue } from '../core/json.ts'
import { isObject } from '../core/json.ts'
import type { Catalogue } from '../models/catalogue.ts'
import type { Route } from '../models/provider.ts'
import { judgeCompletion, type Verdict } from '../providers/completion.ts'
import { cutOff, invalidAnswer, tooSlow } from '../providers/failures.ts'
import { askChat, type Fetch } from '../providers/openai.ts'
import type { Caller } from '../tenants/tenant.ts'
import { type ChatRequest, checkChatRequest } from './chat-request.ts'
import { relay } from './relay.ts'
import { outcomeOf, type Settlement } from './settlement.ts'

/** Whether a key may still spend. Only misses ask. */
export interface Accounts {
  /** @returns false once the key is revoked, at once and everywhere; rejects when it cannot be known */
  maySpend(tenantId: string, keyId: string): Promise<boolean>
}

export interface ChatServices {
  readonly clock: Clock
  readonly fetch: Fetch
  readonly catalogue: Catalogue
  readonly slots: SlotMaker
  readonly chain: CacheChain
  readonly accounts: Accounts
  readonly limits: ChatLimits
}

export interface ChatLimits {
  /** Longest wait for a whole plain answer, and for the first byte of a stream, milliseconds. */
  readonly answerMs: number
  /** Longest silence inside a stream, milliseconds. */
  readonly idleMs: number
  /** The largest plain answer that is taken from a provider, bytes. */
  readonly maxAnswerBytes: number
  /** The largest answer that is cached, characters. */
  readonly maxEntryLength: number
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
}

/** How long a miss waits to learn whether its key was revoked. Beyond it the request goes on. */
const ACCOUNT_DEADLINE_MS = 500

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
  const route = await services.catalogue.resolve(request.model, tenant.plan)
  settlement.routeId = route.id

  const slot =
    control.read || control.store ? await services.slots.slot(tenant, route, canonicalBody) : undefined
  const read = slot && control.read ? await lookUp(services, call, slot, control) : undefined
  const status = read ? cacheStatus(read, services.clock.now()) : BYPASS
  settlement.cache = read ? (read.entry ? 'hit' : 'miss') : 'bypass'
  if (read?.entry) {
    settlement.tier = read.from
    settlement.settle('success')
    const { kind, body } = read.entry
    return { kind, body, cacheStatus: status, age: ageSeconds(read.entry, services.clock.now()) }
  }
  if (control.onlyIfCached) throw notCached()

  await mustBeAllowedToSpend(services, caller)
  const keep =
    slot && control.store
      ? (entry: Omit<CacheEntry, 'storedAtMs' | 'expiresAtMs'>) => store(services, slot, control, entry)
      : undefined
  const body = await ask(services, call, route, request, keep)
  return { kind: request.stream === true ? 'sse' : 'json', body, cacheStatus: status, age: undefined }
}

type Keep = (entry: Omit<CacheEntry, 'storedAtMs' | 'expiresAtMs'>) => Promise<void>

function lookUp(
  { chain, clock }: ChatServices,
  call: ChatCall,
  slot: CacheSlot,
  control: CacheControl,
): Promise<ChainRead> {
  const { maxAgeSeconds } = control
  if (maxAgeSeconds === undefined) return chain.read(slot, call.waitUntil)
  return chain.read(slot, call.waitUntil, (entry) => clock.now() - entry.storedAtMs <= maxAgeSeconds * 1_000)
}

function store(
  services: ChatServices,
  slot: CacheSlot,
  control: CacheControl,
  answer: Pick<CacheEntry, 'kind' | 'body'>,
): Promise<void> {
  const { chain, clock } = services
  return chain.write(slot, { ...answer, storedAtMs: clock.now(), expiresAtMs: chain.expiryMs(control.ttlMs) })
}

async function mustBeAllowedToSpend({ accounts, clock }: ChatServices, caller: Caller): Promise<void> {
  const asked = accounts.maySpend(caller.tenant.id, caller.keyId)
  // An account that cannot be reached lets the request pass: until budgets stand on it, being answered
  // weighs more than the minutes a revoked key has left (see docs/decisions/0005).
  const allowed = await withDeadline(clock, ACCOUNT_DEADLINE_MS, asked).catch(() => true)
  if (!allowed) {
    throw new GatewayError(
      'revoked_api_key',
      'This API key was revoked.',
      'Ask whoever runs this gateway for a new key.',
    )
  }
}

async function ask(
  services: ChatServices,
  call: ChatCall,
  route: Route,
  request: ChatRequest,
  keep: Keep | undefined,
): Promise<string | ReadableStream<Uint8Array>> {
  const { clock, fetch, limits } = services
  const { settlement } = call
  const provider = route.provider.name
  const aborter = new AbortController()
  const leave = () => aborter.abort(new DOMException('the caller left', 'AbortError'))
  const left = call.signal()
  if (left.aborted) leave()
  left.addEventListener('abort', leave, { once: true })
  // Held from before the first byte: an invocation whose caller leaves is otherwise ended in mid-sentence.
  const over = Promise.withResolvers<void>()
  call.waitUntil(over.promise)
  const stopWatch = clock.after(limits.answerMs, () => aborter.abort(tooSlow(provider, limits.answerMs)))
  settlement.upstreamStartedMs = clock.now()
  let streaming = false
  try {
    const response = await askChat(fetch, route, request, aborter.signal)
    if (!response.body) throw invalidAnswer(provider)
    if (request.stream === true && isEventStream(response)) {
      streaming = true
      return stream(services, call, route, response.body, aborter, keep, over.resolve)
    }
    const text = await readAnswer(response.body, limits.maxAnswerBytes, provider, aborter.signal)
    const verdict = judgeCompletion(text)
    if (!verdict || request.stream === true) throw invalidAnswer(provider)
    settlement.usage = verdict.usage
    settlement.settle('success')
    if (keep && storable(verdict, text.length, limits)) call.waitUntil(keep({ kind: 'json', body: text }))
    return text
  } catch (cause) {
    if (left.aborted) settlement.settle('cancelled')
    throw cause
  } finally {
    stopWatch()
    if (!streaming) {
      left.removeEventListener('abort', leave)
      over.resolve()
    }
  }
}

function stream(
  { clock, limits }: ChatServices,
  call: ChatCall,
  route: Route,
  upstream: ReadableStream<Uint8Array>,
  aborter: AbortController,
  keep: Keep | undefined,
  over: () => void,
): ReadableStream<Uint8Array> {
  const { settlement } = call
  const relayed = relay(upstream, {
    clock,
    requestId: settlement.requestId,
    provider: route.provider.name,
    idleMs: limits.idleMs,
    keepLength: keep ? limits.maxEntryLength : 0,
    abort: (reason) => aborter.abort(reason),
  })
  const left = call.signal()
  left.addEventListener('abort', relayed.leave, { once: true })
  const settled = relayed.ended.then(async (end) => {
    left.removeEventListener('abort', relayed.leave)
    settlement.usage = end.verdict.usage
    if (end.kind === 'left') return settlement.settle('cancelled')
    if (end.kind === 'broken') return settlement.settle(outcomeOf(end.error.fault), end.error.code)
    if (!end.verdict.complete) return settlement.settle('error', 'upstream_cut_off')
    settlement.settle('success')
    if (keep && end.text !== undefined && storable(end.verdict, end.text.length, limits)) {
      await keep({ kind: 'sse', body: end.text })
    }
  })
  call.waitUntil(settled.finally(over))
  return relayed.stream
}

/** Only whole, healthy answers of a bearable size are worth repeating. */
const storable = (verdict: Verdict, length: number, limits: ChatLimits): boolean =>
  verdict.complete && !verdict.refused && length <= limits.maxEntryLength

const isEventStream = (response: Response): boolean =>
  (response.headers.get('content-type') ?? '').toLowerCase().startsWith('text/event-stream')

async function readAnswer(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  provider: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      await readBounded(body, maxBytes),
    )
  } catch (cause) {
    if (signal.reason instanceof GatewayError) throw signal.reason
    if (cause instanceof TooLargeError || cause instanceof TypeError) throw invalidAnswer(provider)
    throw cutOff(provider)
  }
}

const notCached = () =>
  new GatewayError(
    'not_cached',
    'No stored answer fits, and the request asked for a stored one only (Cache-Control: only-if-cached).',
    'Send the request without only-if-cached to have it answered by the model.',
  )
