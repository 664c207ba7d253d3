interface Item<V> {
  readonly value: V
  readonly bytes: number
  readonly owner: string
  /** Used since the hand last came by. */
  used: boolean
}

export interface LruLimits {
  readonly maxEntries: number
  readonly maxBytes: number
  /** The largest part of `maxEntries` and `maxBytes` that one owner may hold, 0 to 1. */
  readonly ownerShare: number
}

/**
 * A map that drops what was not used lately, bounded in entries, in bytes, and in each owner's share. It keeps
 * the order by second chance (CLOCK): reading only sets a mark. Moving each entry that is read to the end,
 * as plain LRU does, was measured to cost a quarter of a whole cache hit.
 */
export class Lru<V> {
  readonly #items = new Map<string, Item<V>>()
  readonly #owners = new Map<string, { entries: number; bytes: number }>()
  readonly #limits: LruLimits
  readonly #dropped: ((value: V) => void) | undefined
  #bytes = 0

  /** @param dropped is told what had to go to make room */
  constructor(limits: LruLimits, dropped?: (value: V) => void) {
    this.#limits = limits
    this.#dropped = dropped
  }

  get size(): number {
    return this.#items.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): V | undefined {
    const item = this.#items.get(key)
    if (!item) return undefined
    item.used = true
    return item.value
  }

  /** Keeps the value unless it alone is over a limit. Makes room at the owner's own expense first. */
  set(key: string, value: V, bytes: number, owner: string): void {
    this.delete(key)
    const { maxEntries, maxBytes, ownerShare } = this.#limits
    const ownerBytes = maxBytes * ownerShare
    const ownerEntries = Math.max(1, maxEntries * ownerShare)
    if (bytes > ownerBytes) return
    const held = this.#owners.get(owner)
    if (held && (held.entries + 1 > ownerEntries || held.bytes + bytes > ownerBytes)) {
      this.#dropOldest(
        (item) => item.owner === owner,
        () => held.entries + 1 > ownerEntries || held.bytes + bytes > ownerBytes,
      )
    }
    this.#dropOldest(
      () => true,
      () => this.#items.size + 1 > maxEntries || this.#bytes + bytes > maxBytes,
    )
    this.#items.set(key, { value, bytes, owner, used: false })
    this.#count(owner, 1, bytes)
  }

  delete(key: string): void {
    const item = this.#items.get(key)
    if (!item) return
    this.#items.delete(key)
    this.#count(item.owner, -1, -item.bytes)
  }

  #dropOldest(eligible: (item: Item<V>) => boolean, full: () => boolean): void {
    if (!full()) return
    // Whoever was used goes to the end with its mark gone, where the same walk meets it again.
    for (const [key, item] of this.#items) {
      if (!eligible(item)) continue
      if (item.used) {
        item.used = false
        this.#items.delete(key)
        this.#items.set(key, item)
        continue
      }
      this.delete(key)
      this.#dropped?.(item.value)
      if (!full()) return
    }
  }

  #count(owner: string, entries: number, bytes: number): void {
    this.#bytes += bytes
    const held = this.#owners.get(owner) ?? { entries: 0, bytes: 0 }
    held.entries += entries
    held.bytes += bytes
    if (held.entries === 0) this.#owners.delete(owner)
    else this.#owners.set(owner, held)
  }
}
