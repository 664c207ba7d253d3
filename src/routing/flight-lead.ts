import type { Origin } from '../cache/entry.ts'
import type { Clock, WaitUntil } from '../core/clock.ts'
import { type GatewayError, toGatewayError } from '../core/errors.ts'
import type { Target } from '../models/provider.ts'
import { type Answered, giverOf, type Shared } from './ask.ts'
import { type FlightEnd, type SharedFailure, toShared } from './flight-words.ts'
import type { Seat } from './flights.ts'
import type { Relayed } from './relay.ts'
import type { Settlement } from './settlement.ts'

/** How long an answer goes on for others without its caller: the platform ends everything 30 s after that. */
const GRACE_MS = 25_000
/** Longer answers are not shared, characters. */
const MAX_SHARED = 1_000_000

export interface LeadCall {
  readonly clock: Clock
  readonly seat: Seat
  /** Fires when the caller leaves. */
  readonly left: AbortSignal
  readonly waitUntil: WaitUntil
  readonly settlement: Settlement
}

/**
 * The one request of a flight that asks the model. It hands over nothing before somebody follows, goes on without
 * its caller as long as somebody does, and otherwise ends when its caller leaves.
 */
export class Lead implements Shared {
  readonly #call: LeadCall
  readonly #giveUp = new AbortController()
  #isFollowed = false
  #relayed: Relayed | undefined
  /** All that was said so far; undefined where it can no longer be had. */
  #said: (() => string | undefined) | undefined
  /** Undefined where it was given up. */
  #end: Promise<FlightEnd | undefined> | undefined
  #hasShared = false
  #unsent = ''
  #sending: Promise<void> | undefined
  #isLeft = false
  #cancelGrace: (() => void) | undefined
  readonly #over = Promise.withResolvers<void>()

  constructor(call: LeadCall) {
    this.#call = call
    call.waitUntil(this.#over.promise)
    if (call.left.aborted) this.cancelled()
    else call.left.addEventListener('abort', this.#onLeft, { once: true })
  }

  /** Ends the call to the model. */
  get signal(): AbortSignal {
    return this.#giveUp.signal
  }

  /** Others began to follow, or the last of them is gone. */
  tell(isFollowed: boolean): void {
    this.#isFollowed = isFollowed
    if (isFollowed) this.#share()
    else if (this.#isLeft) this.#giveUp.abort()
  }

  begins(relayed: Relayed, from: Target): void {
    this.#relayed = relayed
    if (this.#isLeft) relayed.detach()
    this.#said = () => relayed.share((text) => this.#say(text))
    if (this.#isFollowed) this.#share()
    const { settlement } = this.#call
    this.#end = relayed.ended.then((how): FlightEnd | undefined => {
      const origin = originOf(settlement, from, how.verdict.usage)
      if (how.kind === 'left') return undefined
      if (how.kind === 'broken') return { origin, failure: toShared(how.error) }
      return how.verdict.complete ? { origin } : { origin, errorCode: 'upstream_cut_off' }
    })
  }

  readonly #onLeft = () => this.cancelled()

  cancelled(): void {
    if (this.#isLeft) return
    this.#isLeft = true
    if (!this.#isFollowed) {
      this.#giveUp.abort()
      return
    }
    this.#relayed?.detach()
    this.#cancelGrace = this.#call.clock.after(GRACE_MS, () => this.#giveUp.abort())
  }

  /**
   * The model answers.
   * @param over resolves once all is over, and the answer stored where it may be
   */
  answered({ body, answeredBy }: Answered, over: Promise<unknown>): void {
    if (typeof body === 'string') {
      const end = { origin: originOf(this.#call.settlement, answeredBy, this.#call.settlement.usage) }
      this.#end = Promise.resolve(end)
      this.#said = () => (body.length <= MAX_SHARED ? body : undefined)
      if (this.#isFollowed) this.#share()
    }
    void this.#land(over)
  }

  /** The model does not answer. @param asked whether any model was asked at all */
  failed(cause: unknown, asked: boolean): void {
    const failure = this.signal.aborted ? undefined : failureOf(cause, asked)
    this.#call.seat
      .fail(failure)
      .catch(() => {})
      .finally(() => this.#close())
  }

  #share(): void {
    if (this.#hasShared || !this.#said) return
    const said = this.#said()
    // Too long: whoever follows takes over.
    if (said === undefined) this.#stop()
    else {
      this.#hasShared = true
      this.#say(said)
    }
  }

  #say(text: string): void {
    this.#unsent += text
    // A directory that is slower than the model must not fill the memory here.
    if (this.#unsent.length > MAX_SHARED) this.#stop()
    else this.#sending ??= this.#send()
  }

  #stop(): void {
    this.#unsent = ''
    this.#call.seat.fail(undefined).catch(() => {})
    this.tell(false)
  }

  /** One call after the other, each with all that has come meanwhile. */
  async #send(): Promise<void> {
    try {
      while (this.#unsent) {
        const text = this.#unsent
        this.#unsent = ''
        await this.#call.seat.say(text)
      }
    } catch {
      // The directory is gone, and with it everyone who followed.
      this.#unsent = ''
      this.tell(false)
    }
    this.#sending = undefined
  }

  async #land(over: Promise<unknown>): Promise<void> {
    const { seat } = this.#call
    try {
      const end = await this.#end
      if (!end || (end.failure && !this.#hasShared)) return await seat.fail(end?.failure)
      const hasShared = this.#hasShared
      if (hasShared) await this.#finish(end)
      await over
      // Somebody came while it was being stored. Whoever comes later than this looks into the cache.
      if (this.#hasShared && !hasShared) await this.#finish(end)
    } catch {
      // Without the directory there is nobody to tell.
    } finally {
      this.#close()
    }
  }

  async #finish(end: FlightEnd): Promise<void> {
    await this.#sending
    await this.#call.seat.end(end)
  }

  #close(): void {
    this.#cancelGrace?.()
    this.#call.left.removeEventListener('abort', this.#onLeft)
    this.#over.resolve(this.#call.seat.leave())
  }
}

function originOf({ predictionId }: Settlement, from: Target, usage: Origin['usage']): Origin {
  return { predictionId, ...giverOf(from), usage }
}

/** What an account says concerns the key that asked, so the next one asks for itself. */
const OWN: ReadonlySet<string> = new Set([
  'revoked_api_key',
  'budget_exceeded',
  'cost_unbounded',
  'rate_limit_exceeded',
  'over_token_limit',
])

function failureOf(cause: unknown, asked: boolean): SharedFailure | undefined {
  const error: GatewayError = toGatewayError(cause)
  return asked && !OWN.has(error.code) ? toShared(error) : undefined
}
