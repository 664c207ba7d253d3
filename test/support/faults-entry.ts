import { createFetch } from '../../workers/gateway/app.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { inOrder, providerAt, type RoutingServices, routingServices } from './routing-services.ts'

interface FaultsEnv {
  readonly FIRST: string
  readonly SECOND: string
  /** The deadline of every wait, milliseconds. */
  readonly DEADLINE_MS: string
}

let made: RoutingServices | undefined

function madeOf({ FIRST, SECOND, DEADLINE_MS }: FaultsEnv): RoutingServices {
  const ms = Number(DEADLINE_MS)
  made ??= routingServices({
    providers: [providerAt('first', FIRST), providerAt('second', SECOND)],
    aliases: [inOrder('m', 'first:m', 'second:m'), inOrder('one', 'first:m')],
    limits: { answerMs: ms, connectMs: ms, firstTokenMs: ms, idleMs: ms },
  })
  return made
}

const handle = createFetch((env) => madeOf(env as unknown as FaultsEnv).services)

/** The gateway, and at /events what it has recorded. */
export default {
  fetch: (request: Request, env: FaultsEnv, ctx: ExecutionContext) =>
    new URL(request.url).pathname === '/events'
      ? Response.json(madeOf(env).events)
      : handle(request, env as unknown as Env, ctx),
}
