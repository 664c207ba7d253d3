import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import { onEachDatabase } from '../support/databases.ts'
import type { TestDatabase } from '../support/stores.ts'
import { clientOf, KEEPER, RECORDER } from './clients.ts'
import { feedbackRow, foldedRow, seededUuid, TENANT_A, TENANT_B } from './rows.ts'
import { randomPrediction, record } from './seed.ts'

onEachDatabase((start) => {
  type Totals = Map<string, number[]>

  /** Buckets A of /metrics, here in milliseconds. */
  const EDGES = [
    1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000,
  ]
  const KEY = ['mode', 'model', 'provider', 'outcome', 'cache', 'cache_tier', 'cache_match'] as const
  const SUMS = [
    'requests',
    'streams',
    'input_tokens',
    'output_tokens',
    'estimated',
    'total_ms',
    'upstream_ms',
  ] as const
  const MICRO = 1_000_000

  let supabase: TestDatabase

  beforeAll(async () => {
    supabase = await start()
  })
  afterAll(() => supabase?.close())
  beforeEach(async () => {
    await supabase.sql(`delete from tenants where id in ('${TENANT_A}', '${TENANT_B}')`)
    for (const table of ['roll_up_minutes', 'roll_up_hours', 'feedback_hours'])
      await supabase.sql(`delete from ${table}`)
    await supabase.sql(`insert into tenants (id, name) values ('${TENANT_A}', 'a'), ('${TENANT_B}', 'b')`)
  })

  const recorder = () => clientOf(supabase, RECORDER)
  const rollUp = (from = '-infinity', to = 'infinity') =>
    clientOf(supabase, KEEPER).rpc('roll_up', { stored_from: from, stored_to: to }).throwOnError()
  const bucketsOf = (ms: unknown): number[] => {
    const bucket = EDGES.filter((edge) => edge < Number(ms)).length
    return Array.from({ length: 18 }, (_, place) => (ms !== null && place === bucket ? 1 : 0))
  }

  /** Adds up by hand what the database is to add up: the same key, the same sums, in one list of numbers. */
  function add(totals: Totals, row: Record<string, unknown>, spanMs: number): void {
    const startMs = Math.floor(Date.parse(String(row.starts_at)) / spanMs) * spanMs
    const key = [row.tenant_id, startMs, ...KEY.map((name) => row[name])].join('|')
    const counts = [
      ...SUMS.map((name) => Number(row[name])),
      ...[row.cost_usd, row.saved_usd].map((usd) => Math.round(Number(usd) * MICRO)),
      ...(row.total_buckets as number[]),
      ...(row.upstream_buckets as number[]),
    ].map(Number)
    const sums = totals.get(key)
    totals.set(key, sums ? sums.map((sum, place) => sum + (counts[place] ?? Number.NaN)) : counts)
  }

  const asCounted = (row: ReturnType<typeof randomPrediction>): Record<string, unknown> => ({
    ...row,
    starts_at: row.created_at,
    mode: row.mode ?? 0,
    model: row.model ?? 'none',
    provider: row.provider ?? 'none',
    cache_tier: row.cache_tier ?? 'none',
    cache_match: row.cache_match ?? 'none',
    requests: 1,
    streams: row.stream ? 1 : 0,
    estimated: row.tokens_estimated ? 1 : 0,
    total_buckets: bucketsOf(row.total_ms),
    upstream_buckets: bucketsOf(row.upstream_ms),
  })

  async function rolled(table: string, spanMs: number): Promise<Totals> {
    const totals: Totals = new Map()
    const rows =
      await supabase.sql(`select *, to_char(starts_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    as starts_at from ${table}`)
    for (const row of rows) add(totals, row, spanMs)
    expect(totals.size).toBe(rows.length)
    return totals
  }
  const sorted = (totals: Totals) => [...totals].sort(([a], [b]) => (a < b ? -1 : 1))

  describe('roll-ups', () => {
    // Sums of eighths are exact, so equality is, too.
    it.each([1, 2, 3])(
      'are the sums over the rows, in any windows, again and again (seed %i)',
      async (seed) => {
        const random = seededRandom(seed)
        const now = Date.now()
        const minutes: Totals = new Map()
        const hours: Totals = new Map()
        for (let round = 0; round < 3; round++) {
          const [from] = await supabase.sql<{ at: string }>('select now()::text as at')
          // Much in few minutes, so that each round touches minutes of the one before.
          const rows = Array.from({ length: 120 }, () =>
            randomPrediction(random, random() < 0.7 ? TENANT_A : TENANT_B, now),
          ).map((row) => {
            const createdAtMs = now - 7_200_000 + Math.floor(random() * 20) * 350_000
            return { ...row, created_at: new Date(createdAtMs).toISOString() }
          })
          const folded = Array.from({ length: 5 }, () =>
            foldedRow(TENANT_A, now - 7_200_000 + Math.floor(random() * 20) * 350_000, {
              id: uuidv7(now, seededUuid(random)),
            }),
          )
          await record(recorder(), 'ml_predictions', rows)
          await record(recorder(), 'prediction_minutes', folded)
          for (const row of [...rows.map(asCounted), ...folded]) {
            add(minutes, row, 60_000)
            add(hours, row, 3_600_000)
          }
          for (let again = 0; again <= round; again++) await rollUp(from?.at)
          expect(sorted(await rolled('roll_up_minutes', 60_000))).toEqual(sorted(minutes))
          expect(sorted(await rolled('roll_up_hours', 3_600_000))).toEqual(sorted(hours))
        }
        await rollUp()
        expect(sorted(await rolled('roll_up_hours', 3_600_000))).toEqual(sorted(hours))
      },
    )

    it('count what came late, without being asked for its time', async () => {
      const random = seededRandom(7)
      const late = randomPrediction(random, TENANT_A, Date.now() - 20 * 86_400_000)
      await record(recorder(), 'ml_predictions', [late])
      await rollUp(new Date(Date.now() - 60_000).toISOString(), new Date(Date.now() + 60_000).toISOString())
      expect((await rolled('roll_up_hours', 3_600_000)).size).toBe(1)
      await rollUp('2020-01-01', '2020-01-02')
      expect((await rolled('roll_up_hours', 3_600_000)).size).toBe(1)
    })

    it('follow ratings that are amended and that match late', async () => {
      const random = seededRandom(8)
      const row = { ...randomPrediction(random, TENANT_A, Date.now()), model: 'm', provider: 'p', mode: 1 }
      const told = async () => {
        await rollUp()
        return supabase.sql(
          'select ratings::int, thumbs_up::int, thumbs_down::int, scored::int, score, corrections::int from feedback_hours',
        )
      }
      await record(recorder(), 'quality_feedback_history', [feedbackRow(TENANT_A, row.id)])
      expect(await told()).toEqual([])
      await record(recorder(), 'ml_predictions', [row])
      const counted = { ratings: 1, thumbs_up: 1, thumbs_down: 0, scored: 1, score: 1, corrections: 0 }
      expect(await told()).toEqual([counted])
      const later = new Date(Date.now() + 1_000).toISOString()
      await record(recorder(), 'quality_feedback_history', [
        feedbackRow(TENANT_A, row.id, {
          thumbs: 'down',
          rating: 2,
          correction: 'better',
          received_at: later,
        }),
      ])
      expect(await told()).toEqual([
        { ratings: 1, thumbs_up: 0, thumbs_down: 1, scored: 1, score: 0.25, corrections: 1 },
      ])
    })
  })

  describe('buckets', () => {
    it('hold what is up to their edge, as those of /metrics do', async () => {
      const values = EDGES.flatMap((edge) => [edge, edge + 0.001])
      const rows = await supabase.sql<{ bucket: number }>(
        `select array_position(latency_buckets(array[ms, null]), 1) - 1 as bucket from unnest(array[${values}]::float8[]) with ordinality t (ms, place)
       order by place`,
      )
      expect(rows.map(({ bucket }) => bucket)).toEqual(EDGES.flatMap((_, place) => [place, place + 1]))
    })

    it('give quantiles within the bucket of the true one', async () => {
      const random = seededRandom(9)
      const values = Array.from({ length: 2_000 }, () => 10 ** (5 * random()))
      const ordered = values.toSorted((a, b) => a - b)
      for (const quantile of [0, 0.5, 0.95, 0.99, 1]) {
        const [row] = await supabase.sql<{ ms: number }>(
          `select bucket_quantile(${quantile}, latency_buckets(array[${values}])) as ms`,
        )
        const exact = ordered[Math.max(0, Math.ceil(quantile * values.length) - 1)] as number
        const place = EDGES.filter((edge) => edge < exact).length
        expect(row?.ms).toBeGreaterThanOrEqual(place === 0 ? 0 : (EDGES[place - 1] as number))
        expect(row?.ms).toBeLessThanOrEqual(EDGES[place] as number)
      }
      expect(await supabase.sql('select bucket_quantile(0.5, latency_buckets(null)) as ms')).toEqual([
        { ms: null },
      ])
    })
  })
})
