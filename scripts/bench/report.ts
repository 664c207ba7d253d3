import type { LoadResult } from './load.ts'
import { LOOPBACK_DISTINCT, LOOPBACK_SECONDS, type Loopback, type LoopbackRow } from './loopback.ts'
import { blendedUsd, operationsTable, type PathCost } from './operations.ts'
import type { SelectionCost } from './selection.ts'

export type RunName =
  | 'hello'
  | 'proxy'
  | 'hit'
  | 'uncounted'
  | 'miss'
  | 'missFlight'
  | 'proxyStream'
  | 'missStream'
export type Runs = Record<RunName, LoadResult[]>

export interface Measured {
  readonly runs: Runs
  /** To the first answer, milliseconds. */
  readonly startup: { readonly hello: number; readonly gateway: number }
  readonly bundleGzipBytes: number
  readonly selection: SelectionCost
  /** Undefined where it was not asked for. */
  readonly loopback: Loopback | undefined
  readonly operations: readonly PathCost[] | undefined
}

export interface Setting {
  readonly connections: number
  readonly rounds: number
  readonly seconds: number
}

export type Result = ReturnType<typeof summarise>

/** What `--json` prints. */
export function summarise({ runs, startup, bundleGzipBytes, selection, loopback, operations }: Measured) {
  const all = Object.values(runs).flat()
  const rps = (name: RunName) => Math.round(medianSpeed(runs[name]))
  const p50 = (name: RunName) => round(median(runs[name].map((run) => run.p50Ms)))
  const ratio = (name: RunName, base: RunName) =>
    round(median(runs[name].map((run, i) => speed(run) / speed(runs[base][i] as LoadResult))))
  return {
    hello_rps: rps('hello'),
    proxy_rps: rps('proxy'),
    hit_rps: rps('hit'),
    miss_rps: rps('miss'),
    miss_flights_rps: rps('missFlight'),
    hit_ratio: ratio('hit', 'hello'),
    miss_ratio: ratio('miss', 'proxy'),
    metrics_us: round(median(runs.hit.map((run, i) => costUs(run, runs.uncounted[i] as LoadResult)))),
    flights_us: round(median(runs.missFlight.map((run, i) => costUs(run, runs.miss[i] as LoadResult)))),
    stream_first_byte_ms: p50('missStream'),
    proxy_stream_first_byte_ms: p50('proxyStream'),
    bundle_gzip_bytes: bundleGzipBytes,
    startup_ms: Math.round(startup.gateway),
    hello_startup_ms: Math.round(startup.hello),
    selection_us: round(selection.microseconds),
    needs_us: round(selection.needsMicroseconds),
    failures: sum(all, (run) => run.failures),
    hits_missed: sum(runs.hit, missed),
    generator_cpu: round(Math.max(...all.map((run) => run.cpu))),
    ...(loopback && {
      loopback_hit_rps: Math.round(medianSpeed(loopback.hit.runs)),
      loopback_lower_hit_rps: Math.round(medianSpeed(loopback.lowerHit.runs)),
      loopback_miss_rps: Math.round(medianSpeed(loopback.miss.runs)),
      loopback_failures: sum(loopbackRuns(loopback), (run) => run.failures),
      loopback_hits_missed: sum([...loopback.hit.runs, ...loopback.lowerHit.runs], missed),
    }),
    ...(operations && {
      usd_a_request: Object.fromEntries(operations.map(({ path, usd }) => [path, usd])),
      usd_a_request_at_half_hits: blendedUsd(operations, 0.5),
    }),
  }
}

