import type { Redis } from '@upstash/redis/cloudflare'
import type { CacheEntry } from '../entry.ts'
import type { CacheObserver } from '../observer.ts'
import type { CachePlace, CacheSlot, CacheTier } from '../tier.ts'

/** Redis at Upstash, over HTTP: one region, shared by every isolate. */
export class RedisTier implements CacheTier {
  readonly name = 'redis'
  readonly maxTtlMs = 2 * 60 * 60_000
  readonly #connect: () => Redis
  readonly #observer: CacheObserver | undefined

  /**
   * @param connect a client for one call (Upstash's keeps state that must not cross requests), which hands
   * values over as plain text
   */
  constructor(connect: () => Redis, observer?: CacheObserver) {
    this.#connect = connect
    this.#observer = observer
  }

  async get(slot: CacheSlot): Promise<CacheEntry | undefined> {
    const sealed = await this.#connect().get<string>(place(slot))
    return sealed === null ? undefined : slot.open(sealed)
  }

  async set(slot: CacheSlot, entry: CacheEntry, ttlMs: number): Promise<void> {
    const sealed = await slot.seal(entry)
    const px = Math.max(1, Math.floor(ttlMs))
    await this.#connect().set(place(slot), sealed, { px })
    this.#observer?.stock(this.name, 1, sealed.length, px)
  }

  async delete(slot: CachePlace): Promise<void> {
    const [bytes, lifeMs] = await this.#connect()
      .pipeline()
      .strlen(place(slot))
      .pttl(place(slot))
      .del(place(slot))
      .exec()
    if (lifeMs > 0) this.#observer?.stock(this.name, -1, bytes, lifeMs)
  }

  /** Whether the slot was hit before within this tier's life; remembers this hit. One command. */
  async hitBefore(slot: CacheSlot): Promise<boolean> {
    const first = await this.#connect().set(`hit:${slot.id}`, '1', { px: this.maxTtlMs, nx: true })
    return first === null
  }
}

const place = (slot: CachePlace): string => `cache:${slot.id}`
