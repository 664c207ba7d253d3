import { DurableObject } from 'cloudflare:workers'
import {
  type Batch,
  type BatchAnswer,
  flushIntervalMs,
  type Live,
  type ShardReport,
  soonMs,
} from '../../src/metrics/batch.ts'
import { mergeExemplars } from '../../src/metrics/batch-exemplars.ts'
import { LONGEST_LEASE_MS, mergeGauges, stillLeased } from '../../src/metrics/batch-gauges.ts'
import { droppedSeries } from '../../src/metrics/batch-tally.ts'
import { isTeller } from '../../src/metrics/cost-counts.ts'
import type { Exemplars } from '../../src/metrics/exposition.ts'
import { MINUTE_MS, type MinuteSlot, Rings, type RingsState } from '../../src/metrics/rings.ts'
import { HUB_NAME } from '../../src/metrics/shard-name.ts'
import { Stock, type StockData } from '../../src/metrics/stock.ts'
import type { MetricsHub } from './metrics-hub.ts'
import {
  type BatchRows,
  batchRows,
  MAX_ROW_LENGTH,
  putMinute,
  storedMinutes,
  type ValueStore,
  valueStore,
} from './metrics-store.ts'

interface Env {
  readonly METRICS_HUB: DurableObjectNamespace<MetricsHub>
}

/** Batches until they are folded into what is kept; so many are read again after a restart. */
const ROWS = 1_000
/** Who has not sent for so long is forgotten, and what was gathered before that is not counted any more. */
const MEMORY_MS = 3_600_000
/** Who has sent in the last half minute, six times the longest usual wait, is reckoned with. */
const ACTIVE_MS = 30_000
/** After the last look. */
const WATCHED_MS = 5_000
/** The hub asks nobody who is silent, and one that speaks up may be watched: it learns so at the next look. */
const SILENT_MS = 2 * MINUTE_MS
const MAYBE_WATCHED_MS = 1_500
/** Where more than these break the silence, figures come soon enough. */
const FEW_ISOLATES = 8
const TELL_AGAIN_MS = 10_000

interface Isolate {
  readonly seq: number
  readonly seenMs: number
  readonly gauges: Readonly<Record<string, number>>
}

interface Kept {
  /** The last batch that is in it. */
  readonly number: number
  readonly atMs: number
  readonly totals: RingsState['totals']
  readonly day: RingsState['day']
  /** The minute that was not over. */
  readonly open: readonly MinuteSlot[]
  readonly isolates: readonly (readonly [string, Isolate])[]
  readonly stock?: StockData
}

/**
 * What the isolates of one shard counted. A batch is a row before it is acknowledged, and counts once, however often
 * it is sent.
 */
