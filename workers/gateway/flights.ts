import type { Clock } from '../../src/core/clock.ts'
import { type Directory, Flights, type Seat } from '../../src/routing/flights.ts'
import type { Flight } from '../state/flight.ts'

/** Objects of one data centre, over which slots are spread. One holds about 500 misses a second. */
const OBJECTS = 8

/** @param colo the data centre: who is there shares */
export const flightsOf = (
  clock: Clock,
  namespace: DurableObjectNamespace<Flight>,
  colo = 'local',
  joinMs?: number,
): Flights => new Flights(clock, directoryOf(namespace, colo), joinMs)

const directoryOf =
  (namespace: DurableObjectNamespace<Flight>, colo: string): Directory =>
  async (slotId, again, tell) => {
    const object = namespace.get(namespace.idFromName(`${colo}.${slotId.charCodeAt(0) % OBJECTS}`))
    const joined = await object.join(slotId, again, tell as never)
    return 'seat' in joined ? { role: joined.role, seat: seatOf(joined.seat) } : { role: joined.role }
  }

type Far = Seat & Disposable

function seatOf(stub: unknown): Seat {
  const far = stub as Far
  let isWaiting = false
  let isLeft = false
  return {
    next: async () => {
      isWaiting = true
      const heard = await far.next()
      isWaiting = false
      return heard
    },
    say: async (text) => far.say(text),
    end: async (end) => far.end(end),
    fail: async (failure) => far.fail(failure),
    leave: async () => {
      if (isLeft) return
      isLeft = true
      // Letting go says it all, unless an answer is being waited for.
      if (isWaiting) await Promise.resolve(far.leave()).catch(() => {})
      far[Symbol.dispose]()
    },
  }
}
