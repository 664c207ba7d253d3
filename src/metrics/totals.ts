import type { CounterName } from './catalogue.ts'
import { baseName, readSeries } from './catalogue-limits.ts'
import type { MetricsSnapshot } from './snapshot.ts'

type Counters = MetricsSnapshot['counters']

/** All of a family's counters together. */
export const totalOf = (counters: Counters, family: CounterName): number =>
  Object.entries(counters).reduce(
    (total, [series, amount]) => (baseName(series) === family ? total + amount : total),
    0,
  )

/** The same by one of its labels. */
export function totalsBy(counters: Counters, family: CounterName, label: string): Record<string, number> {
  const totals = new Map<string, number>()
  for (const [series, amount] of Object.entries(counters)) {
    if (baseName(series) !== family) continue
    const value = readSeries(series)?.labels[label] ?? ''
    totals.set(value, (totals.get(value) ?? 0) + amount)
  }
  return Object.fromEntries(totals)
}

/** How much of what arrived was counted to its end, 0 to 1; what is still under way is missing. */
export function coverageOf(counters: Counters) {
  const received = totalOf(counters, 'requests_received_total')
  const counted = totalOf(counters, 'requests_total')
  return { received, counted, ratio: received > 0 ? counted / received : 1 }
}
