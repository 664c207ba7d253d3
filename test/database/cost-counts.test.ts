import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ToldUsage } from '../../src/cost/ledger.ts'
import { listPrices } from '../../src/cost/list-prices.ts'
import type { CostLabels } from '../../src/feedback/cost-labels.ts'
import type { OutboxRecord } from '../../src/feedback/outbox.ts'
import type { PredictionRow } from '../../src/feedback/prediction.ts'
import { SupabaseRecords } from '../../src/feedback/supabase-records.ts'
import type { CostBatch } from '../../src/metrics/cost-counts.ts'
import { supabaseConnector } from '../../workers/supabase.ts'
import { onEachDatabase } from '../support/databases.ts'
import { supabaseClient, type TestDatabase, workerKeys } from '../support/stores.ts'
import { idOf, paidRecord } from '../support/telemetry.ts'
import { foldedRow, predictionRow, TENANT_A, TENANT_B } from './rows.ts'

// What the ledger notes for the metrics, by the recorder's own client and role.

onEachDatabase((start) => {
  let supabase: TestDatabase
  let records: SupabaseRecords

  beforeAll(async () => {
    // The embedded database prints every refusal, with all that was refused.
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    supabase = await start()
    const key = workerKeys(supabase.publishableKey).SUPABASE_RECORDER_KEY
    records = new SupabaseRecords(
      supabaseConnector({ url: supabase.url, key, keyName: 'KEY', timeoutMs: 5_000 }),
      listPrices([]),
    )
  })
  afterAll(() => supabase?.close())
  beforeEach(async () => {
    await supabase.sql(`delete from tenants where id in ('${TENANT_A}', '${TENANT_B}')`)
    await supabase.sql(`delete from cost_counts`)
    await supabase.sql(`insert into tenants (id, name) values ('${TENANT_A}', 'a'), ('${TENANT_B}', 'b')`)
  })

  const usage: ToldUsage = { inputTokens: 1_000, outputTokens: 0 }
  const DOLLAR = { inputUsdPerMTok: 1_000, outputUsdPerMTok: 0 }
  /** A request whose calls cost so many dollars each. */
  function paid(
    number: number,
    dollars: readonly number[],
    { labels, ...row }: Partial<PredictionRow> & { labels?: CostLabels } = {},
  ): OutboxRecord {
    const calls = dollars.map((usd) => ({
      provider: 'p',
      model: 'm',
      route: 'p:m',
      endpoint: 'e',
      usage,
      price: { ...DOLLAR, inputUsdPerMTok: usd * DOLLAR.inputUsdPerMTok },
    }))
    const known = predictionRow(TENANT_A, 1_800_000_000_000, { id: idOf(number), ...row })
    return {
      ...paidRecord(known as unknown as PredictionRow, calls),
      ...(labels && { labels }),
    } as OutboxRecord
  }
  const hit = (number: number, savedUsd: number, mode = 1): OutboxRecord =>
    ({
      kind: 'prediction',
      row: predictionRow(TENANT_A, 1_800_000_000_000, { id: idOf(number), mode, cache: 'hit' }),
      saved: { provider: 'p', model: 'm', usage, price: { ...DOLLAR, inputUsdPerMTok: savedUsd * 1_000 } },
    }) as unknown as OutboxRecord
  /** All that is to be told, told. */
  async function drained(): Promise<CostBatch[]> {
    const batches: CostBatch[] = []
    for (let told: number | undefined; ; ) {
      const batch = await records.nextCosts(told)
      if (!batch) return batches
      batches.push(batch)
      told = batch.batch
    }
  }
  const counts = async () => (await drained()).flatMap((batch) => batch.counts)
  const spent = (batches: readonly CostBatch[]) =>
    batches.flatMap((batch) => batch.counts).reduce((sum, { spentUsd }) => sum + spentUsd, 0)

  describe('costs to be counted', () => {
    it('are those that were booked anew, under the names that the gateway gave', async () => {
      const labels = {
        tenant: 'acme',
        calls: [
          { provider: 'p', model: 'm' },
          { provider: 'custom', model: 'other' },
        ],
      }
      await records.insert([
        paid(1, [0.25, 0.5], { mode: 3, labels }),
        paid(2, [0.125], { mode: 3, labels }),
        // Nobody told how it ended.
        paid(3, [2], { mode: null, tenant_id: TENANT_B }),
      ])
      const found = await counts()
      expect(found).toHaveLength(3)
      expect(found).toEqual(
        expect.arrayContaining([
          { tenant: 'acme', mode: 3, provider: 'p', model: 'm', spentUsd: 0.375, savedUsd: 0 },
          { tenant: 'acme', mode: 3, provider: 'custom', model: 'other', spentUsd: 0.5, savedUsd: 0 },
          { tenant: 'other', mode: 0, provider: 'other', model: 'other', spentUsd: 2, savedUsd: 0 },
        ]),
      )
    })

    it('are noted once, however often and in whatever company a request comes', async () => {
      await records.insert([paid(1, [1]), paid(1, [4])])
      await records.insert([paid(1, [4]), paid(2, [0.5])])
      await records.insert([paid(2, [0.5]), paid(1, [1])])
      const batches = await drained()
      const [ledger] = await supabase.sql<{ usd: number }>('select sum(cost_usd)::float8 as usd from ledger')
      expect(ledger?.usd).toBe(1.5)
      expect(spent(batches)).toBe(1.5)
    })

    it('are not noted where a booking is refused', async () => {
      const refused = records.insert([paid(1, [1]), paid(2, [1], { tenant_id: crypto.randomUUID() })])
      await expect(refused).rejects.toThrow()
      expect(await drained()).toEqual([])
      await records.insert([paid(1, [1])])
      expect(spent(await drained())).toBe(1)
    })

    it("leave out what was reported, which is none of the gateway's", async () => {
      await supabaseClient(supabase)
        .from('ledger')
        .insert({
          prediction_id: crypto.randomUUID(),
          tenant_id: TENANT_A,
          created_at: '2026-11-20T10:00:00Z',
          source: 'reported',
          cost_usd: 7,
        })
        .throwOnError()
      expect(await drained()).toEqual([])
    })

    it('have with them what hits saved, of rows and of minutes, each once', async () => {
      const minute = {
        kind: 'minute',
        row: { ...foldedRow(TENANT_A, 1_799_999_940_000), mode: 2 },
        saved: { provider: 'p', model: 'm', usage, price: DOLLAR },
      } as unknown as OutboxRecord
      for (let i = 0; i < 2; i++) {
        await records.insert([hit(1, 0.25), hit(2, 0.5), hit(3, 0.5, 4)])
        await records.insert([minute])
      }
      const nothing = { tenant: null, provider: null, model: null, spentUsd: 0 }
      const found = await counts()
      expect(found).toHaveLength(3)
      expect(found).toEqual(
        expect.arrayContaining([
          { ...nothing, mode: 1, savedUsd: 0.75 },
          { ...nothing, mode: 4, savedUsd: 0.5 },
          { ...nothing, mode: 2, savedUsd: 1 },
        ]),
      )
    })

    it("are not noted again when a user is erased and its hits become nobody's", async () => {
      const user_hash = 'u'.repeat(43)
      const record = hit(1, 1) as OutboxRecord & { kind: 'prediction' }
      await records.insert([{ ...record, row: { ...record.row, user_hash } }])
      expect(await drained()).toHaveLength(1)
      await supabase.sql(`select erase_user('${TENANT_A}', '${user_hash}')`)
      const [kept] = await supabase.sql<{ saved: number }>(
        'select sum(saved_usd)::float8 as saved from prediction_minutes',
      )
      expect(kept?.saved).toBe(1)
      expect(await drained()).toEqual([])
    })
  })

  describe('a batch', () => {
    it('stays the same until it is told, whatever is booked meanwhile', async () => {
      await records.insert([paid(1, [1])])
      const first = await records.nextCosts(undefined)
      await records.insert([paid(2, [2])])
      expect(await records.nextCosts(undefined)).toEqual(first)
      // Somebody slow, of one that is long over.
      expect(await records.nextCosts((first?.batch ?? 0) - 1)).toEqual(first)
      const second = await records.nextCosts(first?.batch)
      expect(second).toMatchObject({ teller: first?.teller, batch: (first?.batch ?? 0) + 1 })
      expect(second?.counts).toMatchObject([{ spentUsd: 2 }])
      expect(await records.nextCosts(second?.batch)).toBeUndefined()
      expect(await supabase.sql('select from cost_counts')).toEqual([])
    })

    it('is one for all that ask at once, and none is left out', async () => {
      const seen = new Map<number, CostBatch>()
      const teller = async (from: number) => {
        let told: number | undefined
        for (let i = 0; i < 10; i++) {
          await records.insert([paid(from + i, [1])])
          const batch = await records.nextCosts(told)
          told = batch?.batch
          if (!batch) continue
          expect(seen.get(batch.batch) ?? batch).toEqual(batch)
          seen.set(batch.batch, batch)
        }
      }
      await Promise.all([100, 200, 300].map(teller))
      for (const batch of await drained()) seen.set(batch.batch, batch)
      expect(spent([...seen.values()])).toBe(30)
    })
  })
})
