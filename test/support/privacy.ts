import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { fromBase64Url } from '../../src/core/bytes.ts'
import { Vault } from '../../src/core/vault.ts'
import { KeyedHashes } from '../../src/feedback/keyed-hashes.ts'
import { TABLES } from '../database/rights.ts'

/** As the stack's gateway makes them: under its ROOT_KEY. */
export const hashOf = (tenantId: string, user: string): Promise<string> =>
  new KeyedHashes(new Vault(new Uint8Array(fromBase64Url('r'.repeat(42).concat('o')))), 'user-hash').of(
    tenantId,
    user,
  )

/** What stays of an erased tenant: its totals by the hour, that it was erased, and what was done. */
export const TOTALS: readonly string[] = ['roll_up_hours', 'feedback_hours', 'erasures', 'audit_log']

/** Rows of a tenant in every table that there is, by table, each as JSON. */
export async function everythingOf(
  supabase: EmbeddedSupabase,
  tenantId: string,
): Promise<Readonly<Record<string, string[]>>> {
  const found: Record<string, string[]> = {}
  for (const table of Object.keys(TABLES)) {
    const rows = await supabase.sql<{ row: string }>(
      `select to_jsonb(t)::text as row from ${table} t where to_jsonb(t)::text like '%${tenantId}%' order by 1`,
    )
    if (rows.length > 0) found[table] = rows.map(({ row }) => row)
  }
  return found
}

/** The tenant itself, and what belongs to nobody. */
const NOT_OF_A_TENANT = ['tenants', 'erasures', 'upkeep']

/** A row of the tenant in every table, beside those that it has. */
export async function fill(supabase: EmbeddedSupabase, tenantId: string): Promise<void> {
  await supabase.sql(`update tenants set keeps_text = true where id = '${tenantId}'`)
  for (const [table, { row }] of Object.entries(TABLES)) {
    if (NOT_OF_A_TENANT.includes(table)) continue
    const json = JSON.stringify(row(tenantId)).replaceAll("'", "''")
    const columns = Object.keys(row(tenantId)).join(', ')
    await supabase.sql(
      `insert into ${table} (${columns}) select ${columns} from jsonb_populate_record(null::${table}, '${json}')`,
    )
  }
}
