import type { Rows } from './history.ts'
import type { FigureRow, Figures } from './messages.ts'

/** What the database told, and of which steps. */
export interface Told extends Rows {
  readonly steps: readonly { readonly startS: number; readonly seconds: number }[]
  /** Of all steps together. */
  readonly seconds: number
}

type Requests = Omit<Rows['requests'][number], 'at'>
type Costs = Omit<Rows['costs'][number], 'at'>
type Latency = Omit<Rows['latency'][number], 'at'>

const NO_REQUESTS: Requests = { requests: 0, successes: 0, errors: 0, cancelled: 0, hits: 0, misses: 0 }
const NO_COSTS: Costs = {
  asked: 0,
  cached: 0,
  input_tokens: 0,
  output_tokens: 0,
  cost_usd: 0,
  saved_by_cache_usd: 0,
  saved_by_routing_usd: 0,
}
const NO_LATENCY: Latency = { mean_ms: null, p95_ms: null, p99_ms: null }

const DAY_S = 86_400
const HOUR_S = 3_600
/** A step that has hardly begun has no speed yet. */
const MIN_SECONDS = 180

type Value<T> = (row: T, seconds: number) => number | null

const part = (a: number, b: number): number | null => (b > 0 ? a / b : null)
const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1_000)
const saved = ({ saved_by_cache_usd, saved_by_routing_usd }: Costs): number =>
  saved_by_cache_usd + saved_by_routing_usd
const hitRate: Value<Requests> = ({ hits, misses }) => part(hits, hits + misses)

/** A line: what it was at each step, and of all the time. */
function line<T>(
  { steps, seconds: total }: Told,
  rows: readonly (T & { readonly at: string | null })[],
  none: T,
  value: Value<T>,
  labels: readonly string[] = [],
): FigureRow {
  const byStart = new Map(rows.map((row) => [row.at === null ? null : Date.parse(row.at) / 1_000, row]))
  const at = (startS: number | null, spanS: number): number | null =>
    spanS < MIN_SECONDS ? null : value(byStart.get(startS) ?? none, spanS)
  return {
    labels,
    now: at(null, total),
    points: steps.map((step) => at(step.startS, step.seconds)),
  }
}

/** Nothing at all is no line of noughts. */
const hasRequests = (told: Told): boolean => told.requests.some(({ requests }) => requests > 0)
const linesOf =
  <T>(rowsOf: (told: Told) => readonly (T & { readonly at: string | null })[], none: T) =>
  (lines: Readonly<Record<string, Value<T>>>) =>
  (told: Told): FigureRow[] =>
    hasRequests(told)
      ? Object.entries(lines).map(([label, value]) =>
          line(told, rowsOf(told), none, value, label === '' ? [] : [label]),
        )
      : []
const requestLines = linesOf(({ requests }) => requests, NO_REQUESTS)
const latencyLines = linesOf(({ latency }) => latency, NO_LATENCY)
const costLines = linesOf(({ costs }) => costs, NO_COSTS)
const requests = (value: Value<Requests>) => requestLines({ '': value })
const latency = (value: Value<Latency>) => latencyLines({ '': value })
const costs = (value: Value<Costs>) => costLines({ '': value })

/** Rows of a table or slices: the largest first, without what did not happen. */
const ranked = (rows: readonly (readonly [labels: readonly string[], value: number])[]): FigureRow[] =>
  rows
    .filter(([, value]) => value > 0)
    .map(([labels, now]) => ({ labels, now }))
    .sort((a, b) => b.now - a.now)

const modeName = (mode: number): string => (mode === 0 ? 'none' : String(mode))

/** A line each type; of what is degraded there is but one. */
const troubles = (kind: string) => (told: Told) => {
  const meant = told.troubles.filter((row) => row.kind === kind)
  return [...new Set(meant.map(({ type }) => type))].map((type) =>
    line(
      told,
      meant.filter((row) => row.type === type),
      { requests: 0 },
      (row, spanS) => row.requests / spanS,
      kind === 'degraded' ? [] : [type],
    ),
  )
}

/** Buckets that hold anything; a rating is rarely in any other. */
const scores = (told: Told) =>
  [...new Set(told.scores.map(({ at_most }) => at_most))]
    .sort((a, b) => a - b)
    .map((bound) =>
      line(
        told,
        told.scores.filter(({ at_most }) => at_most === bound),
        { ratings: 0 },
        (row, spanS) => row.ratings / spanS,
        [String(bound)],
      ),
    )

function meanScore(told: Told): FigureRow[] {
  const sums = new Map<string | null, { at: string | null; ratings: number; score: number }>()
  for (const { at, ratings, score } of told.scores) {
    const sum = sums.get(at) ?? { at, ratings: 0, score: 0 }
    sum.ratings += ratings
    sum.score += score
    sums.set(at, sum)
  }
  return [
    line(told, [...sums.values()], { ratings: 0, score: 0 }, (row) => part(row.score, row.ratings)),
  ].filter(({ now }) => now !== null)
}

/** What of the panels is kept, and how it is read from what the database told. */
const KEPT: Readonly<Record<string, (told: Told) => readonly FigureRow[]>> = {
  P1: requests((row, spanS) => row.requests / spanS),
  P2: latency(({ mean_ms }) => seconds(mean_ms)),
  P3: latency(({ p95_ms }) => seconds(p95_ms)),
  P4: latency(({ p99_ms }) => seconds(p99_ms)),
  P5: requests((row) => part(row.errors, row.requests)),
  P6: requests(hitRate),
  P7: ({ modes }) => ranked(modes.map((row) => [[modeName(row.mode)], row.requests])),
  P8: scores,
  P9: troubles('degraded'),
  P11: requests((row) => part(row.successes, row.requests - row.cancelled)),
  P12: ({ tenants }) => ranked(tenants.map((row) => [[row.tenant], row.requests])),
  C1: requests(hitRate),
  C6: requests((row) => part(row.hits, row.misses)),
  C9: ({ modes }) =>
    ranked(
      modes.flatMap(({ mode, hits, misses, bypasses }) => [
        [[modeName(mode), 'hit'], hits] as const,
        [[modeName(mode), 'miss'], misses] as const,
        [[modeName(mode), 'bypass'], bypasses] as const,
      ]),
    ),
  K1: costs((row, spanS) => (row.cost_usd / spanS) * DAY_S),
  // The ledger has nothing else yet.
  K2: (told) => ranked([[['llm'], told.costs.find(({ at }) => at === null)?.cost_usd ?? 0]]),
  K3: costLines({ false: (row, spanS) => row.asked / spanS, true: (row, spanS) => row.cached / spanS }),
  K4: costs((row) => row.saved_by_cache_usd),
  K5: costLines({
    input: (row, spanS) => row.input_tokens / spanS,
    output: (row, spanS) => row.output_tokens / spanS,
  }),
  K8: (told) => ranked(told.mode_costs.map((row) => [[modeName(row.mode)], row.cost_usd])),
  K9: (told) => ranked(told.tenant_costs.map((row) => [[row.tenant], row.cost_usd])),
  K10: costs((row, spanS) => (row.cost_usd / spanS) * HOUR_S),
  K11: costs((row) => part(saved(row), saved(row) + row.cost_usd)),
  S4: troubles('error'),
  S5: meanScore,
  S6: troubles('warning'),
}

export const figuresOf = (told: Told): Figures =>
  Object.fromEntries(Object.entries(KEPT).map(([code, read]) => [code, read(told)]))
