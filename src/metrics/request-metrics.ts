import { NONE, seriesName } from './catalogue.ts'
import { WAIT_SECONDS } from './families/buckets.ts'
import type { RequestFacts, Sink } from './request-facts.ts'
import { countChecks } from './request-metrics-quality.ts'
import { countAttempts } from './request-metrics-upstream.ts'
import { type ModeByKind, modeOf } from './request-modes.ts'
import { type KnownRoutes, RouteLabels, type RouteNames } from './route-names.ts'
import { memoised } from './series-memo.ts'

export interface RequestMetricsOptions {
  readonly sink: Sink
  readonly routes: KnownRoutes
  /** What a tenant is called: one of the largest by its name, any other `other`. */
  readonly tenantLabel: (tenantId: string) => string
  readonly modes: ModeByKind
}

type Mode = ReturnType<typeof modeOf>
type Outcome = RequestFacts['outcome']
type Cache = RequestFacts['cache']
type Tier = NonNullable<RequestFacts['tier']> | typeof NONE
type Flag = 'true' | 'false'

const RECEIVED = seriesName('requests_received_total')
const HTTP = seriesName('connections_active', { kind: 'http' })
const SSE = seriesName('connections_active', { kind: 'sse' })

const requests = memoised(
  (mode: Mode, provider: string, model: string, outcome: Outcome, cache: Cache, stream: Flag) =>
    seriesName('requests_total', { mode, provider, model, outcome, cache, stream }),
)
const durations = memoised((mode: Mode, cache: Cache) =>
  seriesName('request_duration_seconds', { mode, cache }),
)
const overheads = memoised((cache: Cache) => seriesName('gateway_overhead_seconds', { cache }))
const firstTokens = memoised((provider: string, cache: Cache) =>
  seriesName('time_to_first_token_seconds', { provider, cache }),
)
const errors = memoised((type: NonNullable<RequestFacts['errorCode']>, provider: string) =>
  seriesName('request_errors_total', { type, provider }),
)
const lookups = memoised(
  (mode: Mode, result: Exclude<Cache, 'none'>, match: 'exact' | typeof NONE, tier: Tier) =>
    seriesName('cache_lookups_total', { mode, result, match, tier }),
)
const calls = memoised((provider: string, model: string) =>
  seriesName('llm_calls_total', { provider, model, cached: 'true' }),
)
const tenants = memoised((tenant: string) => seriesName('tenant_requests_total', { tenant }))
const degraded = memoised((mode: Mode) => seriesName('degraded_responses_total', { mode }))
const DEGRADED_BY_FALLBACK = seriesName('degradations_total', { reason: 'fallback' })

/** Counts every chat request: as it comes, and once more, in full, when it is over. Never throws. */
export class RequestMetrics {
  readonly #options: RequestMetricsOptions
  readonly #labels: RouteLabels
  /** Requests that are not over, and those of them whose answer is passed on as it comes. */
  #open = 0
  #streaming = 0

  constructor(options: RequestMetricsOptions) {
    this.#options = options
    this.#labels = new RouteLabels(options.routes)
  }

  /** Before anything else is done with it. */
  received(): void {
    this.#options.sink.count(RECEIVED)
    this.#open += 1
  }

  /** One that was received has begun to answer as a stream. */
  streams(): void {
    this.#streaming += 1
  }

  get open(): number {
    return this.#open
  }

  /** As it stands now. */
  gauges(): Record<string, number> {
    return { [HTTP]: this.#open - this.#streaming, [SSE]: this.#streaming }
  }

  settled(facts: RequestFacts): void {
    const { sink, modes, tenantLabel } = this.#options
    const { outcome, cache, stream, errorCode, tenantId } = facts
    this.#open -= 1
    if (facts.streaming === true) this.#streaming -= 1
    const mode = modeOf(facts.routeId, modes)
    const { provider, model } = this.#namesOf(facts)
    sink.count(requests(mode, provider, model, outcome, cache, stream ? 'true' : 'false'))
    if (errorCode !== undefined) sink.count(errors(errorCode, provider))
    if (tenantId !== undefined) sink.count(tenants(tenantLabel(tenantId)))
    if (cache !== 'none') this.#countLookup(facts, mode, cache)
    if (cache === 'hit') sink.count(calls(provider, model))
    this.#observeTimes(facts, mode, provider)
    if (facts.attempts.length === 0) return
    countAttempts(sink, this.#labels, facts)
    if (outcome !== 'success') return
    if (facts.checks) countChecks(sink, mode, facts.checks)
    if (!byFallback(facts)) return
    sink.count(degraded(mode))
    sink.count(DEGRADED_BY_FALLBACK)
  }

  /** Who answered; else who was asked last; else, of a hit, what was asked for. */
  #namesOf({ attempts, routeId }: RequestFacts): RouteNames {
    const asked = attempts.find(({ result }) => result === 'answered') ?? attempts.at(-1)
    return this.#labels.of(asked?.routeId ?? routeId)
  }

  #countLookup({ tier }: RequestFacts, mode: Mode, result: Exclude<Cache, 'none'>): void {
    this.#options.sink.count(lookups(mode, result, result === 'hit' ? 'exact' : NONE, tier ?? NONE))
  }

  #observeTimes(facts: RequestFacts, mode: Mode, provider: string): void {
    const { cache, totalMs, upstreamMs = 0 } = facts
    this.#observe(durations(mode, cache), totalMs, facts)
    this.#observe(overheads(cache), totalMs - upstreamMs, facts)
    const firstMs = facts.stream ? firstTokenMs(facts) : undefined
    if (firstMs !== undefined)
      this.#options.sink.observe(firstTokens(provider, cache), seconds(firstMs), WAIT_SECONDS)
  }

  /** For alerts by the bucket, for those who watch by the sketch. */
  #observe(series: string, ms: number, { predictionId }: RequestFacts): void {
    const { sink } = this.#options
    const value = seconds(ms)
    sink.exemplar(series, value, () => predictionId.replaceAll('-', ''))
    sink.observe(series, value, WAIT_SECONDS)
    sink.sketch(series, value)
  }
}

/** A clock that was set back must not make it negative. */
export const seconds = (ms: number): number => (ms > 0 ? ms / 1_000 : 0)

function firstTokenMs({ attempts, cache, receivedAtMs, totalMs }: RequestFacts): number | undefined {
  if (cache === 'hit') return totalMs
  const begun = attempts.findLast(
    ({ result, firstByteMs }) => result !== 'abandoned' && firstByteMs !== undefined,
  )
  return begun?.firstByteMs === undefined ? undefined : begun.startedAtMs + begun.firstByteMs - receivedAtMs
}

/** Whether another model answered than the one that was to, because that one failed. */
function byFallback({ attempts: [first, ...others] }: RequestFacts): boolean {
  if (first?.result !== 'failed') return false
  return others.some(({ result, routeId }) => result === 'answered' && routeId !== first.routeId)
}
