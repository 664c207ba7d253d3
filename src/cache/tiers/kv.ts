import type { KvStore } from '../../core/kv.ts'
import type { CacheEntry } from '../entry.ts'
import type { CacheObserver } from '../observer.ts'
import type { CachePlace, CacheSlot, CacheTier } from '../tier.ts'

/** KV refuses a life under 60 s. */
const MIN_TTL_SECONDS = 60

/** Workers KV: near every caller, eventually consistent, dear to write. */
export class KvTier implements CacheTier {
  readonly name = 'kv'
  readonly maxTtlMs = 60 * 60_000
  readonly #kv: KvStore
  readonly #observer: CacheObserver | undefined

  constructor(kv: KvStore, observer?: CacheObserver) {
    this.#kv = kv
    this.#observer = observer
  }

  async get(slot: CacheSlot): Promise<CacheEntry | undefined> {
    const sealed = await this.#kv.get(place(slot), 'text')
    return sealed === null ? undefined : slot.open(sealed)
  }

  async set(slot: CacheSlot, entry: CacheEntry, ttlMs: number): Promise<void> {
    const expirationTtl = Math.floor(ttlMs / 1_000)
    if (expirationTtl < MIN_TTL_SECONDS) return
    const sealed = await slot.seal(entry)
    await this.#kv.put(place(slot), sealed, { expirationTtl })
    this.#observer?.stock(this.name, 1, sealed.length, expirationTtl * 1_000)
  }

  async delete(slot: CachePlace): Promise<void> {
    const held = this.#observer && (await this.#kv.get(place(slot), 'text'))
    await this.#kv.delete(place(slot))
    // How long it had to live KV does not tell: at most so long.
    if (held) this.#observer?.stock(this.name, -1, held.length, this.maxTtlMs)
  }
}

const place = (slot: CachePlace): string => `cache:${slot.id}`
