import { type Clock, Watch } from '../core/clock.ts'
import { GatewayError, toGatewayError } from '../core/errors.ts'
import type { HealthBook } from '../models/health.ts'
import type { Target } from '../models/provider.ts'
import { FAILURES } from '../providers/failure-table.ts'
import { UpstreamError } from '../providers/failures.ts'
import { type AttemptServices, type Begun, begin } from './attempt.ts'
import type { ChatRequest } from './chat-request.ts'
import type { RetryBudget } from './retry-budget.ts'
import type { AttemptNote, Settlement } from './settlement.ts'
import type { Spending } from './spending.ts'

export interface AttemptsServices extends AttemptServices {
  readonly health: HealthBook
  readonly retries: RetryBudget
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** After so long without an answer a second model is asked beside the first; undefined = never. */
  readonly hedgeAfterMs: number | undefined
}

export interface AttemptsCall {
  /** Best first, at least one. */
  readonly targets: readonly Target[]
  readonly request: ChatRequest
  readonly watch: Watch
  /** Fires when the caller leaves. */
  readonly left: AbortSignal
  readonly settlement: Settlement
  /** Asked before each of them. */
  readonly spending: Spending
}

/** An answer that has begun, and whose it is. */
export interface Answering {
  readonly begun: Begun
  readonly note: AttemptNote
}

/** Calls for one request at most, whatever stands on the list. */
const MAX_ATTEMPTS = 4
/** Repeats to one target at most. */
const MAX_REPEATS = 2
/** Bound of the wait before the first repeat; doubled with each. */
const BACKOFF_MS = 500
/** A provider that asks for a longer wait is not waited for. */
const MAX_WAIT_MS = 5_000

/**
 * Asks one target after the other until one begins to answer. A target that may have accepted the request is never
 * asked again; one that turned it away unprocessed is, where no other is left, under the retry budget and not before
 * the time it named.
 * @throws GatewayError the first failure that every other target would repeat, otherwise the last
 */
export async function firstAnswer(services: AttemptsServices, call: AttemptsCall): Promise<Answering> {
  const { clock, health, retries } = services
  if (call.left.aborted) throw callerLeft()
  const nowMs = clock.now()
  const healthy = call.targets.filter((target) => health.available(target, nowMs))
  // Where nothing is well, an attempt is worth more than an error, unless the provider asked to be left alone.
  const isLastResort = healthy.length === 0
  const open = isLastResort ? call.targets.filter((target) => !health.isClosed(target, nowMs)) : healthy
  const mayAsk = (target: Target): boolean =>
    isLastResort ? !health.isClosed(target, clock.now()) : health.admit(target, clock.now())
  retries.earn()
  let failed: GatewayError | undefined
  let attempts = 0
  let index = 0
  const keepTrying = (cause: unknown): GatewayError => {
    failed = toGatewayError(cause)
    if (call.left.aborted || nextOf(failed) === 'none') throw failed
    return failed
  }

  const [first, second] = open
  if (first && second && services.hedgeAfterMs !== undefined && mayAsk(first)) {
    try {
      return await hedged(services, call, first, second, services.hedgeAfterMs)
    } catch (cause) {
      keepTrying(cause)
      // Whether or not the second was asked: it is not asked twice.
      attempts = call.settlement.attempted
      index = Math.max(1, attempts)
    }
  }
  for (; index < open.length; index++) {
    const target = open[index] as Target
    for (let repeats = 0; attempts < MAX_ATTEMPTS && mayAsk(target); repeats++) {
      try {
        const running = await start(services, call, target)
        attempts += 1
        return await running.answering
      } catch (cause) {
        const turnedAway = keepTrying(cause)
        if (index < open.length - 1 || nextOf(turnedAway) !== 'same' || repeats >= MAX_REPEATS) break
        const waitMs = waitBefore(repeats, turnedAway, services.random)
        if (waitMs === undefined || !retries.take()) break
        await pause(clock, waitMs)
        if (call.left.aborted) throw turnedAway
      }
    }
  }
  throw failed ?? unavailable(services, call.targets)
}

interface Running {
  readonly note: AttemptNote
  readonly answering: Promise<Answering>
  /** Ends it, as the one that came second. */
  abandon(): void
}

/**
 * One attempt; what becomes of it is told to the settlement and to the book of health.
 * @throws GatewayError where it may not be paid for: then there was none
 */
