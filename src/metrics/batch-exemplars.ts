import { bucketOf, CATALOGUE, type HistogramName, isFamily } from './catalogue.ts'
import { baseName } from './catalogue-limits.ts'
import type { Exemplar, Exemplars } from './exposition.ts'

/** Several, of each bucket the latest. What is no histogram of this catalogue has none. */
export function mergeExemplars(parts: Iterable<Exemplars>): Exemplars {
  const merged = new Map<string, Map<number, Exemplar>>()
  for (const part of parts) {
    for (const [series, exemplars] of Object.entries(part)) {
      const family = baseName(series)
      if (!isHistogram(family)) continue
      const buckets = merged.get(series) ?? new Map<number, Exemplar>()
      merged.set(series, buckets)
      for (const exemplar of exemplars) {
        const bucket = bucketOf(family, exemplar.value)
        if ((buckets.get(bucket)?.atMs ?? 0) <= (exemplar.atMs ?? 0)) buckets.set(bucket, exemplar)
      }
    }
  }
  return Object.fromEntries([...merged].map(([series, buckets]) => [series, [...buckets.values()]]))
}

const isHistogram = (family: string): family is HistogramName =>
  isFamily(family) && CATALOGUE[family].type === 'histogram'
