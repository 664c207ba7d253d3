import type { ShardReport } from '../../src/metrics/batch.ts'
import { mergeGauges, stillLeased } from '../../src/metrics/batch-gauges.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import type { Exemplars } from '../../src/metrics/exposition.ts'
import { type DayTotals, MAX_SERIES } from '../../src/metrics/rings.ts'
import type { StockData } from '../../src/metrics/stock.ts'

/** What the hub remembers of a shard: its last report, the minutes aside. */
export interface Known extends Omit<ShardReport, 'minutes' | 'exemplars'> {
  readonly exemplars?: Exemplars
  /** By the hub's own clock. */
  readonly askedMs: number
}

/** Those that are still believed. */
export const leasedGauges = (known: readonly Known[], nowMs: number): Record<string, number> =>
  mergeGauges(known.map(({ atMs, totals }) => stillLeased(totals.gauges, nowMs - atMs)))

export const stocksOf = (known: readonly Known[]): StockData[] => known.flatMap(({ stock }) => stock ?? [])

/** Of the newest day that any shard knows. */
export function dayOf(known: readonly Known[]): DayTotals | undefined {
  const days = known.flatMap(({ day }) => day ?? [])
  if (days.length === 0) return undefined
  const newest = Math.max(...days.map(({ day }) => day))
  const sum = new Tally(MAX_SERIES)
  for (const { day, amounts } of days) if (day === newest) sum.add(amounts)
  return { day: newest, amounts: sum.amounts() }
}
