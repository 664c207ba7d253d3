import type { Clock } from '../../src/core/clock.ts'
import { FlightDesk, type Place } from '../../src/routing/flight-desk.ts'
import { type Boarded, Flights, type Seat } from '../../src/routing/flights.ts'

/** Flights of one isolate, and the desk that they meet at; `before` is waited for by each who joins. */
export function memoryFlights(clock: Clock, before: () => Promise<void> = async () => {}) {
  const desk = new FlightDesk(clock)
  const flights = new Flights(clock, async (slotId, again, tell): Promise<Boarded> => {
    await before()
    const joined = desk.join(slotId, again, tell)
    return 'seat' in joined ? { role: joined.role, seat: seatOf(joined.seat) } : joined
  })
  return { desk, flights }
}

const seatOf = (place: Place): Seat => ({
  next: async () => place.next(),
  say: async (text) => place.say(text),
  end: async (end) => place.end(end),
  land: async (isStored, hasShared) => place.land(isStored, hasShared),
  fail: async (failure) => place.fail(failure),
  leave: async () => place.leave(),
})
