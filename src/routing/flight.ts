import type { Clock, WaitUntil, Watch } from '../core/clock.ts'
import type { Answered } from './ask.ts'
import type { AttemptLimits } from './attempt.ts'
import { type Followed, follow } from './flight-follow.ts'
import { Lead } from './flight-lead.ts'
import type { Flights, Seat } from './flights.ts'
import type { Settlement } from './settlement.ts'

export interface FlightServices {
  readonly clock: Clock
  readonly limits: AttemptLimits
}

/** A request that missed, and others like it may be under way. */
export interface FlightCall<Hit> {
  readonly slotId: string
  readonly kind: 'json' | 'sse'
  readonly watch: Watch
  readonly signal: () => AbortSignal
  readonly waitUntil: WaitUntil
  readonly settlement: Settlement
  /** Looks into the cache once more. */
  readonly lookAgain: () => Promise<Hit | undefined>
  /** The request waits for another one. May throw, where it must not. */
  readonly follows: () => void
  /** Asks the model. @param lead who answers for that, where others may wait for it */
  readonly ask: (lead: Lead | undefined) => Promise<Asked>
}

export interface Asked extends Answered {
  /** Resolves once all is over, and the answer stored where it may be. */
  readonly over: Promise<unknown>
}

/** Where a request got its answer from. */
export type Flown<Hit> =
  | { readonly kind: 'hit'; readonly hit: Hit }
  | { readonly kind: 'shared'; readonly body: string | ReadableStream<Uint8Array> }
  /** `followed`: it waited for another one in vain. */
  | { readonly kind: 'asked'; readonly answered: Answered; readonly followed: boolean }

/** A request whose flight is lost twice asks for itself. */
const MAX_TRIES = 3

/**
 * Answers the request by one call to the model for all that are like it and under way in this place.
 * @throws GatewayError
 */
export async function fly<Hit>(
  services: FlightServices,
  flights: Flights,
  call: FlightCall<Hit>,
): Promise<Flown<Hit>> {
  const { clock, limits } = services
  const { slotId, kind, watch, waitUntil, settlement } = call
  let again = false
  let followed = false
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    let lead: Lead | undefined
    let isFollowed = false
    const tell = (now: boolean) => {
      isFollowed = now
      lead?.tell(now)
    }
    const boarded = await flights.join(slotId, again, tell, watch)
    if (boarded.role === 'alone') break
    let came: Followed['kind'] | 'follow' = boarded.role
    if (boarded.role === 'follow') {
      const { seat } = boarded
      if (!followed) mayFollow(call, seat)
      followed = true
      const heard = await follow({ seat, kind, limits, watch, left: call.signal(), waitUntil, settlement })
      if (heard.kind === 'answer') return { kind: 'shared', body: heard.body }
      came = heard.kind
    }
    if (came === 'late') break
    if (came === 'landed') {
      const hit = await call.lookAgain()
      if (hit !== undefined) return { kind: 'hit', hit }
      again = true
    }
    if (came !== 'lead' || !('seat' in boarded)) continue
    lead = new Lead({ clock, seat: boarded.seat, left: call.signal(), waitUntil, settlement })
    if (isFollowed) lead.tell(true)
    return { kind: 'asked', answered: await led(call, lead), followed }
  }
  return { kind: 'asked', answered: await call.ask(undefined), followed }
}

function mayFollow<Hit>({ follows, watch, waitUntil }: FlightCall<Hit>, seat: Seat): void {
  try {
    follows()
  } catch (cause) {
    watch.stop()
    waitUntil(seat.leave())
    throw cause
  }
}

async function led<Hit>({ ask, settlement }: FlightCall<Hit>, lead: Lead): Promise<Answered> {
  try {
    const asked = await ask(lead)
    lead.answered(asked, asked.over)
    return asked
  } catch (cause) {
    lead.failed(cause, settlement.attempted > 0)
    throw cause
  }
}
