import { type Clock, type WaitUntil, withDeadline } from '../core/clock.ts'
import { type Batch, type BatchAnswer, flushIntervalMs, WATCHED_FLUSH_MS } from './batch.ts'
import { Tally } from './batch-tally.ts'
import type { Exemplar } from './exposition.ts'
import { Stock, type StoreTier } from './stock.ts'

export interface BufferOptions {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Unlike that of any other isolate. */
  readonly isolate: string
  /** Resolves once the isolate's shard has the batch in durable storage. */
  readonly send: (batch: Batch) => Promise<BatchAnswer>
}

/** Series of one batch: with the longest names and full histograms about 1 MB. */
const MAX_SERIES = 2_000
const MAX_GAUGES = 200
const MAX_EXEMPLARS = 50
/** So many requests of one gathering wait for its end, each by itself, should one or the other be ended before. */
const SLEEPERS = 4
const SEND_MS = 4_000
/** The platform ends a request's work 30 s after its answer. */
const AWAKE_MS = 20_000
const RETRY_BASE_MS = 500
const RETRY_CAP_MS = 8_000
/** A request that has not woken so long after its time was ended by the platform. */
const DEAD_AFTER_MS = SEND_MS + 1_000

interface Sleeper {
  wakeMs: number
}

/**
 * What an isolate counts until a shard has it. Requests add to it in passing; some of them stay behind, each on its
 * own timer and under its own `waitUntil`, and the first that wakes takes all there is. A batch that nobody
 * acknowledged is sent again under its number, by whoever wakes next, before anything newer.
 * Holds values only: no request ever waits for another's promise.
 */
export class MetricsBuffer {
  readonly #options: BufferOptions
  readonly #gauges = new Map<string, number>()
  #open = new Tally(MAX_SERIES)
  #exemplars = new Map<string, Exemplar>()
  #stock = new Stock()
  #reads: readonly (() => Readonly<Record<string, number>>)[] = []
  #startedAtMs: number | undefined
  #dueMs = 0
  /** Of the open gathering; the next one has its own. */
  #sleepers = new Set<Sleeper>()
  #unacknowledged: Batch | undefined
  #seq = 0
  #flushMs: number
  #soonMs: number
  /** When the last batch was taken. */
  #takenMs: number | undefined
  /** Until then the batch is being sent, or may not be sent again. */
  #busyUntilMs = Number.NEGATIVE_INFINITY
  #failures = 0

  constructor(options: BufferOptions) {
    this.#options = options
    // Isolates that start together do not send together.
    this.#flushMs = flushIntervalMs(0, false, options.random())
    this.#soonMs = this.#flushMs
  }

  count(series: string, amount = 1): void {
    this.#open.count(series, amount)
  }

  /** @param bounds the upper edges of the family's buckets, rising */
  observe(series: string, value: number, bounds: readonly number[]): void {
    this.#open.observe(series, value, bounds)
  }

  sketch(series: string, value: number): void {
    this.#open.sketch(series, value)
  }

