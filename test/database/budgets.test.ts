import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SupabaseBudgets } from '../../src/cost/supabase-budgets.ts'
import { onEachDatabase } from '../support/databases.ts'
import { supabaseClient, type TestDatabase } from '../support/stores.ts'
import { TENANT_A, TENANT_B } from './rows.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const KEY = '01890000-0000-4000-8000-00000000000c'

onEachDatabase((start) => {
  let supabase: TestDatabase
  let store: SupabaseBudgets
  beforeAll(async () => {
    supabase = await start()
    store = new SupabaseBudgets(
      () => supabaseClient(supabase),
      () => NOW,
    )
    await supabase.sql(`insert into tenants (id, name) values ('${TENANT_A}', 'a'), ('${TENANT_B}', 'b')`)
    await supabase.sql(
      `insert into virtual_keys (id, tenant_id, digest, hint) values ('${KEY}', '${TENANT_A}', '${'d'.repeat(43)}', 'abcd')`,
    )
  })
  afterAll(() => supabase?.close())

  const kindOf = async (tenantId: string) =>
    (await supabase.sql<{ budget: string }>(`select budget from tenants where id = '${tenantId}'`))[0]?.budget

  describe('budgets', () => {
    const day = { keyId: null, period: 'day', limitNanoUsd: 1_500_000_001, isHard: false } as const
    const ofKey = { keyId: KEY, period: 'day', limitNanoUsd: 7, isHard: true } as const

    it('are one for each key and period, and every key’s record says whether there is one', async () => {
      expect(await kindOf(TENANT_A)).toBe('none')
      await store.put(TENANT_A, { ...day, limitNanoUsd: 1 })
      await store.put(TENANT_A, day)
      expect([await store.list(TENANT_A), await kindOf(TENANT_A)]).toEqual([[day], 'soft'])
      await store.put(TENANT_A, ofKey)
      expect([await store.list(TENANT_A), await kindOf(TENANT_A)]).toEqual([[day, ofKey], 'hard'])
      expect([await store.list(TENANT_B), await kindOf(TENANT_B)]).toEqual([[], 'none'])
      expect(await store.remove(TENANT_B, KEY, 'day')).toBe(false)
      expect(await store.remove(TENANT_A, KEY, 'day')).toBe(true)
      expect(await kindOf(TENANT_A)).toBe('soft')
      expect(await store.remove(TENANT_A, null, 'day')).toBe(true)
      expect([await store.list(TENANT_A), await kindOf(TENANT_A)]).toEqual([[], 'none'])
    })

    it('are of the tenant’s own keys', async () => {
      expect([await store.hasKey(TENANT_A, KEY), await store.hasKey(TENANT_B, KEY)]).toEqual([true, false])
      expect([await store.tenantName(TENANT_B), await store.tenantName(KEY)]).toEqual(['b', ''])
    })

    it('know from the ledger what was spent this month, by day of UTC and key', async () => {
      const paid = (tenant: string, key: string | null, at: string, usd: string, source = 'gateway') =>
        `(gen_random_uuid(), '${tenant}', ${key ? `'${key}'` : 'null'}, '${at}', ${usd}, '${source}')`
      const rows = [
        paid(TENANT_A, KEY, '2026-11-20T23:59:59Z', '0.000000001'),
        paid(TENANT_A, KEY, '2026-11-20T00:30:00+01:00', '0.2'),
        paid(TENANT_A, null, '2026-11-20T10:00:00Z', '0.000000002'),
        paid(TENANT_A, KEY, '2026-10-31T23:59:59Z', '5'),
        paid(TENANT_A, KEY, '2026-11-20T10:00:00Z', '5', 'reported'),
        paid(TENANT_B, null, '2026-11-20T10:00:00Z', '5'),
      ]
      await supabase.sql(
        `insert into ledger (prediction_id, tenant_id, key_id, created_at, cost_usd, source) values ${rows.join()}`,
      )
      const spends = await store.spentThisMonth(TENANT_A)
      expect(new Set(spends.map(({ key, day, nanoUsd }) => `${day} ${key} ${nanoUsd}`))).toEqual(
        new Set([
          `2026-11-19 ${KEY} 200000000`,
          `2026-11-20 ${KEY} 1`,
          '2026-11-19  200000000',
          '2026-11-20  3',
        ]),
      )
    })

    it('go with their tenant', async () => {
      await store.put(TENANT_A, ofKey)
      await supabase.sql(`delete from tenants where id = '${TENANT_A}'`)
      expect(await store.list(TENANT_A)).toEqual([])
    })
  })
})
