import type { SupabaseClient } from '@supabase/supabase-js'
import { CacheChain } from '../../src/cache/chain.ts'
import { cacheLevels, TOTAL_DEADLINE_MS } from '../../src/cache/levels.ts'
import type { CacheObserver } from '../../src/cache/observer.ts'
import type { CacheTier } from '../../src/cache/tier.ts'
import { KvTier } from '../../src/cache/tiers/kv.ts'
import { MemoryTier } from '../../src/cache/tiers/memory.ts'
import { RedisTier } from '../../src/cache/tiers/redis.ts'
import { SupabaseTier } from '../../src/cache/tiers/supabase.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { KvStore } from '../../src/core/kv.ts'
import type { Pool, Pools } from '../../src/metrics/pools.ts'
import { readerConnector, redisConnector } from './connectors.ts'
import { type Env, positiveInteger } from './env.ts'

const MEMORY_BYTES = 24 * 1024 * 1024

export interface CacheParts {
  readonly env: Env
  readonly clock: Clock
  readonly observer: CacheObserver
  readonly pools: Pools
  readonly kv: KvStore
  readonly supabase: () => SupabaseClient
}

/** The three levels, over this isolate's memory, KV, Redis and Supabase. */
export function cacheChain({ env, clock, observer, pools, kv, supabase }: CacheParts): CacheChain {
  const redis = new RedisTier(redisConnector(env), observer)
  return new CacheChain({
    clock,
    observer,
    random: Math.random,
    totalDeadlineMs: TOTAL_DEADLINE_MS,
    hitBefore: (slot) => pools.hold('redis', redis.hitBefore(slot)),
    levels: cacheLevels({
      memory: new MemoryTier({
        clock,
        maxEntries: positiveInteger(env, 'CACHE_MEMORY_ENTRIES', 1_000),
        maxBytes: MEMORY_BYTES,
        observer,
      }),
      kv: new KvTier(kv, observer),
      redis: pooledTier(redis, 'redis', pools),
      supabase: new SupabaseTier({
        reader: readerConnector(env, pools),
        writer: supabase,
        now: clock.now,
        observer,
      }),
    }),
  })
}

/** For a client that cannot be told of each call. */
const pooledTier = (tier: CacheTier, pool: Pool, pools: Pools): CacheTier => ({
  name: tier.name,
  maxTtlMs: tier.maxTtlMs,
  get: (slot) => pools.hold(pool, tier.get(slot)),
  set: (slot, entry, ttlMs) => pools.hold(pool, tier.set(slot, entry, ttlMs)),
  delete: (slot) => pools.hold(pool, tier.delete(slot)),
})