  /** The request behind an observation; of a gathering the largest is told. @param traceIdOf asked only where it is */
  exemplar(series: string, value: number, traceIdOf: () => string): void {
    const known = this.#exemplars.get(series)
    if (known ? value <= known.value : this.#exemplars.size >= MAX_EXEMPLARS) return
    this.#exemplars.set(series, { traceId: traceIdOf(), value, atMs: this.#options.clock.now() })
  }

  /** As it stands from now on; told with every batch. */
  gauge(series: string, value: number): void {
    if (!Number.isFinite(value)) this.#open.refuse('invalid')
    else if (this.#gauges.size >= MAX_GAUGES && !this.#gauges.has(series)) this.#open.refuse('cardinality')
    else this.#gauges.set(series, value)
  }

  /** Gauges that change with every request are read only when a batch goes, and stand as they are then. */
  gaugesFrom(read: () => Readonly<Record<string, number>>): void {
    this.#reads = [...this.#reads, read]
  }

  /** @param lifeMs how long what a store took in has to live there */
  stock(tier: StoreTier, entries: number, bytes: number, lifeMs: number): void {
    this.#stock.add(tier, entries, bytes, this.#options.clock.now() + lifeMs)
  }

  /** Somebody begins to look at the figures, and came through this isolate: it need not be told by its shard. */
  hasten(): void {
    this.#flushMs = Math.min(this.#flushMs, WATCHED_FLUSH_MS)
    this.#soonMs = this.#flushMs
  }

  /** To be called once a request, when it has added what it had to add. Never throws and never waits. */
  flushLater(waitUntil: WaitUntil): void {
    const nowMs = this.#options.clock.now()
    const isFirst = this.#startedAtMs === undefined
    if (isFirst) {
      this.#startedAtMs = nowMs
      // After a silence nobody waits for long: the pace is from one batch to the next.
      this.#dueMs = Math.max(nowMs + this.#soonMs, (this.#takenMs ?? nowMs) + this.#flushMs)
    }
    const waitMs = isFirst ? this.#dueMs - nowMs : this.#flushMs
    if (this.#sleepers.size >= SLEEPERS) this.#forgetDead(nowMs)
    if (this.#sleepers.size < SLEEPERS) waitUntil(this.#sleep(nowMs + AWAKE_MS, waitMs, this.#sleepers))
  }

  #forgetDead(nowMs: number): void {
    for (const sleeper of this.#sleepers)
      if (nowMs > sleeper.wakeMs + DEAD_AFTER_MS) this.#sleepers.delete(sleeper)
  }

  async #sleep(endMs: number, firstMs: number, company: Set<Sleeper>): Promise<void> {
    const { clock } = this.#options
    const sleeper: Sleeper = { wakeMs: 0 }
    company.add(sleeper)
    let waitMs = firstMs
    while (waitMs > 0 && clock.now() + waitMs < endMs) {
      sleeper.wakeMs = clock.now() + waitMs
      await new Promise<void>((resolve) => void clock.after(waitMs, resolve))
      waitMs = await this.#flush(company)
    }
    company.delete(sleeper)
  }

  /** @returns after how long to look again; 0 when what is left has others that wait for it */
  async #flush(company: Set<Sleeper>): Promise<number> {
    const { clock, send } = this.#options
    const nowMs = clock.now()
    if (nowMs < this.#busyUntilMs) return Math.min(this.#busyUntilMs - nowMs, this.#flushMs)
    const again = this.#unacknowledged
    const batch = again ?? this.#take(nowMs)
    // A timer may be early.
    if (!batch) return company === this.#sleepers ? Math.max(this.#dueMs - nowMs, 0) : 0
    this.#busyUntilMs = nowMs + SEND_MS
    try {
      const answer = await withDeadline(clock, SEND_MS, send(batch))
      this.#acknowledged(batch, answer)
      return again ? 1 : 0
    } catch {
      const backOffMs = this.#backOffMs()
      if (this.#unacknowledged === batch) this.#busyUntilMs = clock.now() + backOffMs
      return backOffMs
    }
  }

  /** Undefined where nothing was gathered, or not for long enough. */
  #take(nowMs: number): Batch | undefined {
    if (this.#startedAtMs === undefined || nowMs < this.#dueMs) return undefined
    const { counters, histograms, sketches } = this.#open.amounts()
    this.#unacknowledged = {
      isolate: this.#options.isolate,
      seq: ++this.#seq,
      startedAtMs: this.#startedAtMs,
      added: {
        counters,
        histograms,
        gauges: Object.assign(Object.fromEntries(this.#gauges), ...this.#reads.map((read) => read())),
      },
      sketches,
      exemplars: Object.fromEntries([...this.#exemplars].map(([series, exemplar]) => [series, [exemplar]])),
      ...(!this.#stock.isEmpty && { stock: this.#stock.data(nowMs) }),
    }
    this.#stock = new Stock()
    this.#open = new Tally(MAX_SERIES)
    this.#exemplars = new Map()
    this.#startedAtMs = undefined
    this.#takenMs = nowMs
    this.#sleepers = new Set()
    return this.#unacknowledged
  }

  #acknowledged(batch: Batch, { flushMs, soonMs = flushMs }: BatchAnswer): void {
    // Sent twice, it is acknowledged twice.
    if (this.#unacknowledged !== batch) return
    this.#unacknowledged = undefined
    this.#busyUntilMs = Number.NEGATIVE_INFINITY
    this.#failures = 0
    this.#flushMs = flushMs
    this.#soonMs = soonMs
  }

  #backOffMs(): number {
    const ceilingMs = Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** this.#failures++)
    return Math.max(1, this.#options.random() * ceilingMs)
  }
}
