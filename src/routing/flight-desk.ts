import type { Clock } from '../core/clock.ts'
import type { FlightEnd, Heard, SharedFailure } from './flight-words.ts'

export type Tell = (isFollowed: boolean) => void

export type Joined =
  | { readonly role: 'lead' | 'follow'; readonly seat: Place }
  /** An answer came just now: look for it in the cache. */
  | { readonly role: 'landed' }
  /** There is no room here. */
  | { readonly role: 'alone' }

export interface DeskLimits {
  /** Of one answer that is held for others, characters. Beyond it nobody may join any more. */
  readonly flightLength: number
  /** Of all of them together, characters. */
  readonly totalLength: number
}

const LIMITS: DeskLimits = { flightLength: 1_000_000, totalLength: 32_000_000 }
/** How long it is remembered that an answer came, and so was most likely stored: longer than a request takes from its look-up to here. */
const LANDED_MS = 2_000
/**
 * How long one call waits. A runtime does not tell that the caller is gone before its call has been answered, so this is
 * how long a request that was killed may still count.
 */
const NEXT_MS = 5_000
/** When as many leaders have failed at the provider, all others get the last one's failure. */
const MAX_FAILURES = 2

interface Flight {
  readonly slot: string
  leader: Place
  readonly followers: Set<Place>
  /** What was said and is still held. */
  readonly texts: string[]
  /** How many texts before those are held no more. */
  dropped: number
  length: number
  isFull: boolean
  failures: number
  end: FlightEnd | undefined
  /** What the others get instead of an answer. */
  failure: SharedFailure | undefined
  isLost: boolean
  isLanded: boolean
}

const saidIn = ({ dropped, texts }: Flight): number => dropped + texts.length

/**
 * Who asks a model for which slot, and who waits for that. Holds of an answer only what a leader hands over, which is
 * nothing before somebody follows. In memory only: when it is gone, each asks for itself.
 */
export class FlightDesk {
  readonly clock: Clock
  readonly #limits: DeskLimits
  readonly #flights = new Map<string, Flight>()
  /** Until when; oldest first. */
  readonly #landed = new Map<string, number>()
  #length = 0

  constructor(clock: Clock, limits: DeskLimits = LIMITS) {
    this.clock = clock
    this.#limits = limits
  }

  /** How many answers are asked for, how many requests wait for them, and what is held of them, characters. */
  get load(): { readonly flights: number; readonly followers: number; readonly length: number } {
    const flights = [...this.#flights.values()]
    const followers = flights.reduce((sum, flight) => sum + flight.followers.size, 0)
    return { flights: flights.length, followers, length: this.#length }
  }

  /**
   * @param again whether the cache was looked at once more after `landed`
   * @param tell called whenever the seat leads and begins or ceases to be followed
   */
  join(slot: string, again: boolean, tell: Tell): Joined {
    const flight = this.#flights.get(slot)
    if (flight) return this.#follow(flight, tell)
    if (!again && this.#hasLanded(slot)) return { role: 'landed' }
    const seat = new Place(this, tell)
    seat.flight = {
      slot,
      leader: seat,
      followers: new Set(),
      texts: [],
      dropped: 0,
      length: 0,
      isFull: false,
      failures: 0,
      end: undefined,
      failure: undefined,
      isLost: false,
      isLanded: false,
    }
    this.#flights.set(slot, seat.flight)
    return { role: 'lead', seat }
  }

  #follow(flight: Flight, tell: Tell): Joined {
    if (flight.isFull || this.#length >= this.#limits.totalLength) return { role: 'alone' }
    const seat = new Place(this, tell)
    seat.flight = flight
    flight.followers.add(seat)
    if (flight.followers.size === 1) flight.leader.tell(true)
    return { role: 'follow', seat }
  }

  say(flight: Flight, text: string): void {
    flight.texts.push(text)
    flight.length += text.length
    this.#length += text.length
    // Whoever waits has read it before anybody is called slow.
    wakeAll(flight)
    this.#bound(flight)
  }

  /** Makes room: by what all have read, and then by cutting off who reads too slowly. */
  #bound(flight: Flight): void {
    const others = this.#length - flight.length
    const room = Math.min(this.#limits.flightLength, this.#limits.totalLength - others)
    while (flight.length > room && flight.texts.length > 0) {
      flight.isFull = true
      for (const seat of flight.followers) if (seat.read === flight.dropped) this.#cut(flight, seat)
      const { length } = flight.texts.shift() as string
      flight.dropped += 1
      flight.length -= length
      this.#length -= length
    }
  }

  #cut(flight: Flight, seat: Place): void {
    seat.isCut = true
    this.unfollow(flight, seat)
  }

  /** The leader is done: those to whom nothing was said look into the cache. In mid-sentence, the rest is lost. */
  left(flight: Flight): void {
    if (!flight.end && saidIn(flight) > 0) flight.isLost = true
    else {
      flight.isLanded = true
      this.#landed.delete(flight.slot)
      this.#landed.set(flight.slot, this.clock.now() + LANDED_MS)
    }
    this.#remove(flight)
    wakeAll(flight)
  }

  /** @param failure the provider's, which the others would most likely meet too */
  failed(flight: Flight, failure: SharedFailure | undefined): void {
    if (failure) flight.failures += 1
    if (failure && flight.failures >= MAX_FAILURES) {
      flight.failure = failure
      this.#remove(flight)
      wakeAll(flight)
    } else this.#handOver(flight)
  }

  /** Where nothing was said the next in turn takes over, otherwise the rest is lost. */
  #handOver(flight: Flight): void {
    const [next] = flight.followers
    if (saidIn(flight) > 0 || !next) {
      flight.isLost = true
      this.#remove(flight)
      wakeAll(flight)
      return
    }
    flight.followers.delete(next)
    flight.leader = next
    next.wake()
    if (flight.followers.size > 0) next.tell(true)
  }

  unfollow(flight: Flight, seat: Place): void {
    if (!flight.followers.delete(seat) || flight.followers.size > 0) return
    if (this.#flights.get(flight.slot) === flight) flight.leader.tell(false)
    else this.#release(flight)
  }

  #remove(flight: Flight): void {
    if (this.#flights.get(flight.slot) === flight) this.#flights.delete(flight.slot)
    if (flight.followers.size === 0) this.#release(flight)
  }

  #release(flight: Flight): void {
    this.#length -= flight.length
    flight.length = 0
    flight.texts.length = 0
  }

  #hasLanded(slot: string): boolean {
    const nowMs = this.clock.now()
    for (const [old, untilMs] of this.#landed) {
      if (untilMs > nowMs) break
      this.#landed.delete(old)
    }
    return this.#landed.has(slot)
  }
}

