import type { KvStore } from '../../src/core/kv.ts'

const HIDDEN_MS = 60_000
const WRITE_GAP_MS = 1_000
const MIN_TTL_SECONDS = 60

interface Stored {
  readonly value: string
  readonly untilMs: number
}

/**
 * Workers KV as production has it and no local run shows it: a place keeps what it has read for 60 s, misses
 * included, so that writes stay hidden that long; a key takes one write a second; a life under 60 s is refused.
 */
export class KvDouble {
  readonly #now: () => number
  readonly #stored = new Map<string, Stored>()
  readonly #writtenAt = new Map<string, number>()
  writes = 0
  refused = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** How many live values there are, whoever sees them. */
  held(prefix: string): number {
    return [...this.#stored].filter(([key, { untilMs }]) => key.startsWith(prefix) && untilMs > this.#now())
      .length
  }

  /** The store as one edge location sees it. */
  at(): KvStore {
    const seen = new Map<string, { value: string | null; untilMs: number }>()
    return {
      get: async (key) => {
        const known = seen.get(key)
        if (known && known.untilMs > this.#now()) return known.value
        const stored = this.#stored.get(key)
        const value = stored && stored.untilMs > this.#now() ? stored.value : null
        seen.set(key, { value, untilMs: this.#now() + HIDDEN_MS })
        return value
      },
      put: async (key, value, { expirationTtl }) => {
        if (expirationTtl < MIN_TTL_SECONDS) throw new Error('KV PUT failed: 400 Invalid expiration_ttl')
        this.#write(key)
        this.#stored.set(key, { value, untilMs: this.#now() + expirationTtl * 1_000 })
      },
      delete: async (key) => {
        this.#write(key)
        this.#stored.delete(key)
      },
    }
  }

  #write(key: string): void {
    const last = this.#writtenAt.get(key)
    if (last !== undefined && this.#now() - last < WRITE_GAP_MS) {
      this.refused += 1
      throw new Error('KV PUT failed: 429 Too Many Requests')
    }
    this.#writtenAt.set(key, this.#now())
    this.writes += 1
  }
}
