import type { CacheEntry } from '../../src/cache/entry.ts'
import type { CacheSlot, CacheTier, TierName } from '../../src/cache/tier.ts'
import { HOUR_MS } from '../../src/warming/calendar.ts'

const LIVES_MS = { kv: HOUR_MS, redis: 2 * HOUR_MS, supabase: 24 * HOUR_MS } as const

export interface SimulatedTier extends CacheTier {
  /** Whether the slot was hit before within this tier's life; remembers this hit. */
  readonly hitBefore: (slot: CacheSlot) => Promise<boolean>
}

/** A store that keeps what it is given, for as long as the real one would. */
export function simulatedTier(name: Exclude<TierName, 'memory'>, now: () => number): SimulatedTier {
  const held = new Map<string, { readonly entry: CacheEntry; readonly untilMs: number }>()
  const hits = new Map<string, number>()
  const maxTtlMs = LIVES_MS[name]
  return {
    name,
    maxTtlMs,
    get: async ({ id }) => {
      const kept = held.get(id)
      return kept && kept.untilMs > now() ? kept.entry : undefined
    },
    set: async ({ id }, entry, ttlMs) => {
      held.set(id, { entry, untilMs: now() + ttlMs })
    },
    delete: async ({ id }) => {
      held.delete(id)
    },
    hitBefore: async ({ id }) => {
      const before = (hits.get(id) ?? 0) > now()
      if (!before) hits.set(id, now() + maxTtlMs)
      return before
    },
  }
}
