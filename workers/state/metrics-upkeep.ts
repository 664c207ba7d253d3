import { seriesName } from '../../src/metrics/catalogue.ts'
import type { Probes } from '../../src/metrics/probes.ts'
import { type HeldByMinute, Stock, type StockData } from '../../src/metrics/stock.ts'
import type { ValueStore } from './metrics-store.ts'

interface Kept {
  readonly probes?: { readonly atMs: number; readonly results: Probes }
  /** What the last count of Supabase had more than the shards' sum, or less. */
  readonly corrected?: StockData
}

const KEY = 'upkeep'
/** Probes come each minute; two may be late. */
const BELIEVED_MS = 150_000

/** What the hub knows by the scheduler's cron, and not by any shard. All of it is in the hub's storage. */
export class UpkeepNews {
  readonly #store: ValueStore
  #kept: Kept

  constructor(store: ValueStore) {
    this.#store = store
    this.#kept = store.get<Kept>(KEY) ?? {}
  }

  probed(results: Probes, nowMs: number): void {
    this.#keep({ probes: { atMs: nowMs, results } })
  }

  /**
   * Supabase was counted.
   * @param reported what the shards' sum was at that time
   */
  counted(minutes: HeldByMinute, reported: readonly StockData[], nowMs: number): void {
    const difference = new Stock({ supabase: minutes })
    for (const { supabase } of reported) if (supabase) difference.merge({ supabase }, -1)
    this.#keep({ corrected: difference.data(nowMs) })
  }

  /** With what the shards report, what the cache's stores hold. */
  gauges(reported: readonly StockData[], nowMs: number): Record<string, number> {
    const stock = new Stock(this.#kept.corrected)
    for (const data of reported) stock.merge(data)
    return { ...stock.gauges(nowMs), ...this.#probeGauges(nowMs) }
  }

  /** Of a gateway that was probed once and is no more, the probe fails: it is what would bring the word. */
  #probeGauges(nowMs: number): Record<string, number> {
    const { probes } = this.#kept
    if (!probes) return {}
    const results: Probes = nowMs - probes.atMs < BELIEVED_MS ? probes.results : { gateway: 0 }
    const gauges = Object.entries(results) as [keyof Probes, 0 | 1][]
    return Object.fromEntries(
      gauges.map(([target, value]) => [seriesName('probe_success', { target }), value]),
    )
  }

  #keep(change: Partial<Kept>): void {
    this.#kept = { ...this.#kept, ...change }
    this.#store.put(KEY, this.#kept)
  }
}
