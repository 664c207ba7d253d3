import type { SupabaseClient } from '@supabase/supabase-js'
import { type Budget, type BudgetPeriod, periodName } from './budget.ts'
import type { DaySpend } from './budget-book.ts'
import type { BudgetStore } from './budget-desk.ts'
import { addNanoUsd, toNanoUsd, toUsd } from './nano-usd.ts'

interface BudgetRow {
  readonly key_id: string | null
  readonly period: BudgetPeriod
  readonly limit_usd: number
  readonly is_hard: boolean
}

/** Far more than anybody oversees. */
const MAX_BUDGETS = 1_000

/** Tenants' budgets in Supabase: the truth that each account's copy is made from. */
export class SupabaseBudgets implements BudgetStore {
  readonly #connect: () => SupabaseClient
  readonly #now: () => number

  constructor(connect: () => SupabaseClient, now: () => number) {
    this.#connect = connect
    this.#now = now
  }

  async list(tenantId: string): Promise<readonly Budget[]> {
    const { data } = await this.#connect()
      .from('budgets')
      .select('key_id, period, limit_usd, is_hard')
      .eq('tenant_id', tenantId)
      .order('key_id', { nullsFirst: true })
      .order('period')
      .limit(MAX_BUDGETS)
      .overrideTypes<BudgetRow[], { merge: false }>()
      .throwOnError()
    return data.map(({ key_id, period, limit_usd, is_hard }) => ({
      keyId: key_id,
      period,
      limitNanoUsd: toNanoUsd(Number(limit_usd)),
      isHard: is_hard,
    }))
  }

  async tenantName(tenantId: string): Promise<string> {
    const { data } = await this.#connect()
      .from('tenants')
      .select('name')
      .eq('id', tenantId)
      .maybeSingle<{ name: string }>()
      .throwOnError()
    return data?.name ?? ''
  }

  async hasKey(tenantId: string, keyId: string): Promise<boolean> {
    const { data } = await this.#connect()
      .from('virtual_keys')
      .select('id')
      .eq('tenant_id', tenantId)
      .eq('id', keyId)
      .maybeSingle()
      .throwOnError()
    return data !== null
  }

  async put(tenantId: string, { keyId, period, limitNanoUsd, isHard }: Budget): Promise<void> {
    const row = {
      tenant_id: tenantId,
      key_id: keyId,
      period,
      limit_usd: toUsd(limitNanoUsd),
      is_hard: isHard,
      updated_at: new Date(this.#now()).toISOString(),
    }
    await this.#connect()
      .from('budgets')
      .upsert(row, { onConflict: 'tenant_id,key_id,period' })
      .throwOnError()
  }

  async remove(tenantId: string, keyId: string | null, period: BudgetPeriod): Promise<boolean> {
    const those = this.#connect().from('budgets').delete().eq('tenant_id', tenantId).eq('period', period)
    const { data } = await (keyId === null ? those.is('key_id', null) : those.eq('key_id', keyId))
      .select('period')
      .throwOnError()
    return data.length > 0
  }

  async spentThisMonth(tenantId: string): Promise<readonly DaySpend[]> {
    const { data } = await this.#connect()
      .rpc('spent_by_day', {
        of_tenant: tenantId,
        since: `${periodName('month', this.#now())}-01T00:00:00Z`,
      })
      .throwOnError()
    const rows = data as readonly { day: string; key_id: string | null; cost_usd: number }[]
    const byKey = rows.flatMap(({ day, key_id, cost_usd }) =>
      key_id === null ? [] : [{ key: key_id, day, nanoUsd: toNanoUsd(cost_usd) }],
    )
    const days = new Map<string, number>()
    for (const { day, cost_usd } of rows) days.set(day, addNanoUsd(days.get(day) ?? 0, toNanoUsd(cost_usd)))
    return [...byKey, ...[...days].map(([day, nanoUsd]) => ({ key: '', day, nanoUsd }))]
  }
}
