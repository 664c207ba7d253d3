import { median } from './robust.ts'

/** A trend beyond it is a step, not a trend. */
const MAX_SLOPE = 0.05
const WEEK = 7
/** What a day without spend counts as, as a share of the middling day: its logarithm has to be finite. */
const NOTHING = 1e-3
/** How much of today's trend is left a day later: no trend goes on for ever. */
const DAMPING = 0.97

/** Level of spend day by day: a robust trend and the week's season. */
export interface Season {
  /** Growth of a day, as a logarithm. */
  readonly slope: number
  /**
   * Natural logarithm of the spend to expect of a day.
   * @param age days back: 0 = the last 24 hours, 1 = those before; -1 = the coming 24 hours
   */
  level(age: number): number
}

/**
 * Fits days of 24 hours that end now, so that no time zone has to be known. The slope is the median of the slopes
 * between days of the same weekday, which no season bends and no odd day pulls.
 * @param days newest first
 * @returns undefined where there was no spend
 */
export function fitSeason(days: readonly number[]): Season | undefined {
  const middle = median(days.filter((spend) => spend > 0))
  if (!(middle > 0)) return undefined
  const logs = days.map((spend) => Math.log(Math.max(spend, middle * NOTHING)))
  const slope = slopeOf(logs)
  const flat = logs.map((log, age) => log + slope * age)
  const overall = median(flat)
  const weekdays = Array.from({ length: WEEK }, (_, weekday) => {
    const same = flat.filter((_log, age) => age % WEEK === weekday)
    // One or two days say little of their weekday.
    return same.length < 2
      ? overall
      : overall + ((median(same) - overall) * same.length) / (same.length + 0.5)
  })
  return {
    slope,
    level(age) {
      const weekday = ((age % WEEK) + WEEK) % WEEK
      const drift = age >= 0 ? -slope * age : slope * dampedDays(-age)
      return (weekdays[weekday] ?? overall) + drift
    },
  }
}

/** Days of trend within the coming ones: 1 + d + d^2 + ... */
const dampedDays = (ahead: number): number => (1 - DAMPING ** ahead) / (1 - DAMPING)

function slopeOf(logs: readonly number[]): number {
  const slopes: number[] = []
  for (let age = 0; age < logs.length; age++) {
    for (let older = age + WEEK; older < logs.length; older += WEEK)
      slopes.push(((logs[age] ?? 0) - (logs[older] ?? 0)) / (older - age))
  }
  // A single pair of weeks may differ for many reasons.
  if (slopes.length < WEEK) return 0
  return Math.max(-MAX_SLOPE, Math.min(MAX_SLOPE, median(slopes)))
}
