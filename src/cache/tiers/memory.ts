import type { Clock } from '../../core/clock.ts'
import { Lru } from '../../core/lru.ts'
import { type CacheEntry, entryBytes } from '../entry.ts'
import type { CacheObserver } from '../observer.ts'
import type { CachePlace, CacheSlot, CacheTier } from '../tier.ts'

export interface MemoryTierOptions {
  readonly clock: Clock
  readonly maxEntries: number
  readonly maxBytes: number
  readonly observer?: CacheObserver | undefined
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
  readonly #observer: CacheObserver | undefined

  constructor({ clock, maxEntries, maxBytes, observer }: MemoryTierOptions) {
    this.#clock = clock
    this.#observer = observer
    const limits = { maxEntries, maxBytes, ownerShare: TENANT_SHARE }
    this.#held = new Lru(limits, (held) => this.#gaveUp(held, 'capacity'))
  }

  async get(slot: CacheSlot): Promise<CacheEntry | undefined> {
    const held = this.#held.get(slot.id)
    if (!held) return undefined
    if (held.untilMs > this.#clock.now()) return held.entry
    this.#held.delete(slot.id)
    this.#gaveUp(held, 'ttl')
    this.#tell()
    return undefined
  }

  async set(slot: CacheSlot, entry: CacheEntry, ttlMs: number): Promise<void> {
    const held = { entry, untilMs: this.#clock.now() + ttlMs }
    this.#held.set(slot.id, held, entryBytes(entry), slot.tenantId)
    this.#tell()
  }

  async delete(slot: CachePlace): Promise<void> {
    this.#held.delete(slot.id)
    this.#tell()
  }

  #gaveUp({ entry }: Held, reason: 'capacity' | 'ttl'): void {
    this.#observer?.gaveUp(this.name, reason, this.#clock.now() - entry.storedAtMs)
  }

  #tell(): void {
    this.#observer?.holds(this.name, this.#held.size, this.#held.bytes)
  }
}
