import type { SupabaseClient } from '@supabase/supabase-js'
import type { CacheStats, PurgedBy, PurgeStore } from './purge-desk.ts'

/** Purges in Supabase, in the tenant's row: the truth that every isolate's copy is made from. */
export class SupabasePurges implements PurgeStore {
  readonly #connect: () => SupabaseClient

  constructor(connect: () => SupabaseClient) {
    this.#connect = connect
  }

  async purge(tenantId: string, atMs: number, mark: string | undefined): Promise<PurgedBy | undefined> {
    const args = { purged_tenant: tenantId, at_ms: atMs, ...(mark !== undefined && { mark }) }
    const { data } = await this.#connect().rpc('purge_answers', args).throwOnError()
    return (data as PurgedBy | null) ?? undefined
  }

  async slotOf(tenantId: string, predictionId: string): Promise<string | undefined> {
    const { data } = await this.#connect()
      .from('ml_predictions')
      .select('prompt_hash')
      .eq('id', predictionId)
      .eq('tenant_id', tenantId)
      .maybeSingle<{ prompt_hash: string | null }>()
      .throwOnError()
    return data?.prompt_hash ?? undefined
  }

  async stats(tenantId: string, atMs: number): Promise<CacheStats | undefined> {
    const args = { counted_tenant: tenantId, at_ms: atMs }
    const { data } = await this.#connect().rpc('cache_stats', args).throwOnError()
    return (data as CacheStats | null) ?? undefined
  }
}
