import gateway from '../../scripts/bench/gateway-entry.ts'
import type { Env } from '../../workers/gateway/env.ts'

interface Door {
  readonly METRICS_SHARD: DurableObjectNamespace
}

/** The gateway, and a door behind which a shard is made to misbehave, or tells of itself. */
export default {
  async fetch(request: Request, env: Env & Door, ctx: ExecutionContext): Promise<Response> {
    if (new URL(request.url).pathname !== '/door') return gateway.fetch(request, env, ctx)
    const { name, method, args } = (await request.json()) as { name: string; method: string; args: unknown[] }
    const shard = env.METRICS_SHARD.get(env.METRICS_SHARD.idFromName(name)) as unknown as Record<
      string,
      (...args: unknown[]) => Promise<unknown>
    >
    return Response.json((await shard[method]?.(...args)) ?? null)
  },
}