async function start(
  services: AttemptsServices,
  call: AttemptsCall,
  target: Target,
  watch: Watch = call.watch,
): Promise<Running> {
  const { clock, health } = services
  const { left, settlement, spending } = call
  const { request, reservedNanoUsd } = await spending.allow(target, call.request, watch, clock.now())
  if (left.aborted) throw callerLeft()
  const note = settlement.attempt(target, reservedNanoUsd)
  // A signal of our own, also where no other target can follow: handed the caller's own, workerd's fetch was seen
  // to go on after the caller had left.
  const line = new AbortController()
  const hangUp = () => line.abort()
  left.addEventListener('abort', hangUp, { once: true })
  const attempt = { target, request, requestId: settlement.requestId, watch, signal: line.signal }
  const answering = begin(services, attempt).then(
    (begun) => {
      note.begun()
      health.observeLatency(target, clock.now() - note.startedAtMs)
      if (begun.kind === 'json') health.succeeded(target)
      return { begun, note }
    },
    (cause) => {
      hangUp()
      if (left.aborted) note.end('cancelled')
      else note.fail(cause)
      if (cause instanceof UpstreamError && !left.aborted && note.record.result === 'failed')
        health.failed(target, cause.kind, clock.now(), cause.retryAfterMs)
      throw cause
    },
  )
  const abandon = () => {
    note.end('abandoned')
    hangUp()
  }
  return { note, answering, abandon }
}

/** Asks a second target too where the first is slow: the first answer counts, the other call is ended. */
async function hedged(
  services: AttemptsServices,
  call: AttemptsCall,
  first: Target,
  second: Target,
  afterMs: number,
): Promise<Answering> {
  const { clock, health, retries } = services
  // Their waits overlap, so each has a watch of its own.
  const watches = [new Watch(clock), new Watch(clock)] as const
  const one = await start(services, call, first, watches[0])
  const over = one.answering.then(
    () => true,
    () => true,
  )
  try {
    const isOver = await Promise.race([over, pause(clock, afterMs)])
    if (isOver || !health.admit(second, clock.now()) || !retries.take()) return await one.answering
    // Waited for even where the first answers meanwhile: what is held back for a call must not outlive its request.
    const other = await start(services, call, second, watches[1]).catch(() => undefined)
    if (!other) return await one.answering
    const winner = await Promise.any([one.answering, other.answering])
    ;(winner.note === one.note ? other : one).abandon()
    return winner
  } catch (cause) {
    throw cause instanceof AggregateError ? cause.errors.at(-1) : cause
  } finally {
    for (const watch of watches) watch.stop()
  }
}

function nextOf(failed: GatewayError): 'same' | 'other' | 'none' {
  if (failed instanceof UpstreamError) return FAILURES[failed.kind].next
  return isClosed(failed) ? 'none' : 'other'
}

const CLOSED: ReadonlySet<string> = new Set([
  'revoked_api_key',
  'store_unavailable',
  'rate_limit_exceeded',
  'over_token_limit',
])

/** The account lets nothing more out, to whatever model. */
const isClosed = ({ code }: GatewayError): boolean => CLOSED.has(code)

/** Full jitter, and never before the time that was named; undefined when that is too long. */
function waitBefore(repeats: number, failed: GatewayError, random: () => number): number | undefined {
  const named = failed instanceof UpstreamError ? (failed.retryAfterMs ?? 0) : 0
  if (named > MAX_WAIT_MS) return undefined
  return named + random() * BACKOFF_MS * 2 ** repeats
}

const pause = (clock: Clock, ms: number): Promise<undefined> =>
  new Promise((resolve) => clock.after(ms, () => resolve(undefined)))

/** Nobody reads it; that nothing was asked is what matters. */
const callerLeft = () =>
  new GatewayError(
    'request_cut_off',
    'The caller left before a model was asked.',
    'Send the request again, and wait for its answer.',
  )

/** Every target asked to be left alone. */
function unavailable({ clock, health }: AttemptsServices, targets: readonly Target[]): GatewayError {
  const opensInMs = health.opensInMs(targets, clock.now()) ?? 1_000
  return new GatewayError(
    'model_unavailable',
    'Every provider that could answer has asked to be left alone for a while.',
    'Try again after the time given in Retry-After, or choose another model.',
    { retryAfterSeconds: Math.ceil(opensInMs / 1_000) },
  )
}
