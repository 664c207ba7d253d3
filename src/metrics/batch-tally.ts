import { Sketch, type SketchData } from './sketch.ts'
import type { HistogramCounts, MetricsSnapshot } from './snapshot.ts'

/** Counters, histograms and sketches as plain values. */
export interface Amounts extends Pick<MetricsSnapshot, 'counters' | 'histograms'> {
  readonly sketches: Readonly<Record<string, SketchData>>
}

/** Why an amount was not taken: no room for its series; nothing that can be added to it; too old to tell whether it was. */
export type Refusal = 'cardinality' | 'invalid' | 'late'

const DROPPED = 'telemetry_dropped_total'
export const droppedSeries = (reason: Refusal): string => `${DROPPED}{reason="${reason}"}`

interface Histogram {
  readonly counts: number[]
  sum: number
}

/**
 * Amounts by series, added up. Never throws: it is filled on every request's way. What it does not take it counts in
 * `telemetry_dropped_total`, which always has room.
 */
export class Tally {
  readonly #maxSeries: number
  readonly #counters = new Map<string, number>()
  readonly #histograms = new Map<string, Histogram>()
  readonly #sketches = new Map<string, Sketch>()

  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries
  }

  /** How many series it holds. */
  get size(): number {
    return this.#counters.size + this.#histograms.size + this.#sketches.size
  }

  count(series: string, amount: number): void {
    const known = this.#counters.get(series)
    if (!isAmount(amount)) this.refuse('invalid')
    else if (known === undefined && !series.startsWith(DROPPED) && !this.#hasRoom())
      this.refuse('cardinality')
    else this.#counters.set(series, (known ?? 0) + amount)
  }

  /** @param bounds the upper edges of the family's buckets, rising; the same at every call for a series */
  observe(series: string, value: number, bounds: readonly number[]): void {
    const histogram = isAmount(value) ? this.#histogram(series, bounds.length + 1) : this.refuse('invalid')
    if (!histogram) return
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1
    histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1
    histogram.sum += value
  }

  sketch(series: string, value: number): void {
    if (!isAmount(value)) this.refuse('invalid')
    else this.#sketch(series)?.add(value)
  }

  refuse(reason: Refusal): undefined {
    const series = droppedSeries(reason)
    this.#counters.set(series, (this.#counters.get(series) ?? 0) + 1)
  }

  add({ counters, histograms }: Pick<Amounts, 'counters' | 'histograms'>): void {
    for (const [series, amount] of Object.entries(counters)) this.count(series, amount)
    for (const [series, added] of Object.entries(histograms)) this.#addHistogram(series, added)
  }

  addSketches(sketches: Amounts['sketches']): void {
    for (const [series, data] of Object.entries(sketches)) {
      try {
        this.#sketch(series)?.merge(data)
      } catch {
        this.refuse('invalid')
      }
    }
  }

  amounts(): Amounts {
    return {
      counters: Object.fromEntries(this.#counters),
      histograms: Object.fromEntries(
        [...this.#histograms].map(([series, { counts, sum }]) => [series, { counts: [...counts], sum }]),
      ),
      sketches: Object.fromEntries([...this.#sketches].map(([series, sketch]) => [series, sketch.toData()])),
    }
  }

  #addHistogram(series: string, { counts, sum }: HistogramCounts): void {
    const valid = isAmount(sum) && counts.every(isAmount)
    const histogram = valid ? this.#histogram(series, counts.length) : this.refuse('invalid')
    if (!histogram) return
    for (let i = 0; i < counts.length; i++)
      histogram.counts[i] = (histogram.counts[i] ?? 0) + (counts[i] ?? 0)
    histogram.sum += sum
  }

  /** Undefined, and counted, where there is no room, or where the series has other buckets. */
  #histogram(series: string, buckets: number): Histogram | undefined {
    const histogram = this.#histograms.get(series)
    if (histogram) return histogram.counts.length === buckets ? histogram : this.refuse('invalid')
    return this.#hasRoom() ? this.#newHistogram(series, buckets) : this.refuse('cardinality')
  }

  #newHistogram(series: string, buckets: number): Histogram {
    const histogram = { counts: new Array<number>(buckets).fill(0), sum: 0 }
    this.#histograms.set(series, histogram)
    return histogram
  }

  #sketch(series: string): Sketch | undefined {
    let sketch = this.#sketches.get(series)
    if (sketch) return sketch
    if (!this.#hasRoom()) return this.refuse('cardinality')
    sketch = new Sketch()
    this.#sketches.set(series, sketch)
    return sketch
  }

  #hasRoom(): boolean {
    return this.size < this.#maxSeries
  }
}

const isAmount = (value: number): boolean => value >= 0 && value < Number.POSITIVE_INFINITY
