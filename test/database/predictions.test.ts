import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { uuidv7 } from '../../src/core/ids.ts'
import { onEachDatabase } from '../support/databases.ts'
import { supabaseClient, type TestDatabase } from '../support/stores.ts'
import { clientOf, KEEPER, member, RECORDER } from './clients.ts'
import { feedbackRow, foldedRow, predictionRow, TENANT_A, TENANT_B } from './rows.ts'
import { record } from './seed.ts'

onEachDatabase((start) => {
  const DAY_MS = 86_400_000
  const HOUR_MS = 3_600_000

  let supabase: TestDatabase

  beforeAll(async () => {
    // The embedded database prints every refusal, with all that was refused.
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    supabase = await start()
  })
  afterAll(() => supabase?.close())
  beforeEach(async () => {
    await supabase.sql(`delete from tenants where id in ('${TENANT_A}', '${TENANT_B}')`)
    await supabase.sql('delete from roll_up_minutes')
    await supabase.sql('delete from roll_up_hours')
    await supabase.sql(
      `insert into tenants (id, name, keeps_text) values ('${TENANT_A}', 'a', true), ('${TENANT_B}', 'b', false)`,
    )
  })

  const recorder = () => clientOf(supabase, RECORDER)
  const keeper = () => clientOf(supabase, KEEPER)
  const count = async (table: string, where = 'true') =>
    Number(
      (await supabase.sql<{ n: number }>(`select count(*)::int as n from ${table} where ${where}`))[0]?.n,
    )
  const refusal = async (row: Record<string, unknown>) =>
    (await recorder().from('ml_predictions').insert(row)).error?.message

  describe('a prediction', () => {
    it('is kept once, however often it comes, as it came first', async () => {
      const rows = [predictionRow(TENANT_A, Date.now()), predictionRow(TENANT_A, Date.now())]
      await record(recorder(), 'ml_predictions', rows)
      await record(
        recorder(),
        'ml_predictions',
        rows.map((row) => ({ ...row, outcome: 'error' })),
      )
      expect(await count('ml_predictions')).toBe(2)
      expect(await count('ml_predictions', "outcome = 'success'")).toBe(2)
    })

    it.each([
      ['an id of another kind', { id: 'b4b5ae3c-9c8f-4b59-9a0c-1ad7fdf5ec8f' }],
      ['a cost that is no number', { cost_usd: 'NaN' }],
      ['a negative cost', { cost_usd: '-0.1' }],
      ['endless time', { total_ms: 'Infinity' }],
      ['time that is no number', { upstream_ms: 'NaN' }],
      ['negative tokens', { input_tokens: -1 }],
      ['an unknown outcome', { outcome: 'fine' }],
      ['a mode of no class', { mode: 5 }],
      ['text for a hash', { prompt_hash: 'How do I sort a list?' }],
      [
        'text among the features',
        { features: { words: 4, prompt: 'How do I sort a list of names by length? '.repeat(3) } },
      ],
      ['text deep among them', { features: { a: [{ b: `line\n${'x'.repeat(64)}` }] } }],
      [
        'features beyond all measure',
        { features: Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`f${i}`, i])) },
      ],
      ['a decision beyond all measure', { decision: { why: 'x'.repeat(40_000) } }],
      ['a list for a decision', { decision: [1] }],
      ['no such tenant', { tenant_id: '0d000000-0000-4000-8000-00000000000d' }],
    ])('is refused with %s', async (_, wrong) => {
      expect(await refusal(predictionRow(TENANT_A, Date.now(), wrong))).toMatch(/constraint/)
      expect(await count('ml_predictions')).toBe(0)
    })
  })

  describe('text', () => {
    const textOf = (tenant_id: string) => ({
      prediction_id: uuidv7(Date.now()),
      tenant_id,
      created_at: new Date().toISOString(),
      prompt: 'p',
      answer: 'a',
    })
    const visible = async (tenant: string) =>
      (await clientOf(supabase, member(tenant)).from('prediction_texts').select('prompt')).data

    it('is kept only where the tenant opted in, whoever writes it', async () => {
      const rows = [textOf(TENANT_A), textOf(TENANT_B), textOf(TENANT_A)]
      await record(recorder(), 'prediction_texts', rows, 'prediction_id')
      await supabaseClient(supabase).from('prediction_texts').insert(textOf(TENANT_B)).throwOnError()
      await supabase.sql(`insert into prediction_texts (prediction_id, tenant_id, created_at, prompt)
      values (gen_random_uuid(), '${TENANT_B}', now(), 'by hand')`)
      expect(await count('prediction_texts')).toBe(2)
      expect(await count('prediction_texts', `tenant_id = '${TENANT_B}'`)).toBe(0)
      await supabase.sql(`update prediction_texts set tenant_id = '${TENANT_B}'`)
      expect(await count('prediction_texts', `tenant_id = '${TENANT_B}'`)).toBe(0)
    })

    it('is hidden at once when the tenant opts out, and then removed', async () => {
      await record(recorder(), 'prediction_texts', [textOf(TENANT_A)], 'prediction_id')
      expect(await visible(TENANT_A)).toHaveLength(1)
      await supabase.sql(`update tenants set keeps_text = false where id = '${TENANT_A}'`)
      expect(await visible(TENANT_A)).toEqual([])
      await supabase.sql('select * from prune_expired()')
      expect(await count('prediction_texts')).toBe(0)
    })
  })

  describe('pruning', () => {
    const now = Date.now()
    const prune = async (batch: number) =>
      (await supabaseClient(supabase).rpc('prune_expired', { batch_rows: batch }).throwOnError()).data?.[0]

    it('removes what each tenant keeps no longer, some at a time, and then nothing more', async () => {
      await supabase.sql(
        `update tenants set retention_days = 10, text_retention_days = 5 where id = '${TENANT_A}'`,
      )
      const days = [1, 6, 9, 12, 20, 30, 80, 95, 200]
      const rows = [TENANT_A, TENANT_B].flatMap((tenant) =>
        days.map((day) => predictionRow(tenant, now - day * DAY_MS)),
      )
      await record(recorder(), 'ml_predictions', rows)
      await record(
        recorder(),
        'prediction_texts',
        rows.map(({ id, tenant_id, created_at }) => ({
          prediction_id: id,
          tenant_id,
          created_at,
          prompt: 'p',
          answer: 'a',
        })),
        'prediction_id',
      )
      await record(
        recorder(),
        'prediction_minutes',
        days.map((day) => foldedRow(TENANT_B, now - day * DAY_MS)),
      )
      const removed = { predictions: 0, texts: 0, minutes: 0 }
      for (let call = 0; call < 10; call++) {
        const counts = await prune(3)
        for (const kind of ['predictions', 'texts', 'minutes'] as const) {
          expect(counts[kind]).toBeLessThanOrEqual(3)
          removed[kind] += counts[kind]
        }
      }
      expect(removed).toEqual({ predictions: 6 + 2, texts: 8, minutes: 2 })
      expect(await count('ml_predictions', `tenant_id = '${TENANT_A}'`)).toBe(3)
      expect(await count('ml_predictions', `tenant_id = '${TENANT_B}'`)).toBe(7)
      expect(await count('prediction_texts')).toBe(1)
      expect(await prune(3)).toEqual({
        predictions: 0,
        texts: 0,
        minutes: 0,
        totals: 0,
        feedback: 0,
        ledger: 0,
      })
    })

    it('lets ratings, their history and the ledger go in their own time', async () => {
      await supabase.sql(
        `update tenants set feedback_retention_days = 20, ledger_retention_days = 40 where id = '${TENANT_A}'`,
      )
      for (const day of [1, 30, 50]) {
        const at = new Date(now - day * DAY_MS).toISOString()
        const id = uuidv7(now)
        await record(recorder(), 'quality_feedback_history', [
          feedbackRow(TENANT_A, id, { received_at: at }),
          feedbackRow(TENANT_A, id, { received_at: at, thumbs: 'down' }),
        ])
        const row = { prediction_id: id, tenant_id: TENANT_A, created_at: at, cost_usd: 1 }
        await record(recorder(), 'ledger', [row], 'prediction_id')
      }
      expect(await prune(100)).toMatchObject({ feedback: 2, ledger: 1 })
      expect([
        await count('quality_feedback'),
        await count('quality_feedback_history'),
        await count('ledger'),
      ]).toEqual([1, 2, 2])
    })

    it('leaves the totals of what is gone, also when roll-ups are made again', async () => {
      const rollUp = async () => {
        await keeper().rpc('roll_up', { stored_from: '-infinity', stored_to: 'infinity' }).throwOnError()
        return supabase.sql('select starts_at, requests from roll_up_hours order by 1')
      }
      const hour = Math.floor((now - 95 * DAY_MS) / HOUR_MS) * HOUR_MS
      const rows = Array.from({ length: 6 }, (_, minute) => predictionRow(TENANT_B, hour + minute * 60_000))
      await record(recorder(), 'ml_predictions', rows)
      const before = await rollUp()
      expect(before).toHaveLength(1)
      await prune(2)
      expect(await count('ml_predictions')).toBe(4)
      expect(await rollUp()).toEqual(before)
      await supabase.sql(`update tenants set retention_days = 365 where id = '${TENANT_B}'`)
      expect(await rollUp()).toEqual(before)
    })

    it.each([
      'retention_days = 0',
      'retention_days = 9999',
      'retention_days = 7',
      'ledger_retention_days = 1',
    ])('cannot be set to %s while text is kept for 30 days', async (setting) => {
      await expect(supabase.sql(`update tenants set ${setting}`)).rejects.toThrow(/check constraint/)
    })
  })
})
