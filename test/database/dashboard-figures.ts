import { bucketQuantile } from '../../src/metrics/window.ts'
import type { TestDatabase } from '../support/stores.ts'

// What each panel shows, added up from the raw rows without any SQL of ours.

/** Values by their labels, joined by `|`, and the name of their column. */
export type Figures = Map<string, number>

const HOUR_MS = 3_600_000
const EDGES_MS = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000,
]
const RATIO = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1]
const AGES_S = [60, 300, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400]

/** A request, or several that were added up. */
interface Fact {
  readonly hour: number
  readonly tenant: string
  readonly mode: number
  readonly model: string
  readonly outcome: string
  readonly cache: string
  readonly times: number
  readonly buckets: readonly number[]
  readonly totalMs: number
  readonly estimated: number
  readonly input: number
  readonly output: number
  readonly costUsd: number
  readonly savedUsd: number
}

type Row = Readonly<Record<string, unknown>>

export interface Raw {
  readonly facts: readonly Fact[]
  readonly predictions: readonly Row[]
  readonly ratings: readonly { readonly hour: number; readonly score: number }[]
  readonly attempts: readonly Row[]
  readonly entries: readonly Row[]
}

const hourOf = (value: unknown): number => Math.floor(new Date(value as string).getTime() / HOUR_MS) * HOUR_MS
const bucketsOf = (ms: number): number[] => {
  const bucket = EDGES_MS.filter((edge) => edge < ms).length
  return Array.from({ length: 18 }, (_, place) => (place === bucket ? 1 : 0))
}
const scoreOf = ({ rating, thumbs }: Row): number | undefined => {
  if (rating !== null) return (Number(rating) - 1) / 4
  return thumbs === null ? undefined : Number(thumbs === 'up')
}

export async function rawRows(supabase: TestDatabase): Promise<Raw> {
  const predictions = await supabase.sql<Row>('select * from ml_predictions')
  const folded = await supabase.sql<Row>('select * from prediction_minutes')
  const names = new Map(
    (await supabase.sql<Row>('select id, name from tenants')).map(({ id, name }) => [id, String(name)]),
  )
  const common = (row: Row) => ({
    tenant: names.get(row.tenant_id) ?? '',
    mode: Number(row.mode ?? 0),
    model: String(row.model ?? 'none'),
    outcome: String(row.outcome),
    cache: String(row.cache),
    totalMs: Number(row.total_ms),
    input: Number(row.input_tokens ?? 0),
    output: Number(row.output_tokens ?? 0),
    costUsd: Number(row.cost_usd),
    savedUsd: Number(row.saved_usd),
  })
  const ratings = await supabase.sql<Row>('select * from quality_feedback where matched_at is not null')
  return {
    predictions,
    facts: [
      ...predictions.map((row) => ({
        ...common(row),
        hour: hourOf(row.created_at),
        times: 1,
        buckets: bucketsOf(Number(row.total_ms)),
        estimated: Number(row.tokens_estimated),
      })),
      ...folded.map((row) => ({
        ...common(row),
        hour: hourOf(row.starts_at),
        times: Number(row.requests),
        buckets: (row.total_buckets as unknown[]).map(Number),
        estimated: Number(row.estimated),
      })),
    ],
    ratings: ratings.flatMap((row) => {
      const score = scoreOf(row)
      return score === undefined ? [] : [{ hour: hourOf(row.received_at), score }]
    }),
    attempts: await supabase.sql<Row>('select * from ledger_attempts'),
    entries: await supabase.sql<Row>('select * from llm_cache where expires_at > now()'),
  }
}

const isoHour = (hour: number): string => new Date(hour).toISOString()
const sumOf = <T>(of: readonly T[], value: (one: T) => number): number =>
  of.reduce((sum, one) => sum + value(one), 0)

/** A value for each group. Where it is not a number nothing is shown. */
function by<T>(
  of: readonly T[],
  label: (one: T) => string,
  value: (group: readonly T[]) => number,
  column = 'value',
): Figures {
  const groups = new Map<string, T[]>()
  for (const one of of) groups.set(label(one), [...(groups.get(label(one)) ?? []), one])
  return new Map(
    [...groups].flatMap(([name, group]) => {
      const of = value(group)
      return Number.isNaN(of) ? [] : [[`${name} ${column}`, of] as const]
    }),
  )
}

const merged = (...figures: readonly Figures[]): Figures => new Map(figures.flatMap((of) => [...of]))
const times = (of: readonly Fact[], where: (fact: Fact) => boolean = () => true): number =>
  sumOf(of.filter(where), (fact) => fact.times)
const is = (cache: string) => (fact: Fact) => fact.cache === cache
const hitRate = (of: readonly Fact[]): number => {
  const asked = times(of, is('hit')) + times(of, is('miss'))
  return asked > 0 ? times(of, is('hit')) / asked : Number.NaN
}
const cost = (of: readonly Fact[]): number => sumOf(of, ({ costUsd }) => costUsd)
const boundOf = (bounds: readonly number[], value: number): string =>
  String(bounds.find((bound) => bound >= value) ?? null)
const quantile = (q: number) => (of: readonly Fact[]) => {
  const buckets = EDGES_MS.map((_, i) => sumOf(of, (fact) => fact.buckets[i] ?? 0))
  const beyond = sumOf(of, (fact) => fact.buckets[17] ?? 0)
  return (bucketQuantile(q, EDGES_MS, [...buckets, beyond]) ?? 0) / 1_000
}
const perHour = (of: readonly Fact[], value: (group: readonly Fact[]) => number, column?: string) =>
  by(of, ({ hour }) => isoHour(hour), value, column)
