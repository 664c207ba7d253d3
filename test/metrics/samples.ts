import { FAMILY_NAMES, familyOf, nameSeries } from '../../src/metrics/catalogue.ts'
import type { MetricsSnapshot } from '../../src/metrics/snapshot.ts'

/**
 * A child of every family.
 * @param name what every open label says
 * @param times how often everything has been counted
 */
export function everyFamily(name: string, times = 1): MetricsSnapshot {
  const counters: Record<string, number> = {}
  const gauges: Record<string, number> = {}
  const histograms: Record<string, { counts: readonly number[]; sum: number }> = {}
  for (const each of FAMILY_NAMES) {
    const family = familyOf(each)
    const labels = Object.entries(family.labels).map(([label, rule]) => [
      label,
      'names' in rule ? name : rule[0],
    ])
    const series = nameSeries(each, Object.fromEntries(labels))
    if (family.type === 'counter') counters[series] = 5 * times
    else if (family.type === 'gauge') gauges[series] = 0.5
    else histograms[series] = { counts: Array(family.buckets.length + 1).fill(2 * times), sum: 12.5 * times }
  }
  return { counters, gauges, histograms }
}
