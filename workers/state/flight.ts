import { DurableObject, RpcTarget } from 'cloudflare:workers'
import { FlightDesk, type Place } from '../../src/routing/flight-desk.ts'
import type { FlightEnd, Heard, SharedFailure } from '../../src/routing/flight-words.ts'
import { workerClock } from '../clock.ts'

type TellStub = ((isFollowed: boolean) => Promise<void>) & Disposable & { dup(): TellStub }

/**
 * Says who in a data centre asks a model for which answer, and passes the answer to those who wait for the same one
 * (see docs/decisions/0025). Nothing is stored: each seat ends with its request, however that ends.
 */
export class Flight extends DurableObject {
  readonly #desk = new FlightDesk(workerClock)

  join(slot: string, again: boolean, tell: TellStub) {
    // The argument's own stub ends with this call.
    const kept = tell.dup()
    let place: Place | undefined
    const joined = this.#desk.join(slot, again, (isFollowed) => {
      // Whoever cannot be told has ended, and the runtime did not say so yet.
      kept(isFollowed).catch(() => place?.leave())
    })
    if (!('seat' in joined)) {
      kept[Symbol.dispose]()
      return joined
    }
    place = joined.seat
    return { role: joined.role, seat: new Seat(place, kept) }
  }

  load() {
    return this.#desk.load
  }
}

/** Lives on the request's own call to the object, and dies with it. */
class Seat extends RpcTarget {
  readonly #place: Place
  readonly #tell: TellStub

  constructor(place: Place, tell: TellStub) {
    super()
    this.#place = place
    this.#tell = tell
  }

  next(): Promise<Heard> {
    return this.#place.next()
  }

  say(text: string): void {
    this.#place.say(text)
  }

  end(end: FlightEnd): void {
    this.#place.end(end)
  }

  fail(failure: SharedFailure | undefined): void {
    this.#place.fail(failure)
  }

  leave(): void {
    this.#place.leave()
  }

  [Symbol.dispose](): void {
    this.#place.leave()
    this.#tell[Symbol.dispose]()
  }
}
