import { seriesName } from './catalogue.ts'

const POOLS = ['kv', 'redis', 'supabase', 'upstream'] as const
export type Pool = (typeof POOLS)[number]

/**
 * To each invocation the platform allows so many calls at a time that wait for the head of their answer.
 * @see https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections
 */
const CALLS_A_REQUEST = 6

/** Calls of this isolate that wait for a store's answer, or for a provider's to begin. */
export class Pools {
  readonly #inUse: Record<Pool, number> = { kv: 0, redis: 0, supabase: 0, upstream: 0 }

  /** Counts the call while it waits. Settles as `work` does. */
  async hold<T>(pool: Pool, work: Promise<T>): Promise<T> {
    this.#inUse[pool] += 1
    try {
      return await work
    } finally {
      this.#inUse[pool] -= 1
    }
  }

  /** @param openRequests each may have as many calls under way as the platform allows */
  gauges(openRequests: number): Record<string, number> {
    const max = CALLS_A_REQUEST * Math.max(1, openRequests)
    const gauges: Record<string, number> = {}
    for (const pool of POOLS) {
      const inUse = this.#inUse[pool]
      gauges[seriesName('pool_connections', { pool, state: 'in_use' })] = inUse
      gauges[seriesName('pool_connections', { pool, state: 'idle' })] = Math.max(0, max - inUse)
      gauges[seriesName('pool_max_connections', { pool })] = max
    }
    return gauges
  }
}
