import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { uuidv7 } from '../../src/core/ids.ts'
import { DeadLetters } from '../../src/feedback/dead-letters.ts'
import { type Delivery, takeIn } from '../../src/feedback/intake.ts'
import type { OutboxRecord } from '../../src/feedback/outbox.ts'
import { SupabaseFeedback } from '../../src/feedback/supabase-feedback.ts'
import { SupabaseRecords } from '../../src/feedback/supabase-records.ts'
import { supabaseConnector } from '../../workers/supabase.ts'
import { feedbackRow, predictionRow, TENANT_A, TENANT_B } from '../database/rows.ts'
import { NO_PRICES } from '../support/budgets.ts'
import { onEachDatabase } from '../support/databases.ts'
import { supabaseClient, type TestDatabase, workerKeys } from '../support/stores.ts'

// What the recorder stores and the gateway lists, through the clients that they use, each with its own key.

onEachDatabase((start) => {
  let supabase: TestDatabase
  let records: SupabaseRecords

  beforeAll(async () => {
    // The embedded database prints every refusal, with all that was refused.
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    supabase = await start()
    records = recordsBy(workerKeys(supabase.publishableKey).SUPABASE_RECORDER_KEY)
  })
  afterAll(() => supabase?.close())
  beforeEach(async () => {
    await supabase.sql('delete from dead_letters')
    await supabase.sql(`delete from tenants where id in ('${TENANT_A}', '${TENANT_B}')`)
    await supabase.sql(`insert into tenants (id, name) values ('${TENANT_A}', 'a'), ('${TENANT_B}', 'b')`)
  })

  const recordsBy = (key: string, url = supabase.url) =>
    new SupabaseRecords(supabaseConnector({ url, key, keyName: 'KEY', timeoutMs: 5_000 }), NO_PRICES)
  const service = () => supabaseClient(supabase)
  const ids = async (table: string) =>
    (await supabase.sql<{ id: string }>(`select id from ${table} order by id`)).map(({ id }) => id)
  const at = (second: number) => new Date(Date.UTC(2026, 10, 20, 12, 0, second)).toISOString()
  const delivery = (body: unknown, attempts = 1) => {
    const made: Delivery & { said: string } = {
      body,
      attempts,
      said: '',
      ack: () => {
        made.said = 'ack'
      },
      retry: () => {
        made.said = 'retry'
      },
    }
    return made
  }
  /** Rows of tests, which may be wrong, as records. */
  const of = (kind: 'prediction' | 'feedback', rows: readonly object[]) =>
    rows.map((row) => ({ kind, row }) as unknown as OutboxRecord)
  const predictions = (count: number) =>
    Array.from({ length: count }, (_, index) => predictionRow(TENANT_A, Date.now() + index))

  describe('records', () => {
    it('are stored once, however often they come', async () => {
      const rows = predictions(3)
      await records.insert(of('prediction', rows))
      await records.insert(of('prediction', rows.toReversed()))
      expect(await ids('ml_predictions')).toEqual(rows.map(({ id }) => id).sort())
    })

    it('are all refused with one that is wrong, and it is said whose fault that is', async () => {
      const [good, ...rest] = predictions(3)
      for (const wrong of [{ outcome: 'fine' }, { tenant_id: crypto.randomUUID() }, { total_ms: 'x' }]) {
        const batch = [good, ...rest.map((row) => ({ ...row, ...wrong }))] as object[]
        const thrown = await records.insert(of('prediction', batch)).catch((error: unknown) => error)
        // The embedded database calls some of it a failure of its own.
        expect(thrown).toMatchObject({ trouble: expect.stringMatching(/refused|unclear/) })
        expect(await ids('ml_predictions')).toEqual([])
      }
    })

    it.each([
      ['a store that is not there', (key: string) => recordsBy(key, 'http://127.0.0.1:9')],
      ['a token that is not believed', (key: string) => recordsBy(`${key.slice(0, -8)}AAAAAAAA`)],
      [
        'a key of no project',
        (key: string) => recordsBy(key.replace('sb_publishable_p', 'sb_publishable_x')),
      ],
      ['a role that may not', () => recordsBy(workerKeys(supabase.publishableKey).SUPABASE_READER_KEY)],
    ])('wait for %s', async (_, connect) => {
      const elsewhere = connect(workerKeys(supabase.publishableKey).SUPABASE_RECORDER_KEY)
      await expect(elsewhere.insert(of('prediction', predictions(1)))).rejects.toMatchObject({
        trouble: 'away',
      })
    })

    it('come out of a batch that one of them spoils, which is buried and, once mended, replayed', async () => {
      const rows = predictions(5)
      const [spoilt] = rows.splice(2, 1) as [(typeof rows)[number]]
      const bad = { ...spoilt, tenant_id: '0d000000-0000-4000-8000-00000000000d' }
      const messages = [...rows, bad].map((row) => delivery({ records: [{ kind: 'prediction', row }] }, 3))
      const newId = () => uuidv7(Date.now())
      expect(await takeIn(records, messages, newId)).toEqual({ stored: 4, buried: 1, later: 0 })
      expect(messages.map(({ said }) => said)).toEqual(Array(5).fill('ack'))
      expect(await ids('ml_predictions')).toEqual(rows.map(({ id }) => id).sort())
      expect(await ids('dead_letters')).toEqual([bad.id])

      const letters = new DeadLetters(service, async ({ records: again }) => {
        const resent = [delivery({ records: again }, 3)]
        await takeIn(records, resent, newId)
      })
      expect(await letters.list({ limit: 10, skip: 0 })).toMatchObject([
        { id: bad.id, tenant_id: bad.tenant_id },
      ])
      expect(await letters.replay({ limit: 10, skip: 0 })).toEqual({ sent: 1, left: 0 })
      expect(await ids('dead_letters')).toEqual([bad.id])
      await supabase.sql(
        `update dead_letters set record = jsonb_set(record, '{row,tenant_id}', to_jsonb('${TENANT_A}'::text))`,
      )
      expect(await letters.replay({ limit: 10, skip: 0 })).toEqual({ sent: 1, left: 0 })
      expect(await letters.list({ limit: 10, skip: 0 })).toEqual([])
      expect(await ids('ml_predictions')).toHaveLength(5)
      expect(await ids('dead_letters')).toEqual([])
    })
  })

  describe('ratings', () => {
    const reader = () => new SupabaseFeedback(service, Date.now)
    const query = { limit: 2 } as Parameters<SupabaseFeedback['list']>[1]

    it("are listed page by page, the latest first, and never a neighbour's", async () => {
      const rows = predictions(2)
      await records.insert(of('prediction', rows))
      const rated = [
        feedbackRow(TENANT_A, rows[0]?.id ?? '', { received_at: at(1) }),
        feedbackRow(TENANT_A, rows[1]?.id ?? '', { received_at: at(2), thumbs: 'down', tags: ['a b', '"'] }),
        feedbackRow(TENANT_A, uuidv7(Date.now()), { received_at: at(3), correction: 'ü' }),
        feedbackRow(TENANT_B, rows[0]?.id ?? '', { received_at: at(4) }),
      ]
      await records.insert(of('feedback', rated))
      await records.insert(of('feedback', rated))
      const first = await reader().list(TENANT_A, query)
      expect(first.data).toMatchObject([
        { status: 'pending', correction: 'ü', received_at: expect.stringMatching(/^2026-11-20T12:00:03/) },
        { status: 'matched', thumbs: 'down', tags: ['a b', '"'], revisions: 1, model: rows[1]?.model },
      ])
      expect(first.next_cursor).not.toBeNull()
      const matched = await reader().list(TENANT_A, { ...query, status: 'matched', limit: 10 })
      expect(matched.data.map(({ prediction_id }) => prediction_id)).toEqual([rows[1]?.id, rows[0]?.id])
      expect(matched.next_cursor).toBeNull()
    })
  })
})