function wakeAll(flight: Flight): void {
  for (const seat of [...flight.followers]) seat.wake()
}

/** One request's place in a flight: it leads or follows, and may come to lead. */
export class Place {
  readonly tell: Tell
  /** Set as soon as it is made. */
  declare flight: Flight
  /** How many texts it has read, with those that are held no more. */
  read = 0
  isCut = false
  readonly #desk: FlightDesk
  #resolve: ((heard: Heard) => void) | undefined
  #isGone = false

  constructor(desk: FlightDesk, tell: Tell) {
    this.#desk = desk
    this.tell = tell
  }

  get #leads(): boolean {
    return this.flight.leader === this && !this.#isGone
  }

  /** Waits for the next that there is to hear. One wait at a time. */
  next(): Promise<Heard> {
    const heard = this.#hear()
    if (heard) return Promise.resolve(heard)
    return new Promise((resolve) => {
      const cancel = this.#desk.clock.after(NEXT_MS, () => this.#resolve?.({ kind: 'nothing' }))
      this.#resolve = (heard) => {
        cancel()
        this.#resolve = undefined
        resolve(heard)
      }
    })
  }

  wake(): void {
    const heard = this.#resolve && this.#hear()
    if (heard) this.#resolve?.(heard)
  }

  #hear(): Heard | undefined {
    const { flight } = this
    if (this.isCut || this.#isGone) return { kind: 'lost' }
    if (flight.leader === this) return { kind: 'lead' }
    const unread = flight.texts.slice(this.read - flight.dropped)
    if (unread.length > 0) {
      this.read += unread.length
      return { kind: 'text', text: unread.join('') }
    }
    if (flight.end) return { kind: 'over', end: flight.end }
    if (flight.failure) return { kind: 'failed', failure: flight.failure }
    if (flight.isLost) return { kind: 'lost' }
    return flight.isLanded ? { kind: 'landed' } : undefined
  }

  say(text: string): void {
    if (this.#leads) this.#desk.say(this.flight, text)
  }

  /** All was said; the answer may still have to be stored. */
  end(end: FlightEnd): void {
    if (!this.#leads) return
    this.flight.end = end
    wakeAll(this.flight)
  }

  /** There is no answer to be had from this one. @param failure what others would meet, too */
  fail(failure: SharedFailure | undefined): void {
    if (!this.#leads) return
    this.#isGone = true
    this.#desk.failed(this.flight, failure)
  }

  /** Nobody sits here any more: of a leader, once its answer is stored. */
  leave(): void {
    if (this.#isGone) return
    const leads = this.#leads
    this.#isGone = true
    this.wake()
    if (leads) this.#desk.left(this.flight)
    else this.#desk.unfollow(this.flight, this)
  }
}
