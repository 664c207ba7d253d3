import type { SupabaseClient } from '@supabase/supabase-js'
import { CacheChain } from '../../src/cache/chain.ts'
import { cacheLevels, TOTAL_DEADLINE_MS } from '../../src/cache/levels.ts'
import type { CacheObserver } from '../../src/cache/observer.ts'
import { KvTier } from '../../src/cache/tiers/kv.ts'
import { MemoryTier } from '../../src/cache/tiers/memory.ts'
import { RedisTier } from '../../src/cache/tiers/redis.ts'
import { SupabaseTier } from '../../src/cache/tiers/supabase.ts'
import type { Clock } from '../../src/core/clock.ts'
import { readerConnector, redisConnector } from './connectors.ts'
import { type Env, positiveInteger } from './env.ts'

const MEMORY_BYTES = 24 * 1024 * 1024

/** The three levels, over this isolate's memory, KV, Redis and Supabase. */
export function cacheChain(
  env: Env,
  clock: Clock,
  observer: CacheObserver,
  supabase: () => SupabaseClient,
): CacheChain {
  const redis = new RedisTier(redisConnector(env), observer)
  return new CacheChain({
    clock,
    observer,
    random: Math.random,
    totalDeadlineMs: TOTAL_DEADLINE_MS,
    hitBefore: (slot) => redis.hitBefore(slot),
    levels: cacheLevels({
      memory: new MemoryTier({
        clock,
        maxEntries: positiveInteger(env, 'CACHE_MEMORY_ENTRIES', 1_000),
        maxBytes: MEMORY_BYTES,
        observer,
      }),
      kv: new KvTier(env.CACHE, observer),
      redis,
      supabase: new SupabaseTier({
        reader: readerConnector(env),
        writer: supabase,
        now: clock.now,
        observer,
      }),
    }),
  })
}
