import type { SupabaseClient } from '@supabase/supabase-js'
import { LIMIT_COLUMNS, type LimitColumns, limitsOf, toColumns } from './limit-columns.ts'
import type { LimitStore } from './limit-desk.ts'
import type { Limits, OwnedLimits } from './limits.ts'

/** Far more than anybody oversees. */
const MAX_KEYS = 1_000
const ANY = Object.keys(toColumns({}))
  .map((column) => `${column}.not.is.null`)
  .join()

/** Limits in Supabase, in the rows of those that they bind: the truth that each account's copy is made from. */
export class SupabaseLimits implements LimitStore {
  readonly #connect: () => SupabaseClient

  constructor(connect: () => SupabaseClient) {
    this.#connect = connect
  }

  async list(tenantId: string): Promise<readonly OwnedLimits[]> {
    const connection = this.#connect()
    const tenant = await connection
      .from('tenants')
      .select(LIMIT_COLUMNS)
      .eq('id', tenantId)
      .maybeSingle<LimitColumns>()
      .throwOnError()
    const keys = await connection
      .from('virtual_keys')
      .select(`id, ${LIMIT_COLUMNS}`)
      .eq('tenant_id', tenantId)
      .is('revoked_at', null)
      .or(ANY)
      .order('id')
      .limit(MAX_KEYS)
      .overrideTypes<(LimitColumns & { id: string })[], { merge: false }>()
      .throwOnError()
    const owned = (keyId: string | null, row: LimitColumns | null): OwnedLimits[] => {
      const limits = row && limitsOf(row)
      return limits ? [{ keyId, ...limits }] : []
    }
    return [...owned(null, tenant.data), ...keys.data.flatMap(({ id, ...row }) => owned(id, row))]
  }

  async put(tenantId: string, keyId: string | null, limits: Limits): Promise<boolean> {
    const connection = this.#connect()
    const row = toColumns(limits)
    const update =
      keyId === null
        ? connection.from('tenants').update(row).eq('id', tenantId)
        : connection
            .from('virtual_keys')
            .update(row)
            .eq('tenant_id', tenantId)
            .eq('id', keyId)
            .is('revoked_at', null)
    const { data } = await update.select('id').throwOnError()
    return data.length > 0
  }
}
