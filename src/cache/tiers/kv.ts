import type { KvStore } from '../../core/kv.ts'
import type { CacheEntry } from '../entry.ts'
import type { CacheSlot, CacheTier } from '../tier.ts'

/** KV refuses a life under 60 s. */
const MIN_TTL_SECONDS = 60

/** Workers KV: near every caller, eventually consistent, dear to write. */
export class KvTier implements CacheTier {
  readonly name = 'kv'
  readonly maxTtlMs = 60 * 60_000
  readonly #kv: KvStore

  constructor(kv: KvStore) {
    this.#kv = kv
  }

  async get(slot: CacheSlot): Promise<CacheEntry | undefined> {
    const sealed = await this.#kv.get(place(slot), 'text')
    return sealed === null ? undefined : slot.open(sealed)
  }

  async set(slot: CacheSlot, entry: CacheEntry, ttlMs: number): Promise<void> {
    const expirationTtl = Math.floor(ttlMs / 1_000)
    if (expirationTtl < MIN_TTL_SECONDS) return
    await this.#kv.put(place(slot), await slot.seal(entry), { expirationTtl })
  }

  async delete(slot: CacheSlot): Promise<void> {
    await this.#kv.delete(place(slot))
  }
}

const place = (slot: CacheSlot): string => `cache:${slot.id}`
