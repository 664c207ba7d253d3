import { type Amounts, Tally } from './batch-tally.ts'
import { sketchOf } from './sketch.ts'
import type { HistogramCounts } from './snapshot.ts'

/** What was added over a stretch of time. */
export interface Window {
  readonly amounts: Amounts
  /** How long the stretch is. */
  readonly seconds: number
}

/** One series by its name, or all that the function picks. */
export type Select = string | ((series: string) => boolean)

/** The same stretch as several shards saw it. */
export function mergeWindows(windows: readonly Window[], maxSeries: number): Window {
  const tally = new Tally(maxSeries)
  for (const { amounts } of windows) {
    tally.add(amounts)
    tally.addSketches(amounts.sketches)
  }
  return { amounts: tally.amounts(), seconds: Math.max(0, ...windows.map(({ seconds }) => seconds)) }
}

/** Of counters, a second; 0 for a window without length. */
export function rate({ amounts, seconds }: Window, select: Select): number {
  const sum = chosen(amounts.counters, select).reduce((total, amount) => total + amount, 0)
  return seconds > 0 ? sum / seconds : 0
}

/** Of counters, over so many seconds: as PromQL's `increase`, the rate of the window times their number. */
export const increase = (window: Window, select: Select, seconds: number): number =>
  rate(window, select) * seconds

/** All chosen histograms added up; undefined where there is none. They must be of one family. */
export function histogramOf({ amounts }: Window, select: Select): HistogramCounts | undefined {
  const [first, ...rest] = chosen(amounts.histograms, select)
  if (!first) return undefined
  const counts = [...first.counts]
  let sum = first.sum
  for (const other of rest) {
    for (const [i, count] of other.counts.entries()) counts[i] = (counts[i] ?? 0) + count
    sum += other.sum
  }
  return { counts, sum }
}

/** From the sketches of the window, 1 % off at most; undefined where nothing was seen. */
export const sketchQuantile = ({ amounts }: Window, select: Select, q: number): number | undefined =>
  sketchOf(...chosen(amounts.sketches, select)).quantile(q)

/**
 * From the counts of buckets, straight lines drawn within them, as PromQL's `histogram_quantile` does it: what lies
 * above every bound is taken for the last of them.
 * @param bounds the buckets' upper edges, rising, the first above 0; `counts` has one more
 * @returns undefined where nothing was counted
 */
export function bucketQuantile(
  q: number,
  bounds: readonly number[],
  counts: readonly number[],
): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  const rank = q * total
  let below = 0
  for (const [i, upper] of bounds.entries()) {
    const count = counts[i] ?? 0
    const lower = bounds[i - 1] ?? 0
    if (count > 0 && below + count >= rank) return lower + ((upper - lower) * (rank - below)) / count
    below += count
  }
  return bounds.at(-1)
}

function chosen<T>(values: Readonly<Record<string, T>>, select: Select): T[] {
  if (typeof select === 'string') return Object.hasOwn(values, select) ? [values[select] as T] : []
  return Object.entries(values).flatMap(([series, value]) => (select(series) ? [value] : []))
}
