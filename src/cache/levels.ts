import type { ChainLevel } from './chain.ts'
import type { CacheTier } from './tier.ts'

export interface Tiers {
  readonly memory: CacheTier
  readonly kv: CacheTier
  readonly redis: CacheTier
  readonly supabase: CacheTier
}

/** For all levels of one look-up together, milliseconds. */
export const TOTAL_DEADLINE_MS = 150

/**
 * The four levels of the exact cache, fastest first. L1 is the isolate's memory over KV, L2 Redis, L3
 * Supabase. A write to KV costs ten reads, so KV is written only on the second hit below it.
 */
export const cacheLevels = ({ memory, kv, redis, supabase }: Tiers): ChainLevel[] => [
  { tier: memory, admission: 'always' },
  { tier: kv, deadlineMs: 40, admission: 'second-hit' },
  { tier: redis, deadlineMs: 60, admission: 'always' },
  { tier: supabase, deadlineMs: 120, admission: 'always' },
]
