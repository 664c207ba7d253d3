import type { SupabaseClient } from '@supabase/supabase-js'
import type { EndUser, ExportRow, PrivacyStore } from './privacy-store.ts'

/** Rows of a page or of a batch: what Postgres does in about a second. */
const ROWS = 1_000
/** Of each table: they are only deleted. */
const ERASED_ROWS = 5_000

/** What Supabase keeps of tenants, by the functions of its migrations. With the service role's key only. */
export class SupabasePrivacy implements PrivacyStore {
  readonly #connect: () => SupabaseClient

  constructor(connect: () => SupabaseClient) {
    this.#connect = connect
  }

  page(tenantId: string, user: EndUser | undefined, after: ExportRow | undefined): Promise<ExportRow[]> {
    return this.#call('export_page', {
      exported_tenant: tenantId,
      ...(user && { exported_user_hash: user.hash, user_name: storedName(user) }),
      ...(after && { after_section: after.section, after_at: after.at, after_id: after.record_id }),
      page_rows: ROWS,
    })
  }

  async close(tenantId: string): Promise<void> {
    await this.#call('close_tenant', { closed_tenant: tenantId })
  }

  async keys(tenantId: string, limit: number): Promise<{ id: string; digest: string }[]> {
    const { data } = await this.#connect()
      .from('virtual_keys')
      .select('id, digest')
      .eq('tenant_id', tenantId)
      .limit(limit)
      .throwOnError()
    return data
  }

  async dropKeys(ids: readonly string[]): Promise<void> {
    await this.#connect()
      .from('virtual_keys')
      .delete()
      .in('id', [...ids])
      .throwOnError()
  }

  async eraseTenant(tenantId: string): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#call<{ section: string; removed: number }[]>('erase_tenant', {
      erased_tenant: tenantId,
      batch_rows: ERASED_ROWS,
    })
    return new Map(rows.map(({ section, removed }) => [section, removed]))
  }

  async noteErasedUser(tenantId: string, { hash }: EndUser): Promise<void> {
    await this.#call('note_erased_user', { erased_tenant: tenantId, erased_user_hash: hash })
  }

  eraseUser(tenantId: string, endUser: EndUser): Promise<number> {
    const user = { erased_user_hash: endUser.hash, user_name: storedName(endUser) }
    return this.#call('erase_user', { erased_tenant: tenantId, ...user, batch_rows: ROWS })
  }

  async clearCache(tenantId: string): Promise<{ removed: number; isEmpty: boolean }> {
    const removed = await this.#call<number>('clear_cache', { cleared_tenant: tenantId, batch_rows: ROWS })
    return { removed, isEmpty: removed < ROWS }
  }

  async #call<T>(name: string, args: object): Promise<T> {
    const { data } = await this.#connect().rpc(name, args).throwOnError()
    return data as T
  }
}

/** Postgres holds no text with NUL, so no row has such a name. */
const storedName = ({ name }: EndUser): string | null => (name.includes('\0') ? null : name)
