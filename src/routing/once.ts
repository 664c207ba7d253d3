import { BYPASS } from '../cache/status.ts'
import { utf8 } from '../core/bytes.ts'
import { type Clock, withDeadline } from '../core/clock.ts'
import { ERRORS, type ErrorCode, GatewayError, toGatewayError } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import type { ChatAnswer, ChatCall } from './chat.ts'
import type { Outcome } from './idempotency.ts'
import type { IdempotencyKey, IdempotencyKeys } from './idempotency-keys.ts'
import { keptStream } from './kept-stream.ts'
import { outcomeOf, type Settlement } from './settlement.ts'

/** An answer, given for the first time or again. */
export interface OnceAnswer extends ChatAnswer {
  /** The first answer's status; undefined where this is the first. */
  readonly replayedStatus?: number
}

/** The largest answer that is kept to be given again. Sealed it grows by a third; a row holds 2 MB. */
export const MAX_KEPT_BYTES = 1_000_000
/** How long an answer goes on without its caller: the platform ends everything 30 s after that. */
export const GRACE_MS = 25_000
/** How long an answer waits for being remembered. After that the caller's waiting weighs more. */
const REMEMBERED_WITHIN_MS = 1_000
const RUNNING_RETRY_AFTER_S = 5

/**
 * Tells the story of a request at most once for its `Idempotency-Key`; whoever sends the key again gets the same
 * answer. Settles what it answers itself as a replay; what it throws the caller of it settles.
 * @param story answers the call; what it throws before a model was asked frees the key
 */
export async function answerOnce(
  keys: IdempotencyKeys,
  call: ChatCall,
  header: string,
  story: (call: ChatCall) => Promise<ChatAnswer>,
): Promise<OnceAnswer> {
  const { settlement, caller, body } = call
  settlement.tenantId = caller.tenant.id
  settlement.keyId = caller.keyId
  // What is no request at all is refused as always.
  if (!isObject(body)) return story(call)
  settlement.stream = body.stream === true
  const key = await keys.of(caller.tenant, header, body)
  const left = call.signal()
  // Held from before the key is taken: who takes it must live to say what became of it.
  const over = Promise.withResolvers<void>()
  call.waitUntil(over.promise)
  let owns = false
  try {
    const claimed = await key.claim()
    if (claimed.kind === 'over') return await replay(key, settlement, claimed.outcome)
    if (claimed.kind === 'conflict') throw conflict()
    if (claimed.kind === 'running') throw running()
    if (left.aborted) {
      await key.release()
      settlement.settle('cancelled')
      throw nobodyWaits()
    }
    owns = true
    return await new Owner(keys.clock, key, call, left, over.resolve).answer(story)
  } finally {
    if (!owns) over.resolve()
  }
}

/** The one request that may spend. */
class Owner {
  readonly #clock: Clock
  readonly #key: IdempotencyKey
  readonly #call: ChatCall
  readonly #left: AbortSignal
  readonly #over: (last: Promise<void>) => void
  readonly #giveUp = new AbortController()
  readonly #stopBeating: () => void
  #cancelGrace: (() => void) | undefined

  constructor(
    clock: Clock,
    key: IdempotencyKey,
    call: ChatCall,
    left: AbortSignal,
    over: (last: Promise<void>) => void,
  ) {
    this.#clock = clock
    this.#key = key
    this.#call = call
    this.#left = left
    this.#over = over
    this.#stopBeating = key.stayAlive()
    left.addEventListener('abort', this.#leave, { once: true })
  }

  async answer(story: (call: ChatCall) => Promise<ChatAnswer>): Promise<ChatAnswer> {
    const giveUp = this.#giveUp.signal
    try {
      const answer = await story({ ...this.#call, signal: () => giveUp })
      const { kind, body } = answer
      if (typeof body === 'string') {
        await this.#finish(kind, body)
        return answer
      }
      const kept = keptStream(body, this.#left, {
        maxBytes: MAX_KEPT_BYTES,
        giveUp,
        onLeave: this.#leave,
        onEnd: (text) => this.#finish(kind, text),
      })
      return { ...answer, body: kept }
    } catch (thrown) {
      const error = toGatewayError(thrown)
      const { mayBeBilled, requestId } = this.#call.settlement
      if (mayBeBilled) await this.#finish('json', JSON.stringify(error.toBody(requestId)), error.code)
      else await this.#remembered(this.#key.release())
      throw error
    }
  }

  /** The caller is gone: a repeat may well be on its way, so the answer is finished for it, if that is soon. */
  readonly #leave = (): void => {
    this.#cancelGrace ??= this.#clock.after(GRACE_MS, () => this.#giveUp.abort())
  }

  async #finish(form: 'json' | 'sse', text: string | undefined, error?: ErrorCode): Promise<void> {
    const outcome = this.#outcome(form, text, error)
    await this.#remembered(outcome.then((known) => this.#key.finish(known)))
  }

  async #outcome(form: 'json' | 'sse', text: string | undefined, error?: ErrorCode): Promise<Outcome> {
    if (this.#giveUp.signal.aborted) return { kind: 'lost', why: 'given_up' }
    if (text === undefined || utf8(text).byteLength > MAX_KEPT_BYTES)
      return { kind: 'lost', why: 'too_large' }
    return this.#key.seal(form, error, text)
  }

  async #remembered(telling: Promise<void>): Promise<void> {
    this.#left.removeEventListener('abort', this.#leave)
    this.#cancelGrace?.()
    const told = telling.finally(this.#stopBeating)
    this.#over(told)
    await withDeadline(this.#clock, REMEMBERED_WITHIN_MS, told).catch(() => {})
  }
}

async function replay(key: IdempotencyKey, settlement: Settlement, outcome: Outcome): Promise<OnceAnswer> {
  if (outcome.kind === 'lost') throw lost(LOST[outcome.why])
  const body = await key.open(outcome)
  if (body === undefined) throw lost('can no longer be opened')
  const { form: kind, error } = outcome
  settlement.replayed = true
  settlement.settle(error === undefined ? 'success' : outcomeOf(ERRORS[error].fault), error)
  const replayedStatus = error === undefined ? 200 : ERRORS[error].status
  return { kind, body, cacheStatus: BYPASS, age: undefined, route: undefined, replayedStatus }
}

const LOST = {
  too_large: 'was too large to be kept',
  given_up: 'was given up half-way, because its caller had left',
} as const

const lost = (what: string) =>
  new GatewayError(
    'conflict',
    `This Idempotency-Key was used before and may have been billed, and the answer of then ${what}.`,
    'Send the request with a new Idempotency-Key to have it answered, and billed, again.',
    { param: 'Idempotency-Key', mayRetry: false },
  )

const conflict = () =>
  new GatewayError(
    'idempotency_conflict',
    'This Idempotency-Key was used for a request with another body.',
    'Send a new key with each new request, and the same body with a key that is repeated.',
    { param: 'Idempotency-Key', mayRetry: false },
  )

const running = () =>
  new GatewayError(
    'idempotency_running',
    'The first request with this Idempotency-Key is still being answered.',
    'Send it again with the same key after the time given in Retry-After.',
    { param: 'Idempotency-Key', retryAfterSeconds: RUNNING_RETRY_AFTER_S },
  )

const nobodyWaits = () =>
  new GatewayError('request_cut_off', 'The caller left before the request was begun.', 'Send it again.')
