import type { SupabaseClient } from '@supabase/supabase-js'
import type { TenantListing, TenantSettings, TenantStore } from './tenant-settings.ts'

const COLUMNS =
  'id, name, plan, epoch, cache_policy, cache_by_user, keeps_text, budget, retention_days, text_retention_days, feedback_retention_days, ledger_retention_days, created_at'

/** Tenants in Supabase. */
export class SupabaseTenants implements TenantStore {
  readonly #connect: () => SupabaseClient

  constructor(connect: () => SupabaseClient) {
    this.#connect = connect
  }

  async list(after: string | undefined, limit: number): Promise<TenantListing[]> {
    let query = this.#connect().from('tenants').select(COLUMNS)
    if (after !== undefined) query = query.gt('name', after)
    const { data } = await query
      .order('name')
      .limit(limit)
      .overrideTypes<TenantListing[], { merge: false }>()
      .throwOnError()
    return data
  }

  async find(name: string): Promise<TenantListing | undefined> {
    const { data } = await this.#connect()
      .from('tenants')
      .select(COLUMNS)
      .eq('name', name)
      .maybeSingle<TenantListing>()
      .throwOnError()
    return data ?? undefined
  }

  async create(tenant: { id: string; name: string } & TenantSettings): Promise<TenantListing | undefined> {
    const { data } = await this.#connect()
      .from('tenants')
      .upsert(tenant, { onConflict: 'name', ignoreDuplicates: true })
      .select(COLUMNS)
      .maybeSingle<TenantListing>()
      .throwOnError()
    return data ?? undefined
  }

  async change(
    { id, epoch }: Pick<TenantListing, 'id' | 'epoch'>,
    change: TenantSettings & { epoch?: number },
  ): Promise<TenantListing | undefined> {
    let query = this.#connect().from('tenants').update(change).eq('id', id)
    if (change.epoch !== undefined) query = query.eq('epoch', epoch)
    const { data } = await query.select(COLUMNS).maybeSingle<TenantListing>().throwOnError()
    return data ?? undefined
  }
}
