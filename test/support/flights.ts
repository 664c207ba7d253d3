import type { Clock } from '../../src/core/clock.ts'
import { FlightDesk, type Place } from '../../src/routing/flight-desk.ts'
import { type Boarded, Flights, type Seat } from '../../src/routing/flights.ts'

/**
 * Flights of one isolate, and the desk that they meet at.
 * @param before waited for by each who joins
 */
export function memoryFlights(clock: Clock, before: () => Promise<void> = async () => {}) {
  let desk = new FlightDesk(clock)
  let death = Promise.withResolvers<never>()
  death.promise.catch(() => {})
  const flights = new Flights(clock, async (slotId, again, tell): Promise<Boarded> => {
    await before()
    const joined = desk.join(slotId, again, tell)
    return 'seat' in joined ? { role: joined.role, seat: seatOf(joined.seat, death.promise) } : joined
  })
  return {
    flights,
    load: () => desk.load,
    /** The desk is gone with all that it knew, and another one is in its place. */
    die: () => {
      desk = new FlightDesk(clock)
      death.reject(new Error('Network connection lost'))
      death = Promise.withResolvers<never>()
      death.promise.catch(() => {})
    },
  }
}

const seatOf = (place: Place, death: Promise<never>): Seat => ({
  next: async () => Promise.race([place.next(), death]),
  say: async (text) => place.say(text),
  end: async (end) => place.end(end),
  fail: async (failure) => place.fail(failure),
  leave: async () => place.leave(),
})