export class MetricsShard extends DurableObject<Env> {
  readonly #store: ValueStore
  readonly #rows: BatchRows
  readonly #rings: Rings
  readonly #isolates: Map<string, Isolate>
  readonly #stock: Stock
  #number: number
  #folded: number
  #lastMs: number
  #savedMinute: number
  #watchedUntilMs = 0
  #maybeWatchedUntilMs = 0
  #toldHubMs = Number.NEGATIVE_INFINITY
  #active = { second: 0, count: 0 }
  #lagSeconds = 0
  /** Of the batches that were not folded yet when it started, and since. */
  #exemplars: Exemplars = {}

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#store = valueStore(ctx.storage.sql)
    this.#rows = batchRows(ctx.storage.sql, ROWS)
    const kept = this.#store.get<Kept>('totals')
    const minutes = storedMinutes(this.#store)
    this.#rings = new Rings(
      kept && { totals: kept.totals, day: kept.day, minutes: [...minutes, ...kept.open] },
    )
    this.#isolates = new Map(kept?.isolates)
    this.#stock = new Stock(kept?.stock)
    this.#lastMs = kept?.atMs ?? 0
    this.#savedMinute = minutes.at(-1)?.minute ?? 0
    this.#folded = kept?.number ?? 0
    this.#number = this.#folded
    for (const { number, atMs, body } of this.#rows.after(this.#folded)) {
      this.#number = number
      this.#lastMs = atMs
      this.#count(JSON.parse(body) as Batch, atMs)
    }
  }

  /** The row is durable before the answer leaves. */
  take(batch: Batch): BatchAnswer {
    const nowMs = this.#now()
    const known = this.#isolates.get(batch.isolate)
    if (!known || batch.seq > known.seq) {
      this.#lagSeconds = Math.max(0, nowMs - batch.startedAtMs) / 1_000
      // It may have been counted under a number that is forgotten.
      const late = !known && batch.startedAtMs < nowMs - MEMORY_MS
      this.#add(late ? { ...batch, ...LATE } : batch, nowMs)
    }
    if (nowMs > this.#toldHubMs + SILENT_MS) this.#maybeWatchedUntilMs = nowMs + MAYBE_WATCHED_MS
    this.#tellHub(nowMs)
    const isolates = this.#activeIsolates(nowMs)
    const isWatched =
      nowMs < this.#watchedUntilMs || (isolates <= FEW_ISOLATES && nowMs < this.#maybeWatchedUntilMs)
    return {
      flushMs: flushIntervalMs(isolates, isWatched, Math.random()),
      soonMs: soonMs(isolates),
    }
  }

  /** @param afterMinute the last minute that is known already */
  report(afterMinute: number): ShardReport {
    const nowMs = this.#now()
    const minute = Math.floor(nowMs / MINUTE_MS)
    const { counters, histograms } = this.#rings.totals()
    return {
      atMs: nowMs,
      totals: { counters, histograms, gauges: this.#gauges(nowMs) },
      day: this.#rings.day(),
      throughMinute: minute - 1,
      minutes: this.#rings.minutes(afterMinute + 1, minute),
      isolates: this.#activeIsolates(nowMs),
      exemplars: this.#exemplars,
      stock: this.#stock.data(nowMs),
    }
  }

  /** The last seconds. Who asks is watching: isolates now send as often as they may. */
  live(seconds: number): Live {
    const nowMs = this.#now()
    this.#watchedUntilMs = nowMs + WATCHED_MS
    return {
      window: this.#rings.lastSeconds(nowMs, seconds),
      gauges: this.#gauges(nowMs),
      isolates: this.#activeIsolates(nowMs),
    }
  }

  #add(batch: Batch, nowMs: number): void {
    if (this.#number - this.#folded >= ROWS) this.#fold(nowMs)
    const body = JSON.stringify(batch)
    // What is too long for a row is kept by folding it at once.
    const fits = body.length <= MAX_ROW_LENGTH
    this.#number += 1
    if (fits) this.#rows.put(this.#number, nowMs, body)
    this.#count(batch, nowMs)
    if (!fits) this.#fold(nowMs)
  }

  #count({ isolate, seq, added, sketches, exemplars, stock }: Batch, atMs: number): void {
    this.#rings.add({ ...added, sketches }, atMs)
    if (stock) this.#stock.merge(stock)
    if (exemplars) this.#exemplars = mergeExemplars([this.#exemplars, exemplars])
    const known = this.#isolates.get(isolate)
    if (!known || known.seenMs <= atMs - ACTIVE_MS) this.#active.count += 1
    this.#isolates.set(isolate, { seq, seenMs: atMs, gauges: added.gauges })
  }

  /** Into a few values whose size does not grow with the number of batches; one transaction, as nothing waits in it. */
  #fold(nowMs: number): void {
    const minute = Math.floor(nowMs / MINUTE_MS)
    for (const slot of this.#rings.minutes(this.#savedMinute + 1, minute)) {
      putMinute(this.#store, slot)
      this.#savedMinute = slot.minute
    }
    for (const [isolate, { seq, seenMs }] of this.#isolates) {
      if (seenMs < nowMs - MEMORY_MS && !isTeller(isolate)) this.#isolates.delete(isolate)
      else if (seenMs < nowMs - LONGEST_LEASE_MS) this.#isolates.set(isolate, { seq, seenMs, gauges: {} })
    }
    this.#store.put('totals', {
      number: this.#number,
      atMs: nowMs,
      totals: this.#rings.totals(),
      day: this.#rings.day(),
      open: this.#rings.minutes(minute),
      isolates: [...this.#isolates],
      stock: this.#stock.data(nowMs),
    } satisfies Kept)
    this.#folded = this.#number
  }

  #gauges(nowMs: number): Readonly<Record<string, number>> {
    const leased = [...this.#isolates.values()].map(({ gauges, seenMs }) =>
      stillLeased(gauges, nowMs - seenMs),
    )
    const lag = { telemetry_lag_seconds: this.#lagSeconds }
    return mergeGauges([...leased, lag, this.#stock.gauges(nowMs)])
  }

  /** Counted anew each second; in between, those that are new are added. */
  #activeIsolates(nowMs: number): number {
    const second = Math.floor(nowMs / 1_000)
    if (this.#active.second !== second) {
      const active = [...this.#isolates.values()].filter(({ seenMs }) => seenMs > nowMs - ACTIVE_MS)
      this.#active = { second, count: active.length }
    }
    return this.#active.count
  }

  /** Tells the hub what it could not tell it before. */
  override alarm(): void {
    this.#tellHub(this.#now())
  }

  /** Each minute in which something came: the hub asks nobody who is silent. */
  #tellHub(nowMs: number): void {
    if (nowMs < this.#toldHubMs + MINUTE_MS) return
    this.#toldHubMs = nowMs
    const hub = this.env.METRICS_HUB.get(this.env.METRICS_HUB.idFromName(HUB_NAME))
    this.ctx.waitUntil(
      hub.expect(this.ctx.id.toString()).catch(() => {
        this.#toldHubMs = Number.NEGATIVE_INFINITY
        return this.ctx.storage.setAlarm(Date.now() + TELL_AGAIN_MS)
      }),
    )
  }

  /** Never falls: a minute that was told as over stays as it is, also when the clock was set back. */
  #now(): number {
    this.#lastMs = Math.max(this.#lastMs, Date.now())
    return this.#lastMs
  }
}

const LATE = {
  exemplars: {},
  added: { counters: { [droppedSeries('late')]: 1 }, gauges: {}, histograms: {} },
  sketches: {},
  stock: {},
}
