import { Breaker } from '../core/breaker.ts'
import { Lru } from '../core/lru.ts'
import { FAILURES, type FailureKind } from '../providers/failure-table.ts'
import type { Target } from './provider.ts'

/** What is remembered of one provider's address, one key, or one model. */
interface Record {
  readonly breaker: Breaker
  /** Left alone until then, because it said so (`Retry-After`). */
  closedUntilMs: number
}

/** Weight of the newest observation in a decayed average. */
const NEWEST = 0.2
const MAX_RECORDS = 5_000
/** A success share above it is no longer kept. */
const AS_GOOD_AS_WELL = 0.99
/** Longer than a store's: a provider in trouble is not back within a second. */
const BREAKER = { openMs: 5_000, maxOpenMs: 30_000 }

const WELL_THOUGH_FAILED = {
  provider: [],
  key: ['provider'],
  model: ['provider', 'key'],
  nobody: ['provider', 'key', 'model'],
} as const

/**
 * How providers, keys and models do, seen from this isolate. Each has a breaker of its own: a key that is
 * refused closes no provider, and a model that is gone closes no key. Values only.
 */
export class HealthBook {
  readonly #records = new Lru<Record>({ maxEntries: MAX_RECORDS, maxBytes: MAX_RECORDS, ownerShare: 1 })
  readonly #latencies = new Lru<{ ms: number }>({
    maxEntries: MAX_RECORDS,
    maxBytes: MAX_RECORDS,
    ownerShare: 1,
  })
  /** Of what failed lately; what is not in it succeeds. */
  readonly #shares = new Lru<{ share: number }>({
    maxEntries: MAX_RECORDS,
    maxBytes: MAX_RECORDS,
    ownerShare: 1,
  })

  /** Whether a request may go there, without taking anybody's place. */
  available(target: Target, nowMs: number): boolean {
    if (this.#records.size === 0) return true
    return this.#of(target).every(
      ({ closedUntilMs, breaker }) => closedUntilMs <= nowMs && breaker.mayAllow(nowMs),
    )
  }

  /** As `available`, and it takes the place of a probe where one is due: the call must then be made. */
  admit(target: Target, nowMs: number): boolean {
    if (!this.available(target, nowMs)) return false
    for (const { breaker } of this.#of(target)) breaker.allows(nowMs)
    return true
  }

  succeeded(target: Target): void {
    if (this.#records.size === 0) return
    for (const { breaker } of this.#of(target)) breaker.success()
    this.#recovers(target.marks.model)
  }

  failed(target: Target, kind: FailureKind, nowMs: number, retryAfterMs?: number): void {
    const { blames } = FAILURES[kind]
    // Whoever refuses because of the key or the model has answered, and is well.
    for (const well of WELL_THOUGH_FAILED[blames]) this.#records.get(target.marks[well])?.breaker.success()
    if (blames === 'nobody') return
    this.#suffers(target.marks.model)
    const blamed = this.#record(target.marks[blames])
    if (retryAfterMs !== undefined)
      blamed.closedUntilMs = Math.max(blamed.closedUntilMs, nowMs + retryAfterMs)
    // A limit on speed is no defect: the time it names is all there is to keep to.
    if (kind === 'rate_limited') blamed.breaker.success()
    else blamed.breaker.failure(nowMs)
  }

  /**
   * The decayed share of calls that succeeded, 0 to 1, over the endpoints of one route by their weight. Undefined
   * where none failed of late.
   */
  successShare(targets: readonly Target[]): number | undefined {
    if (this.#shares.size === 0) return undefined
    let succeeded = 0
    let all = 0
    for (const { marks, endpoint } of targets) {
      succeeded += endpoint.weight * (this.#shares.get(marks.model)?.share ?? 1)
      all += endpoint.weight
    }
    return succeeded < all ? succeeded / all : undefined
  }

  /** How long it took until an answer began. */
  observeLatency({ marks: { model } }: Target, ms: number): void {
    const known = this.#latencies.get(model)
    if (known) known.ms += (ms - known.ms) * NEWEST
    else this.#latencies.set(model, { ms }, 1, '')
  }

  /** Decayed average until an answer began, of the fastest endpoint; undefined while nothing is known. */
  latencyMs(targets: readonly Target[]): number | undefined {
    let fastest: number | undefined
    for (const { marks } of targets) {
      const ms = this.#latencies.get(marks.model)?.ms
      if (ms !== undefined && (fastest === undefined || ms < fastest)) fastest = ms
    }
    return fastest
  }

  /** Whether it said itself that it is not to be asked yet. */
  isClosed(target: Target, nowMs: number): boolean {
    return this.#records.size > 0 && this.closedUntilMs(target) > nowMs
  }

  /** When the target opens again, as far as it said so. */
  closedUntilMs(target: Target): number {
    return Math.max(0, ...this.#of(target).map(({ closedUntilMs }) => closedUntilMs))
  }

  /** How long until the first of those opens that said so themselves; undefined where none did. */
  opensInMs(targets: readonly Target[], nowMs: number): number | undefined {
    const waits = targets.map((target) => this.closedUntilMs(target) - nowMs).filter((waitMs) => waitMs > 0)
    return waits.length === 0 ? undefined : Math.min(...waits)
  }

  /** What is remembered of it: nothing of what has never failed. */
  #of({ marks }: Target): Record[] {
    const { provider, key, model } = marks
    return [provider, key, model].flatMap((mark) => this.#records.get(mark) ?? [])
  }

  #suffers(mark: string): void {
    const known = this.#shares.get(mark)
    if (known) known.share -= known.share * NEWEST
    else this.#shares.set(mark, { share: 1 - NEWEST }, 1, '')
  }

  #recovers(mark: string): void {
    const known = this.#shares.get(mark)
    if (!known) return
    known.share += (1 - known.share) * NEWEST
    if (known.share > AS_GOOD_AS_WELL) this.#shares.delete(mark)
  }

  #record(mark: string): Record {
    let record = this.#records.get(mark)
    if (!record) {
      record = { breaker: new Breaker(BREAKER), closedUntilMs: 0 }
      this.#records.set(mark, record, 1, '')
    }
    return record
  }
}
