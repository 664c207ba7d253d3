import { Lru } from '../core/lru.ts'
import type { Usage } from '../providers/completion.ts'
import { FAILURES } from '../providers/failure-table.ts'
import { LatencyHistogram } from './latency-histogram.ts'

/** One call to a model, as settlement tells it. */
export interface ObservedAttempt {
  readonly routeId: string
  readonly endpointId: string
  readonly ms: number
  /** Undefined: no answer began. */
  readonly firstByteMs: number | undefined
  readonly result: 'answered' | 'failed' | 'abandoned' | 'cancelled'
  /** A kind of `FAILURES`, or the code of an error of our own. */
  readonly failure: string | undefined
  readonly usage: Usage | undefined
}

export interface ObservedRequest {
  readonly tenantId: string | undefined
  readonly outcome: string
  readonly attempts: readonly ObservedAttempt[]
}

export interface Quantiles {
  readonly p50: number
  readonly p95: number
}

/** How a model did for one tenant. Every figure weighs less the older it is. */
export interface ModelFigures {
  /** Since when, milliseconds since the epoch. */
  readonly sinceMs: number
  /** Calls that reached the model, also those that the caller left or that another overtook. */
  readonly requests: number
  /**
   * Whole answers among whole answers and failures of model, key or provider, 0 to 1; undefined where there is
   * neither. A request that no model could have served counts for neither.
   */
  readonly successShare: number | undefined
  /** Until the answer began, milliseconds, of those that succeeded. */
  readonly firstByteMs: Quantiles | undefined
  /** Until it was whole. */
  readonly totalMs: Quantiles | undefined
  /** Calls whose tokens are known, and these tokens. */
  readonly counted: { readonly requests: number; readonly inputTokens: number; readonly outputTokens: number }
}

/** After so long a call counts half. */
export const HALF_LIFE_MS = 3_600_000
const MAX_SERIES = 5_000
/** One tenant that asks for model after model pushes out its own series first. */
const TENANT_SHARE = 0.2
/** What has decayed to less than half a call says nothing any more. */
const NOTHING = 0.5

/**
 * How each model does for each tenant, seen from this isolate: decayed counts, bounded in number, about 2 kB each.
 * Counts are halved in steps, so that within one half-life they are whole numbers and adding is cheap.
 */
export class ModelStats {
  readonly #clock: { now(): number }
  readonly #series = new Lru<Series>({
    maxEntries: MAX_SERIES,
    maxBytes: MAX_SERIES,
    ownerShare: TENANT_SHARE,
  })

  constructor(clock: { now(): number }) {
    this.#clock = clock
  }

  get size(): number {
    return this.#series.size
  }

  /** Takes every request's event; those that asked no model cost nothing. */
  add({ tenantId, outcome, attempts }: ObservedRequest): void {
    if (attempts.length === 0 || tenantId === undefined) return
    const nowMs = this.#clock.now()
    for (const attempt of attempts) {
      const what = judge(attempt, outcome)
      if (what !== 'not_sent') this.#of(tenantId, attempt, nowMs).add(attempt, what)
    }
  }

  /**
   * @param endpointIds of the route: of two models with one name, one on the tenant's own key, each has its own figures
   * @returns undefined where nothing is known
   */
  of(tenantId: string, routeId: string, endpointIds: readonly string[]): ModelFigures | undefined {
    const nowMs = this.#clock.now()
    const known = endpointIds.flatMap((id) => this.#series.get(keyOf(tenantId, routeId, id)) ?? [])
    for (const series of known) series.decay(nowMs)
    const whole = new Series(Math.min(...known.map(({ sinceMs }) => sinceMs)))
    for (const series of known) whole.addAll(series)
    return whole.figures()
  }

  #of(tenantId: string, { routeId, endpointId }: ObservedAttempt, nowMs: number): Series {
    const key = keyOf(tenantId, routeId, endpointId)
    let series = this.#series.get(key)
    if (series) series.decay(nowMs)
    else {
      series = new Series(nowMs)
      this.#series.set(key, series, 1, tenantId)
    }
    return series
  }
}

