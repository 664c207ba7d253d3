import type { SupabaseClient } from '@supabase/supabase-js'
import type { CacheEntry } from '../entry.ts'
import type { CacheSlot, CacheTier } from '../tier.ts'

/** Supabase Postgres, table `llm_cache`: the tier that lasts longest. */
export class SupabaseTier implements CacheTier {
  readonly name = 'supabase'
  readonly maxTtlMs = 24 * 60 * 60_000
  readonly #connect: () => SupabaseClient
  readonly #now: () => number

  /** @param connect a client for one call. @param now milliseconds since the epoch */
  constructor(connect: () => SupabaseClient, now: () => number) {
    this.#connect = connect
    this.#now = now
  }

  async get(slot: CacheSlot): Promise<CacheEntry | undefined> {
    const { data } = await this.#connect()
      .from('llm_cache')
      .select('sealed')
      .eq('key', slot.id)
      .eq('tenant_id', slot.tenantId)
      .gt('expires_at', iso(this.#now()))
      .maybeSingle<{ sealed: string }>()
      .throwOnError()
    return data ? slot.open(data.sealed) : undefined
  }

  async set(slot: CacheSlot, entry: CacheEntry, ttlMs: number): Promise<void> {
    const sealed = await slot.seal(entry)
    const now = this.#now()
    const row = {
      key: slot.id,
      tenant_id: slot.tenantId,
      sealed,
      bytes: sealed.length,
      created_at: iso(now),
      expires_at: iso(now + ttlMs),
    }
    await this.#connect().from('llm_cache').upsert(row, { onConflict: 'key' }).throwOnError()
  }

  async delete(slot: CacheSlot): Promise<void> {
    await this.#connect()
      .from('llm_cache')
      .delete()
      .eq('key', slot.id)
      .eq('tenant_id', slot.tenantId)
      .throwOnError()
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()
