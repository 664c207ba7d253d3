import type { SupabaseClient } from '@supabase/supabase-js'
import type { CacheEntry } from '../entry.ts'
import type { CacheObserver } from '../observer.ts'
import type { CachePlace, CacheSlot, CacheTier } from '../tier.ts'

/** A client for one call, each. */
export interface SupabaseTierAccess {
  /** May look up an answer whose tenant and key it knows. */
  readonly reader: () => SupabaseClient
  readonly writer: () => SupabaseClient
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly observer?: CacheObserver | undefined
}

/** Supabase Postgres, table `llm_cache`: the tier that lasts longest. */
export class SupabaseTier implements CacheTier {
  readonly name = 'supabase'
  readonly maxTtlMs = 24 * 60 * 60_000
  readonly #access: SupabaseTierAccess

  constructor(access: SupabaseTierAccess) {
    this.#access = access
  }

  async get(slot: CacheSlot): Promise<CacheEntry | undefined> {
    const { data } = await this.#access
      .reader()
      .rpc('cached_answer', { cached_tenant: slot.tenantId, cached_key: slot.id })
      .throwOnError()
    return typeof data === 'string' ? slot.open(data) : undefined
  }

  async set(slot: CacheSlot, entry: CacheEntry, ttlMs: number): Promise<void> {
    const sealed = await slot.seal(entry)
    const now = this.#access.now()
    const row = {
      key: slot.id,
      tenant_id: slot.tenantId,
      sealed,
      bytes: sealed.length,
      created_at: iso(now),
      expires_at: iso(now + ttlMs),
    }
    await this.#access.writer().from('llm_cache').upsert(row, { onConflict: 'key' }).throwOnError()
    this.#access.observer?.stock(this.name, 1, sealed.length, ttlMs)
  }

  async delete(slot: CachePlace): Promise<void> {
    const { data } = await this.#access
      .writer()
      .from('llm_cache')
      .delete()
      .eq('key', slot.id)
      .eq('tenant_id', slot.tenantId)
      .select('bytes, expires_at')
      .throwOnError()
    for (const { bytes, expires_at } of data) {
      const lifeMs = Date.parse(expires_at) - this.#access.now()
      if (lifeMs > 0) this.#access.observer?.stock(this.name, -1, bytes, lifeMs)
    }
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()
