import { DurableObject } from 'cloudflare:workers'
import { Authenticator } from '../../src/tenants/authenticator.ts'
import { KeyDigest } from '../../src/tenants/virtual-key.ts'
import { workerClock } from '../../workers/clock.ts'
import { createFetch } from '../../workers/gateway/app.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { flightsOf } from '../../workers/gateway/flights.ts'
import type { Services } from '../../workers/gateway/services.ts'
import type { Flight } from '../../workers/state/flight.ts'
import { inOrder, providerAt, type RoutingServices, routingServices } from './routing-services.ts'

interface FlightsEnv {
  readonly UPSTREAM: string
  readonly TENANT: string
  /** The deadline of every wait, milliseconds. */
  readonly DEADLINE_MS: string
  /** How long it waits for the directory, milliseconds. */
  readonly JOIN_MS: string
  readonly FLIGHT: DurableObjectNamespace<Flight>
}

/** A directory that never answers. */
export class SilentFlight extends DurableObject {
  join(): Promise<never> {
    return new Promise(() => {})
  }
}

/** A directory that always fails. */
export class BrokenFlight extends DurableObject {
  join(): never {
    throw new Error('overloaded')
  }
}

let made: (RoutingServices & { readonly gateway: Services }) | undefined

function madeOf({ UPSTREAM, TENANT, DEADLINE_MS, JOIN_MS, FLIGHT }: FlightsEnv) {
  if (made) return made
  const ms = Number(DEADLINE_MS)
  const routing = routingServices({
    providers: [providerAt('first', UPSTREAM)],
    aliases: [inOrder('m', 'first:m')],
    limits: { answerMs: ms, connectMs: ms, firstTokenMs: ms, idleMs: ms },
  })
  const { services } = routing
  const directory = {
    find: async () => ({
      keyId: 'key',
      expiresAtMs: null,
      tenant: {
        id: TENANT,
        name: TENANT,
        plan: 'paid',
        epoch: 1,
        cachePolicy: 'all',
        cacheByUser: true,
        keepsText: false,
        budget: 'none',
      } as const,
    }),
  }
  const authenticator = new Authenticator({
    clock: workerClock,
    digest: new KeyDigest('p'.repeat(32)),
    directory,
    store: { get: async () => undefined, put: async () => {} },
  })
  const chat = { ...services.chat, flights: flightsOf(workerClock, FLIGHT, 'local', Number(JOIN_MS)) }
  made = { ...routing, gateway: { ...services, authenticator, chat } }
  return made
}

const handle = createFetch((env) => madeOf(env as unknown as FlightsEnv).gateway as never)

/** What all directories of the place hold. */
async function load({ FLIGHT }: FlightsEnv) {
  const loads = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => FLIGHT.get(FLIGHT.idFromName(`local.${i}`)).load()),
  )
  const sum = (of: 'flights' | 'followers' | 'length') => loads.reduce((total, load) => total + load[of], 0)
  return { flights: sum('flights'), followers: sum('followers'), length: sum('length') }
}

/** The gateway, at /events what it has recorded, and at /load what is shared just now. */
export default {
  fetch: async (request: Request, env: FlightsEnv, ctx: ExecutionContext) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/events') return Response.json(madeOf(env).events)
    if (pathname === '/stored') return Response.json(madeOf(env).stored.length)
    if (pathname === '/load') return Response.json(await load(env))
    return handle(request, env as unknown as Env, ctx)
  },
}
