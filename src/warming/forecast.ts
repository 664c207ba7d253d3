import { believed } from './belief.ts'
import { DAY_MS, dayOf, HOUR_MS, weekdayOf } from './calendar.ts'
import { clues } from './clues.ts'
import { LONGEST } from './memories.ts'
import { BURST_HALF_LIFE_MS, burstAt, type Pattern, type TenantPatterns } from './patterns.ts'

export interface Forecast {
  /** That at least one request comes, 0 to 1. */
  readonly probability: number
  /** Requests to be expected, >= `probability`. */
  readonly requests: number
}

export type Forecaster = (pattern: Pattern, fromMs: number, untilMs: number) => Forecast

/** The tenant's usual requests weigh as much as this many of the prompt's own. */
const HOUR_DOUBT = 6
/** All weekdays together weigh as much as this many requests of the weekday. */
const WEEK_DOUBT = 20
/** No day is believed to be surer than this. */
const SUREST = 0.999

/**
 * What is to be expected of a prompt between two moments, from what was seen until now: for each day the
 * learnt probability that it comes, spread over the hours at which it usually does, and the rest of a burst.
 * @param nowMs not before the latest request that was observed
 */
export function forecaster(known: TenantPatterns, nowMs: number): Forecaster {
  const week = weekShape(known)
  return (pattern, fromMs, untilMs) => {
    const startMs = Math.max(nowMs, fromMs)
    const gone = shareOfDay(week, pattern, known.day, known.day * DAY_MS, nowMs)
    const onActiveDay = Math.max(1, (pattern.counts[LONGEST] ?? 0) / (pattern.active[LONGEST] || 1))
    let [hazard, requests] = [0, 0]
    for (let day = dayOf(startMs); day * DAY_MS < untilMs; day++) {
      const probability = Math.min(SUREST, believed(known.belief, clues(known, pattern, day, gone)))
      const share = shareOfDay(week, pattern, day, startMs, untilMs)
      hazard -= Math.log1p(-probability) * share
      requests += probability * onActiveDay * share
    }
    const rest = burstBetween(pattern, onActiveDay, nowMs, startMs, untilMs)
    const probability = -Math.expm1(-(hazard + rest))
    return { probability, requests: Math.max(probability, requests + rest) }
  }
}

/** What part of the prompt's requests of this day falls between two moments, 0 to 1. */
function shareOfDay(
  week: readonly number[],
  pattern: Pattern,
  day: number,
  fromMs: number,
  untilMs: number,
): number {
  const dayMs = day * DAY_MS
  if (fromMs <= dayMs && untilMs >= dayMs + DAY_MS) return 1
  const monday = weekdayOf(day) * 24
  let [all, within] = [0, 0]
  for (let hour = 0; hour < 24; hour++) {
    const weight = (pattern.hours[hour] ?? 0) + HOUR_DOUBT * (week[monday + hour] ?? 0)
    const hourMs = dayMs + hour * HOUR_MS
    const overlapMs = Math.min(untilMs, hourMs + HOUR_MS) - Math.max(fromMs, hourMs)
    all += weight
    within += (weight * Math.max(0, overlapMs)) / HOUR_MS
  }
  return within / all
}

/** Requests still to come of a burst: what the latest hour had over the usual, fading by half each hour. */
function burstBetween(
  pattern: Pattern,
  onActiveDay: number,
  nowMs: number,
  fromMs: number,
  untilMs: number,
): number {
  // Twice as much as an active day's even share: a prompt's busy hours are no burst.
  const excess = burstAt(pattern, nowMs) - Math.max(1, onActiveDay / 6)
  if (excess <= 0) return 0
  const left = (atMs: number) => 2 ** (-(atMs - nowMs) / BURST_HALF_LIFE_MS)
  return excess * Math.max(0, left(fromMs) - left(untilMs))
}

/** For each hour of the week its share of its own day, of all the tenant's requests. */
function weekShape({ profile }: TenantPatterns): number[] {
  const byHour = Array.from({ length: 24 }, (_, hour) => {
    let sum = 1 / 24
    for (let weekday = 0; weekday < 7; weekday++) sum += profile[weekday * 24 + hour] ?? 0
    return sum
  })
  const total = byHour.reduce((sum, each) => sum + each, 0)
  return profile.map((requests, hourOfWeek) => {
    const monday = hourOfWeek - (hourOfWeek % 24)
    const onDay = profile.slice(monday, monday + 24).reduce((sum, each) => sum + each, 0)
    const usual = (byHour[hourOfWeek % 24] ?? 0) / total
    return (requests + WEEK_DOUBT * usual) / (onDay + WEEK_DOUBT)
  })
}
