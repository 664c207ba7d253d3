import { Breaker } from '../core/breaker.ts'
import type { Clock, Watch } from '../core/clock.ts'
import type { FlightEnd, Heard, SharedFailure } from './flight-words.ts'

/** A request's seat in a flight, wherever the flight is kept; see `Place`. Every call may reject. */
export interface Seat {
  next(): Promise<Heard>
  say(text: string): Promise<void>
  end(end: FlightEnd): Promise<void>
  fail(failure: SharedFailure | undefined): Promise<void>
  /** @returns once the directory knows; never rejects */
  leave(): Promise<void>
}

export type Boarded =
  | { readonly role: 'lead' | 'follow'; readonly seat: Seat }
  | { readonly role: 'landed' }
  | { readonly role: 'alone' }

/** The directory of all flights of this place; see `FlightDesk`. May reject. */
export type Directory = (
  slotId: string,
  again: boolean,
  tell: (isFollowed: boolean) => void,
) => Promise<Boarded>

/** How long a request waits for the directory, milliseconds: sharing must not cost more than it spares. */
const JOIN_MS = 50

const ALONE: Boarded = { role: 'alone' }

/** The way to the directory. Where it fails or is slow each request asks for itself. Holds values only. */
export class Flights {
  readonly #clock: Clock
  readonly #directory: Directory
  readonly #joinMs: number
  readonly #breaker = new Breaker()

  constructor(clock: Clock, directory: Directory, joinMs = JOIN_MS) {
    this.#clock = clock
    this.#directory = directory
    this.#joinMs = joinMs
  }

  /** Never rejects. */
  async join(
    slotId: string,
    again: boolean,
    tell: (isFollowed: boolean) => void,
    watch: Watch,
  ): Promise<Boarded> {
    if (!this.#breaker.allows(this.#clock.now())) return ALONE
    const joining = this.#directory(slotId, again, tell)
    try {
      const boarded = await watch.within(this.#joinMs, joining)
      this.#breaker.success()
      return boarded
    } catch {
      this.#breaker.failure(this.#clock.now())
      // A seat that comes too late must not be taken for one whose request is at work.
      joining.then((late) => ('seat' in late ? late.seat.leave() : undefined)).catch(() => {})
      return ALONE
    }
  }
}
