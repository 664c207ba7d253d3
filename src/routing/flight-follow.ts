import { utf8 } from '../core/bytes.ts'
import { DeadlineError, type WaitUntil, type Watch } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { sseEvent } from '../providers/sse.ts'
import type { AttemptLimits } from './attempt.ts'
import { type FlightEnd, type Heard, toError } from './flight-words.ts'
import type { Seat } from './flights.ts'
import { outcomeOf, type Settlement } from './settlement.ts'

export interface FollowCall {
  readonly seat: Seat
  readonly kind: 'json' | 'sse'
  readonly limits: AttemptLimits
  readonly watch: Watch
  /** Fires when the caller leaves. */
  readonly left: AbortSignal
  readonly waitUntil: WaitUntil
  readonly settlement: Settlement
}

/**
 * What came of following: an answer; `lead`: it is to ask the model, for all who still wait; `landed`: the answer is
 * to be found in the cache; `lost`: the directory is
 * gone, or the answer, of which nothing was passed on; `late`: it has waited as long as it would for a model.
 */
export type Followed =
  | { readonly kind: 'answer'; readonly body: string | ReadableStream<Uint8Array> }
  | { readonly kind: 'lead' | 'landed' | 'lost' | 'late' }

/** A leader ends a silent stream itself; its word of that takes a moment. */
const IDLE_MORE_MS = 1_000

/**
 * Waits for another request's answer. Settles what it answers.
 * @throws GatewayError what the model answered those who asked it
 */
export async function follow(call: FollowCall): Promise<Followed> {
  const { settlement, limits, kind, left } = call
  settlement.follow()
  const follower = new Follower(call)
  const firstMs = kind === 'json' ? limits.answerMs : limits.connectMs + limits.firstTokenMs
  const first = await follower.next(firstMs)
  if (first.kind === 'lead') {
    follower.pause()
    return first
  }
  if (first.kind === 'text')
    return kind === 'sse'
      ? { kind: 'answer', body: follower.stream(first.text) }
      : follower.whole(first.text, firstMs)
  follower.close()
  if (left.aborted) {
    settlement.settle('cancelled')
    throw nobodyWaits()
  }
  if (first.kind === 'failed') throw toError(first.failure)
  return { kind: first.kind === 'late' || first.kind === 'landed' ? first.kind : 'lost' }
}

class Follower {
  readonly #call: FollowCall
  #isOver = false

  constructor(call: FollowCall) {
    this.#call = call
    // What is being waited for answers at once then.
    if (call.left.aborted) this.#leave()
    else call.left.addEventListener('abort', this.#leave, { once: true })
  }

  readonly #leave = (): void => {
    this.close()
    this.#call.settlement.settle('cancelled')
  }

  /** @param ms how long to wait; never rejects */
  async next(ms: number): Promise<Exclude<Heard, { kind: 'nothing' }> | { kind: 'late' }> {
    const { watch, seat } = this.#call
    try {
      return await watch.within(ms, heardFrom(seat))
    } catch (cause) {
      return { kind: cause instanceof DeadlineError ? 'late' : 'lost' }
    }
  }

  /** A plain answer: no byte of it goes out before the last. */
  async whole(begun: string, ms: number): Promise<Followed> {
    let body = begun
    for (;;) {
      const heard = await this.next(ms)
      if (heard.kind === 'text') body += heard.text
      else {
        this.close()
        if (this.#call.left.aborted) throw nobodyWaits()
        if (heard.kind !== 'over') return { kind: heard.kind === 'late' ? 'late' : 'lost' }
        this.#settle(heard.end)
        return { kind: 'answer', body }
      }
    }
  }

  stream(begun: string): ReadableStream<Uint8Array> {
    const { limits, settlement } = this.#call
    let unsent: string | undefined = begun
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        if (unsent === undefined) {
          const heard = await this.next(limits.idleMs + IDLE_MORE_MS)
          if (this.#isOver) return
          if (heard.kind !== 'text') {
            const error = heard.kind === 'over' ? this.#settle(heard.end) : this.#broken()
            if (error) controller.enqueue(utf8(sseEvent(error.toBody(settlement.requestId))))
            this.close()
            return controller.close()
          }
          unsent = heard.text
        }
        controller.enqueue(utf8(unsent))
        unsent = undefined
      },
      cancel: this.#leave,
    })
  }

  /** It goes on in the same seat, as a leader. */
  pause(): void {
    this.#isOver = true
    this.#call.left.removeEventListener('abort', this.#leave)
  }

  close(): void {
    if (this.#isOver) return
    this.pause()
    this.#call.watch.stop()
    this.#call.waitUntil(this.#call.seat.leave())
  }

  /** @returns what a stream is to end with */
  #settle({ origin, failure, errorCode }: FlightEnd): GatewayError | undefined {
    const { settlement } = this.#call
    if (failure) {
      const error = toError(failure)
      settlement.settle(outcomeOf(error.fault), error.code)
      return error
    }
    if (errorCode === undefined) settlement.origin = origin
    settlement.settle(errorCode === undefined ? 'success' : 'error', errorCode)
    return undefined
  }

  #broken(): GatewayError {
    const error = brokenOff()
    this.#call.settlement.settle(outcomeOf(error.fault), error.code)
    return error
  }
}

async function heardFrom(seat: Seat): Promise<Exclude<Heard, { kind: 'nothing' }>> {
  for (;;) {
    const heard = await seat.next()
    if (heard.kind !== 'nothing') return heard
  }
}

const brokenOff = () =>
  new GatewayError(
    'upstream_cut_off',
    'The answer broke off: the request that it was shared with ended before it was whole.',
    'Send the request again.',
  )

/** Nobody reads it. */
const nobodyWaits = () =>
  new GatewayError('request_cut_off', 'The caller left before the answer came.', 'Send it again.')
