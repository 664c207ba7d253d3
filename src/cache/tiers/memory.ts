import type { Clock } from '../../core/clock.ts'
import { Lru } from '../../core/lru.ts'
import { type CacheEntry, entryBytes } from '../entry.ts'
import type { CacheSlot, CacheTier } from '../tier.ts'

export interface MemoryTierOptions {
  readonly clock: Clock
  readonly maxEntries: number
  readonly maxBytes: number
}

/** One tenant may fill half of an isolate's memory tier, so that the others keep theirs. */
const TENANT_SHARE = 0.5

interface Held {
  readonly entry: CacheEntry
  readonly untilMs: number
}

/** The isolate's own memory: the fastest tier, gone with the isolate. Holds values only, unsealed. */
export class MemoryTier implements CacheTier {
  readonly name = 'memory'
  readonly maxTtlMs = 60 * 60_000
  readonly #clock: Clock
  readonly #held: Lru<Held>

  constructor({ clock, maxEntries, maxBytes }: MemoryTierOptions) {
    this.#clock = clock
    this.#held = new Lru({ maxEntries, maxBytes, ownerShare: TENANT_SHARE })
  }

  async get(slot: CacheSlot): Promise<CacheEntry | undefined> {
    const held = this.#held.get(slot.id)
    if (!held) return undefined
    if (held.untilMs > this.#clock.now()) return held.entry
    this.#held.delete(slot.id)
    return undefined
  }

  async set(slot: CacheSlot, entry: CacheEntry, ttlMs: number): Promise<void> {
    const held = { entry, untilMs: this.#clock.now() + ttlMs }
    this.#held.set(slot.id, held, entryBytes(entry), slot.tenantId)
  }

  async delete(slot: CacheSlot): Promise<void> {
    this.#held.delete(slot.id)
  }
}