/** The same for people. */
export function table(
  { runs, selection, loopback, operations }: Measured,
  result: Result,
  setting: Setting,
): string {
  const spread = (of: readonly LoadResult[]) => of.map((run) => Math.round(speed(run))).join(' ')
  const beside = (label: string, row: LoopbackRow | undefined) =>
    row
      ? `${label}${cell(Math.round(medianSpeed(row.runs)))}             ${spread(row.runs)}   (${row.connections} connections; ${lookUps(row)})\n`
      : ''
  return `
Raw workerd, one process and one core each; ${setting.connections} connections, ${setting.rounds} rounds of ${setting.seconds} s, medians.
Bodies of 2 kB with 6 messages, 10,000 distinct requests (Zipf 1.0), 100 virtual keys. Auth, validation,
exact key, sealing and counting are on; KV, Redis and Supabase are stand-ins inside the isolate.

                            req/s     ratio   rounds
hello, bare             ${cell(result.hello_rps)}             ${spread(runs.hello)}
exact hit, memory       ${cell(result.hit_rps)}  ${cell(result.hit_ratio)}   ${spread(runs.hit)}   (of hello; wanted >= 0.40)
${beside('  the same over loopback', loopback?.hit)}${beside('  lower tier, loopback  ', loopback?.lowerHit)}pass-through, bare      ${cell(result.proxy_rps)}             ${spread(runs.proxy)}
miss, proxied           ${cell(result.miss_rps)}  ${cell(result.miss_ratio)}   ${spread(runs.miss)}   (of pass-through; wanted >= 0.50)
${beside('  the same over loopback', loopback?.miss)}  with FLIGHTS on         ${cell(result.miss_flights_rps)}             ${spread(runs.missFlight)}   (${Math.round(result.flights_us)} µs more a miss, the directory on the same core)
first byte of a stream  ${cell(result.stream_first_byte_ms)} ms, bare pass-through ${result.proxy_stream_first_byte_ms} ms (one connection, median)
bundle                  ${cell(result.bundle_gzip_bytes)} bytes gzip (wanted <= 250,000)
start-up                ${cell(result.startup_ms)} ms to the first answer, bare hello ${result.hello_startup_ms} ms
counting for /metrics   ${cell(Math.round(result.metrics_us))} µs of a hit (wanted <= 20)
choice of a model       ${cell(Math.round(result.selection_us))} µs among ${selection.models.toLocaleString('en-US')} (wanted <= 100), ${Math.round(result.needs_us)} µs more to read what the request needs, on Node
failed answers ${result.failures}, hits that were none ${result.hits_missed}, generator at most ${Math.round(result.generator_cpu * 100)} % of a core${result.generator_cpu > 0.8 ? ' (too much: ratios are flattened)' : ''}
${loopback ? loopbackNote(loopback, result) : ''}${operations ? operationsTable(operations) : ''}`
}

const loopbackNote = ({ redis }: Loopback, result: Result): string => `
Over loopback: the bundle that would be uploaded, in runs of ${LOOPBACK_SECONDS} s without a target; KV, Upstash's protocol (${redis}),
the embedded Supabase and the account object answer for real. ${LOOPBACK_DISTINCT} distinct requests, and few connections below memory:
the stores share the load's core, and the embedded Supabase is what misses wait for.
failed answers ${result.loopback_failures}, hits that were none ${result.loopback_hits_missed}
`

const TIERS = ['memory', 'kv', 'redis', 'supabase']
const TROUBLE = ['timeout', 'skipped', 'error', 'corrupt']

/** Which tier answered how many of the look-ups, and where one did not answer in time. */
function lookUps({ tiers }: LoopbackRow): string {
  const part = (tier: string, result: string) => {
    const count = tiers[tier]?.[result] ?? 0
    return count > 0 ? [`${tier} ${result} ${count.toLocaleString('en-US')}`] : []
  }
  const hits = TIERS.flatMap((tier) => part(tier, 'hit'))
  const trouble = TIERS.flatMap((tier) => TROUBLE.flatMap((result) => part(tier, result)))
  return [...(hits.length > 0 ? hits : ['no tier had it']), ...trouble].join(', ')
}

const loopbackRuns = ({ hit, lowerHit, miss }: Loopback): LoadResult[] => [
  ...hit.runs,
  ...lowerHit.runs,
  ...miss.runs,
]

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const missed = (run: LoadResult): number => run.requests - run.hits

const speed = (run: LoadResult): number => run.requests / run.seconds

const medianSpeed = (runs: readonly LoadResult[]): number => median(runs.map(speed))

/** What a request takes more in the one run than in the other, microseconds of the one core. */
const costUs = (run: LoadResult, other: LoadResult): number => 1e6 / speed(run) - 1e6 / speed(other)

const sum = (runs: readonly LoadResult[], of: (run: LoadResult) => number): number =>
  runs.reduce((total, run) => total + of(run), 0)

const round = (value: number): number => Math.round(value * 1_000) / 1_000

const cell = (value: number): string => value.toLocaleString('en-US').padStart(8)
