import type { SupabaseClient } from '@supabase/supabase-js'
import { isObject } from '../../src/core/json.ts'
import type { KvStore } from '../../src/core/kv.ts'
import { MAX_LABELLED } from '../../src/metrics/largest-tenants.ts'

type Names = readonly (readonly [id: string, name: string])[]

const DAY_SECONDS = 86_400

/**
 * The tenants that spent the most in the last 30 days, chosen once a day: whoever asks first leaves the list in KV,
 * so that all isolates have the same.
 */
export async function largestTenants(
  kv: KvStore,
  supabase: () => SupabaseClient,
  nowMs: number,
): Promise<Names> {
  const key = `metrics-tenants ${Math.floor(nowMs / 1_000 / DAY_SECONDS)}`
  const kept = await kv.get(key, 'text').catch(() => null)
  if (kept !== null) return readNames(kept)
  const { data } = await supabase()
    .from('tenant_overview')
    .select('tenant_id, name')
    .order('cost_usd', { ascending: false })
    .order('requests', { ascending: false })
    .order('created_at')
    .limit(MAX_LABELLED)
    .throwOnError()
  const names = (data ?? []).flatMap(toName)
  // While each has a name there is nothing to choose, and a new one need not wait for tomorrow.
  if (names.length === MAX_LABELLED)
    await kv.put(key, JSON.stringify(names), { expirationTtl: DAY_SECONDS }).catch(() => {})
  return names
}

const toName = (row: unknown): Names =>
  isObject(row) && typeof row.tenant_id === 'string' && typeof row.name === 'string'
    ? [[row.tenant_id, row.name]]
    : []

function readNames(text: string): Names {
  const rows: unknown = JSON.parse(text)
  return Array.isArray(rows)
    ? rows.flatMap((row: unknown) =>
        Array.isArray(row) && typeof row[0] === 'string' && typeof row[1] === 'string'
          ? [[row[0], row[1]] as const]
          : [],
      )
    : []
}