/** Ids of tenants and endpoints are ours and hold no space, so nobody's names can reach another's series. */
const keyOf = (tenantId: string, routeId: string, endpointId: string): string =>
  `${tenantId} ${endpointId} ${routeId}`

type Judged = 'succeeded' | 'failed' | 'neither' | 'not_sent'

function judge({ result, failure }: ObservedAttempt, outcome: string): Judged {
  // An answer that was passed on and turned out not to be whole is the request's error, and the model's.
  if (result === 'answered') return outcome === 'success' ? 'succeeded' : 'failed'
  if (result !== 'failed') return 'neither'
  const known = failure === 'unsupported' ? undefined : failureClass(failure)
  if (!known) return 'not_sent'
  return known.blames === 'nobody' ? 'neither' : 'failed'
}

const failureClass = (failure: string | undefined) =>
  failure !== undefined && Object.hasOwn(FAILURES, failure)
    ? FAILURES[failure as keyof typeof FAILURES]
    : undefined

class Series {
  readonly sinceMs: number
  #halvedMs: number
  #requests = 0
  #succeeded = 0
  #failed = 0
  #counted = 0
  #inputTokens = 0
  #outputTokens = 0
  // Made with the first answer: a name that no model has must not cost the memory of one.
  #firstByte: LatencyHistogram | undefined
  #total: LatencyHistogram | undefined

  constructor(nowMs: number) {
    this.sinceMs = nowMs
    this.#halvedMs = nowMs
  }

  add({ ms, firstByteMs, usage }: ObservedAttempt, what: Judged): void {
    this.#requests += 1
    if (usage) {
      this.#counted += 1
      this.#inputTokens += usage.inputTokens
      this.#outputTokens += usage.outputTokens
    }
    if (what === 'failed') this.#failed += 1
    if (what !== 'succeeded') return
    this.#succeeded += 1
    this.#firstByte ??= new LatencyHistogram()
    this.#total ??= new LatencyHistogram()
    this.#firstByte.add(firstByteMs ?? ms)
    this.#total.add(ms)
  }

  decay(nowMs: number): void {
    const halvings = Math.floor((nowMs - this.#halvedMs) / HALF_LIFE_MS)
    if (halvings < 1) return
    this.#halvedMs += halvings * HALF_LIFE_MS
    const factor = 0.5 ** halvings
    this.#requests *= factor
    this.#succeeded *= factor
    this.#failed *= factor
    this.#counted *= factor
    this.#inputTokens *= factor
    this.#outputTokens *= factor
    this.#firstByte?.scale(factor)
    this.#total?.scale(factor)
  }

  addAll(other: Series): void {
    this.#requests += other.#requests
    this.#succeeded += other.#succeeded
    this.#failed += other.#failed
    this.#counted += other.#counted
    this.#inputTokens += other.#inputTokens
    this.#outputTokens += other.#outputTokens
    if (!other.#firstByte || !other.#total) return
    this.#firstByte ??= new LatencyHistogram()
    this.#total ??= new LatencyHistogram()
    this.#firstByte.addAll(other.#firstByte)
    this.#total.addAll(other.#total)
  }

  figures(): ModelFigures | undefined {
    if (this.#requests < NOTHING) return undefined
    const judged = this.#succeeded + this.#failed
    return {
      sinceMs: this.sinceMs,
      requests: this.#requests,
      successShare: judged < NOTHING ? undefined : this.#succeeded / judged,
      firstByteMs: quantiles(this.#firstByte),
      totalMs: quantiles(this.#total),
      counted: {
        requests: this.#counted,
        inputTokens: this.#inputTokens,
        outputTokens: this.#outputTokens,
      },
    }
  }
}

function quantiles(histogram: LatencyHistogram | undefined): Quantiles | undefined {
  const [p50, p95] = [histogram?.quantile(0.5), histogram?.quantile(0.95)]
  return p50 === undefined || p95 === undefined || (histogram?.total ?? 0) < NOTHING
    ? undefined
    : { p50, p95 }
}
