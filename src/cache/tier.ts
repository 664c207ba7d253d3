import type { CacheEntry } from './entry.ts'

/** Where one answer lies: `id` is the exact key, 43 characters of base64url. */
export interface CachePlace {
  readonly id: string
  readonly tenantId: string
}

/** Where one answer lies, and how it is sealed there: made once a request, for one tenant. */
export interface CacheSlot extends CachePlace {
  /** The entry as text that only this tenant's key opens at this very slot. */
  seal(entry: CacheEntry): Promise<string>
  /** @throws CorruptEntryError for anything but what `seal` made for this slot */
  open(sealed: string): Promise<CacheEntry>
}

/** The value was cut, changed, or belongs to another slot or tenant. It counts as a miss and is deleted. */
export class CorruptEntryError extends Error {
  override readonly name = 'CorruptEntryError'
}

export type TierName = 'memory' | 'kv' | 'redis' | 'supabase'

/** One level of the cache. A miss is `undefined`; adapters may reject, the chain decides what that means. */
export interface CacheTier {
  readonly name: TierName
  /** The longest life of an entry here; it belongs to the tier, not to the caller. */
  readonly maxTtlMs: number
  get(slot: CacheSlot): Promise<CacheEntry | undefined>
  /** @param ttlMs > 0; what a tier cannot keep for so short a time it does not keep */
  set(slot: CacheSlot, entry: CacheEntry, ttlMs: number): Promise<void>
  delete(slot: CachePlace): Promise<void>
}
