import { findLeak, findStep, type SpendAnomaly, spendSeries } from './anomaly.ts'
import type { BudgetState } from './budget.ts'
import type { BegunPeriod, SpendHistory } from './costs.ts'
import { forecastExhaustion, forecastPeriod, type SpendForecast } from './forecast.ts'
import { toUsd } from './nano-usd.ts'

/** Days of history that a forecast learns from and is tried on. */
export const FORECAST_DAYS = 132
/** Four weeks, and the two days that a leak is looked for in, with what comes before. */
export const ANOMALY_DAYS = 31
export const ANOMALY_SLOT_MINUTES = 2
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/**
 * What the day and the month will have cost, and when the tenant's budgets end.
 * @param hourly in slots of an hour
 */
export function outlook(hourly: SpendHistory, budgets: readonly BudgetState[], nowMs: number) {
  const spend = slotsOf(hourly)
  const period = ({ ends_at, spent_usd }: BegunPeriod) => {
    const endsAtMs = Date.parse(ends_at)
    const found = forecastPeriod(spend, Number(spent_usd), (endsAtMs - nowMs) / HOUR_MS)
    return { ends_at: iso(endsAtMs), spent_usd, ...(found ? told(found) : UNKNOWN) }
  }
  return {
    day: period(hourly.day),
    month: period(hourly.month),
    budgets: budgets.filter(({ keyId }) => keyId === null).map((budget) => exhaustion(spend, budget, nowMs)),
  }
}

/** 90 of 100 end between the two; with fewer than 19 trials that is a guess. */
const told = ({ expected, low, high, trials }: SpendForecast) => ({
  expected_usd: usd(expected),
  low_usd: usd(low),
  high_usd: usd(high),
  trials,
})

/** Less than a day of history, or nothing spent in it. */
const UNKNOWN = { expected_usd: null, low_usd: null, high_usd: null, trials: 0 }

function exhaustion(spend: readonly number[], budget: BudgetState, nowMs: number) {
  const { period, isHard, limitNanoUsd, spentNanoUsd, resetsAtMs } = budget
  const ends = forecastExhaustion(spend, toUsd(limitNanoUsd - spentNanoUsd))
  const before = (hours: number | undefined) => {
    const atMs = hours === undefined ? resetsAtMs : nowMs + hours * HOUR_MS
    return atMs < resetsAtMs ? iso(atMs) : null
  }
  return {
    period,
    hard: isHard,
    limit_usd: usd(toUsd(limitNanoUsd)),
    spent_usd: usd(toUsd(spentNanoUsd)),
    resets_at: iso(resetsAtMs),
    // Null where it lasts until it begins anew.
    expected_at: before(ends?.expectedHours),
    earliest_at: before(ends?.earliestHours),
    latest_at: before(ends?.latestHours),
  }
}

/**
 * What is out of the usual now.
 * @param history in slots of `ANOMALY_SLOT_MINUTES`
 * @param leastExtraUsd extra spend that nobody needs to hear of
 */
export function anomalies(history: SpendHistory, leastExtraUsd: number): readonly SpendAnomaly[] {
  const series = spendSeries(slotsOf(history), ANOMALY_SLOT_MINUTES * MINUTE_MS)
  const limits = { leastExtra: leastExtraUsd }
  return [findStep(series, limits), findLeak(series, limits)].flatMap((found) => (found ? [found] : []))
}

/** From the first spend on: before it there was no habit to learn. */
export function slotsOf({ slots, spent }: SpendHistory): readonly number[] {
  const first = spent[0]?.[0] ?? slots
  const all: number[] = new Array(slots - first).fill(0)
  for (const [slot, dollars] of spent) all[slot - first] = dollars
  return all
}

const usd = (dollars: number): string => dollars.toFixed(9)
const iso = (ms: number): string => new Date(ms).toISOString()