const all = (of: readonly Fact[], value: (group: readonly Fact[]) => number) => by(of, () => '', value)

const modesOfCache = ({ facts }: Raw): Figures =>
  merged(
    ...(['hit', 'miss', 'bypass'] as const).map((cache) =>
      by(
        facts,
        ({ mode }) => String(mode),
        (of) => times(of, is(cache)),
        cache,
      ),
    ),
  )

const perSecond = (rows: readonly Row[], label: (row: Row) => string): Figures =>
  by(rows, label, (of) => of.length / 3_600)

const degraded = ({ predictions }: Raw): Figures =>
  perSecond(
    predictions.filter(({ outcome, attempts, model, decision, features }) => {
      const [first] = (decision as { candidates: { id: string }[] }).candidates
      return (
        outcome === 'success' &&
        Number(attempts) > 1 &&
        'failures' in (features as object) &&
        model !== first?.id
      )
    }),
    ({ created_at }) => isoHour(hourOf(created_at)),
  )

/** A prediction's id begins with its time. */
const ageSeconds = ({ created_at, cached_prediction_id: id }: Row): number =>
  (new Date(created_at as string).getTime() - Number.parseInt(String(id).replace('-', '').slice(0, 12), 16)) /
  1_000

const warnings = ({ facts, attempts }: Raw): Figures =>
  merged(
    by(
      facts.filter(({ estimated, outcome }) => estimated > 0 && outcome === 'success'),
      ({ hour }) => `${isoHour(hour)}|uncounted`,
      (of) => sumOf(of, ({ estimated }) => estimated) / 3_600,
    ),
    perSecond(
      attempts.filter(({ priced_by, result }) => priced_by === 'unpriced' && result === 'answered'),
      ({ created_at }) => `${isoHour(hourOf(created_at))}|unpriced`,
    ),
  )

/** By panel, those that can be asked of the database. */
export const EXPECTED: Readonly<Record<string, (raw: Raw) => Figures>> = {
  P1: ({ facts }) => perHour(facts, (of) => times(of) / 3_600),
  P2: ({ facts }) => perHour(facts, (of) => sumOf(of, ({ totalMs }) => totalMs) / times(of) / 1_000),
  P3: ({ facts }) => perHour(facts, quantile(0.95)),
  P4: ({ facts }) => perHour(facts, quantile(0.99)),
  P5: ({ facts }) => perHour(facts, (of) => times(of, ({ outcome }) => outcome === 'error') / times(of)),
  P6: ({ facts }) => all(facts, hitRate),
  P7: ({ facts }) => by(facts, ({ mode }) => String(mode), times),
  P8: ({ ratings }) =>
    by(
      ratings,
      ({ hour, score }) => `${isoHour(hour)}|${boundOf(RATIO, score)}`,
      (of) => of.length,
    ),
  P9: degraded,
  P11: ({ facts }) =>
    all(
      facts,
      (of) =>
        times(of, ({ outcome }) => outcome === 'success') /
        times(of, ({ outcome }) => outcome !== 'cancelled'),
    ),
  P12: ({ facts }) => by(facts, ({ tenant }) => tenant, times),
  C1: ({ facts }) => perHour(facts, hitRate),
  C3: ({ entries }) => new Map([['supabase value', entries.length]]),
  C4: ({ entries }) => new Map([['supabase value', sumOf(entries, ({ bytes }) => Number(bytes))]]),
  C5: ({ predictions }) =>
    by(
      predictions.filter(
        ({ cache, cached_prediction_id }) => cache === 'hit' && cached_prediction_id !== null,
      ),
      (row) => `${isoHour(hourOf(row.created_at))}|${boundOf(AGES_S, ageSeconds(row))}`,
      (of) => of.length,
    ),
  C6: ({ facts }) => all(facts, (of) => times(of, is('hit')) / times(of, is('miss'))),
  C9: modesOfCache,
  K1: ({ facts }) => perHour(facts, (of) => cost(of) * 24),
  K2: ({ facts }) => by(facts, () => 'llm', cost),
  K3: ({ facts }) =>
    merged(
      perHour(
        facts,
        (of) => times(of, ({ cache, model }) => cache !== 'hit' && model !== 'none') / 3_600,
        'asked',
      ),
      perHour(facts, (of) => times(of, is('hit')) / 3_600, 'cached'),
    ),
  K4: ({ facts }) => all(facts, (of) => sumOf(of.filter(is('hit')), ({ savedUsd }) => savedUsd)),
  K5: ({ facts }) =>
    merged(
      ...(['input', 'output'] as const).map((type) =>
        perHour(
          facts,
          (of) =>
            sumOf(
              of.filter(({ cache }) => cache !== 'hit'),
              (fact) => fact[type],
            ) / 3_600,
          type,
        ),
      ),
    ),
  K8: ({ facts }) => by(facts, ({ mode }) => String(mode), cost),
  K9: ({ facts }) => by(facts, ({ tenant }) => tenant, cost),
  K10: ({ facts }) => perHour(facts, cost),
  K11: ({ facts }) =>
    all(facts, (of) => {
      const saved = sumOf(of, ({ savedUsd }) => savedUsd)
      return saved / (saved + cost(of))
    }),
  S4: ({ predictions }) =>
    perSecond(
      predictions.filter(({ error_code }) => error_code !== null),
      ({ created_at, error_code }) => `${isoHour(hourOf(created_at))}|${error_code}`,
    ),
  S5: ({ ratings }) =>
    by(
      ratings,
      ({ hour }) => isoHour(hour),
      (of) => sumOf(of, ({ score }) => score) / of.length,
    ),
  S6: warnings,
}
