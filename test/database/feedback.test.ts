import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import { onEachDatabase } from '../support/databases.ts'
import type { TestDatabase } from '../support/stores.ts'
import { clientOf, KEEPER, member, RECORDER } from './clients.ts'
import { feedbackRow, predictionRow, TENANT_A, TENANT_B } from './rows.ts'
import { record } from './seed.ts'

onEachDatabase((start) => {
  let supabase: TestDatabase

  beforeAll(async () => {
    // The embedded database prints every refusal, with all that was refused.
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    supabase = await start()
  })
  afterAll(() => supabase?.close())
  beforeEach(async () => {
    await supabase.sql(`delete from tenants where id in ('${TENANT_A}', '${TENANT_B}')`)
    await supabase.sql(`insert into tenants (id, name) values ('${TENANT_A}', 'a'), ('${TENANT_B}', 'b')`)
  })

  const recorder = () => clientOf(supabase, RECORDER)
  const keeper = () => clientOf(supabase, KEEPER)
  const predict = (...rows: ReturnType<typeof predictionRow>[]) => record(recorder(), 'ml_predictions', rows)
  const rate = (...rows: ReturnType<typeof feedbackRow>[]) =>
    record(recorder(), 'quality_feedback_history', rows)
  const at = (second: number) => new Date(Date.UTC(2026, 10, 20, 12, 0, second)).toISOString()
  const ratings = async (tenant = TENANT_A) =>
    (await clientOf(supabase, member(tenant)).from('feedback_status').select('*').throwOnError()).data ?? []

  describe('a rating', () => {
    it('finds its prediction', async () => {
      const row = predictionRow(TENANT_A, Date.now(), { mode: 2 })
      await predict(row)
      await rate(feedbackRow(TENANT_A, row.id))
      expect(await ratings()).toMatchObject([
        { status: 'matched', model: row.model, provider: 'openai', mode: 2 },
      ])
    })

    it('that comes first waits for it', async () => {
      const rows = [predictionRow(TENANT_A, Date.now()), predictionRow(TENANT_A, Date.now())]
      await rate(...rows.map((row) => feedbackRow(TENANT_A, row.id)))
      expect((await ratings()).map(({ status }) => status)).toEqual(['pending', 'pending'])
      await predict(...rows)
      expect((await ratings()).map(({ status, model }) => [status, model])).toEqual(
        rows.map((row) => ['matched', row.model]),
      )
    })

    it("of another tenant's prediction never matches, and counts for nothing", async () => {
      const row = predictionRow(TENANT_B, Date.now())
      await rate(feedbackRow(TENANT_A, row.id, { thumbs: 'down' }))
      await predict(row)
      await rate(feedbackRow(TENANT_A, row.id, { source: 'bot', thumbs: 'down' }))
      await keeper().rpc('match_feedback').throwOnError()
      await keeper().rpc('roll_up', { stored_from: '-infinity', stored_to: 'infinity' }).throwOnError()
      expect((await ratings()).map(({ status, model }) => [status, model])).toEqual([
        ['pending', null],
        ['pending', null],
      ])
      expect(await ratings(TENANT_B)).toEqual([])
      expect(await supabase.sql('select * from feedback_hours')).toEqual([])
    })

    it('that found none within a day is unmatched for good', async () => {
      const row = predictionRow(TENANT_A, Date.now())
      await rate(feedbackRow(TENANT_A, row.id, { received_at: at(0) }))
      expect((await ratings())[0]?.status).toBe('pending')
      await supabase.sql(`update quality_feedback set stored_at = now() - interval '25 hours'`)
      await predict(row)
      expect(await supabase.sql('select match_feedback() as matched')).toEqual([{ matched: 0 }])
      expect((await ratings())[0]?.status).toBe('unmatched')
    })

    it('that its trigger missed is found by the sweep, some at a time', async () => {
      const rows = Array.from({ length: 5 }, () => predictionRow(TENANT_A, Date.now()))
      await rate(...rows.map((row) => feedbackRow(TENANT_A, row.id)))
      await predict(...rows)
      await supabase.sql('update quality_feedback set matched_at = null, model = null')
      const sweep = async () => (await keeper().rpc('match_feedback', { batch_rows: 2 }).throwOnError()).data
      expect([await sweep(), await sweep(), await sweep(), await sweep()]).toEqual([2, 2, 1, 0])
      expect((await ratings()).every(({ status, model }) => status === 'matched' && model)).toBe(true)
    })

    it('counts once a source', async () => {
      const id = uuidv7(Date.now())
      await rate(
        feedbackRow(TENANT_A, id),
        feedbackRow(TENANT_A, id, { source: 'bot' }),
        feedbackRow(TENANT_B, id),
      )
      await rate(feedbackRow(TENANT_A, id, { thumbs: 'down' }))
      expect((await ratings()).map(({ source, revisions }) => `${source} ${revisions}`).sort()).toEqual([
        'bot 1',
        'user 2',
      ])
      expect(await ratings(TENANT_B)).toHaveLength(1)
    })

    it('is no revision where it says the same again, in whatever order it arrives', async () => {
      const id = uuidv7(Date.now())
      const said = (['up', 'up', 'down', 'down', 'up', 'up'] as const).map((thumbs, second) =>
        feedbackRow(TENANT_A, id, { thumbs, received_at: at(second) }),
      )
      for (const index of [4, 0, 3, 5, 1, 2]) await rate(said[index] as (typeof said)[number])
      expect(await ratings()).toMatchObject([{ thumbs: 'up', revisions: 3 }])
      const [{ amended_at } = {}] = await supabase.sql<{ amended_at?: Date }>(
        'select amended_at from quality_feedback',
      )
      expect(new Date(amended_at ?? 0).toISOString()).toBe(at(4))
    })

    it('has an end to its amendments', async () => {
      const id = uuidv7(Date.now())
      await rate(
        ...Array.from({ length: 130 }, (_, index) =>
          feedbackRow(TENANT_A, id, { rating: 1 + (index % 5), received_at: at(index) }),
        ),
      )
      expect(await ratings()).toMatchObject([{ revisions: 50 }])
    })

    it.each([
      ['a rating of 0', { rating: 0 }],
      ['a rating of 6', { rating: 6 }],
      ['an outcome that is no number', { outcome: 'NaN' }],
      ['an endless outcome', { outcome: '-Infinity' }],
      ['a source that is none', { source: 'stranger' }],
      ['a thumb that points nowhere', { thumbs: 'sideways' }],
      ['too many tags', { tags: Array(21).fill('t') }],
      ['a tag beyond all measure', { tags: ['t'.repeat(1_281)] }],
      ['a tag that is none', { tags: [null] }],
      ['a correction beyond all measure', { correction: 'x'.repeat(262_145) }],
      ['nothing to say', { thumbs: null }],
    ])('is refused with %s', async (_, wrong) => {
      const { error } = await recorder()
        .from('quality_feedback_history')
        .insert(feedbackRow(TENANT_A, uuidv7(Date.now()), wrong))
      expect(error?.message).toMatch(/check constraint/)
      expect(await ratings()).toEqual([])
    })
  })

  describe('amendments', () => {
    const id = uuidv7(Date.now())
    const revisions = [
      feedbackRow(TENANT_A, id, { received_at: at(1), thumbs: 'up', tags: ['a', 'b'] }),
      feedbackRow(TENANT_A, id, { received_at: at(2), thumbs: 'down', rating: 2 }),
      feedbackRow(TENANT_A, id, { received_at: at(3), thumbs: null, correction: 'better' }),
      feedbackRow(TENANT_A, id, { received_at: at(4), thumbs: null, rating: 1, tags: ['c'] }),
    ]
    const result = { thumbs: 'down', rating: 1, correction: 'better', tags: ['c'], revisions: 4 }

    it.each([1, 2, 3, 4, 5, 6])(
      'come to the same in any order, in any batches, twice over (seed %i)',
      async (seed) => {
        const random = seededRandom(seed)
        const shuffled = [...revisions, ...revisions].sort(() => random() - 0.5)
        while (shuffled.length > 0) await rate(...shuffled.splice(0, 1 + Math.floor(random() * 3)))
        expect(await ratings()).toMatchObject([result])
        const [history] = await supabase.sql(`select count(*)::int as n from quality_feedback_history`)
        expect(history).toEqual({ n: 4 })
      },
    )
  })
})
