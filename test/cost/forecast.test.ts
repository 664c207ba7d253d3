import { describe, expect, it } from 'vitest'
import { forecastExhaustion, forecastPeriod, forecastSpend } from '../../src/cost/forecast.ts'
import { median, quantile, spread } from '../../src/cost/robust.ts'
import { fitSeason } from '../../src/cost/season.ts'
import { syntheticSpend } from './synthetic-spend.ts'

const DAY = 24
const total = (hours: readonly number[]): number => hours.reduce((sum, each) => sum + each, 0)
/** The same every day, twice as much in its second half; half of that on the last two days of a week. */
const steady = (days: number): number[] =>
  Array.from({ length: days * DAY }, (_, hour) => {
    const weekend = Math.floor(hour / DAY) % 7 >= 5 ? 0.5 : 1
    return (hour % DAY < 12 ? 1 : 2) * weekend
  })

describe('robust figures', () => {
  it('are not moved by one odd value', () => {
    expect(median([3, 1, 2, 1e9])).toBe(2.5)
    expect(spread([1, 2, 3, 4, 1e9])).toBeCloseTo(1.4826)
    expect(quantile([0, 10], 0.25)).toBe(2.5)
    expect(median([])).toBeNaN()
  })
})

describe('the season', () => {
  it('finds trend and weekdays, odd days aside', () => {
    const days = Array.from(
      { length: 42 },
      (_, age) => 100 * Math.exp(-0.01 * age) * (age % 7 === 3 ? 0.5 : 1),
    )
    days[8] = 100_000
    const season = fitSeason(days)
    expect(season?.slope).toBeCloseTo(0.01, 3)
    expect(Math.exp(season?.level(0) ?? 0)).toBeCloseTo(100, 0)
    expect(Math.exp((season?.level(3) ?? 0) - (season?.level(2) ?? 0))).toBeCloseTo(0.52, 1)
  })

  it('knows none where nothing was spent, and lets no trend run away', () => {
    expect(fitSeason([0, 0, 0])).toBeUndefined()
    expect(fitSeason([])).toBeUndefined()
    const doubling = fitSeason(Array.from({ length: 28 }, (_, age) => 2 ** -age))
    expect(doubling?.slope).toBe(0.05)
    expect((doubling?.level(-3_000) ?? 0) - (doubling?.level(0) ?? 0)).toBeLessThan(2)
  })
})

describe('a forecast', () => {
  it('sees the week through', () => {
    const history = steady(84)
    const week = forecastSpend(history, 7 * DAY)
    expect(week?.expected).toBeCloseTo(5 * 36 + 2 * 18, 0)
    expect(forecastSpend(history, 12)?.expected).toBeCloseTo(12, 0)
    expect(forecastSpend(history, 0.5)?.expected).toBeCloseTo(0.5, 1)
  })

  it('adds what is to come to what is spent', () => {
    expect(forecastPeriod(steady(84), 100, DAY)?.expected).toBeCloseTo(136, 0)
    expect(forecastPeriod([], 100, 0)).toEqual({ expected: 100, low: 100, high: 100, trials: 0 })
  })

  it('says that it guesses where history is short, and nothing where there is none', () => {
    const guess = forecastSpend(steady(3), DAY)
    expect(guess).toMatchObject({ trials: 0 })
    expect((guess?.high ?? 0) / (guess?.low ?? 1)).toBeCloseTo(9)
    for (const history of [[], [1, 2, 3], Array(DAY * 30).fill(0)])
      expect(forecastSpend(history, DAY)).toBeUndefined()
  })

  it('tells when a budget is used up', () => {
    const history = steady(84)
    const { expectedHours, earliestHours, latestHours } = forecastExhaustion(history, 36 + 12) ?? {}
    expect(expectedHours).toBeCloseTo(36, 0)
    expect(earliestHours).toBeLessThanOrEqual(expectedHours ?? 0)
    expect(latestHours).toBeGreaterThanOrEqual(expectedHours ?? 0)
    expect(forecastExhaustion(history, 0)?.expectedHours).toBe(0)
    expect(forecastExhaustion(history, 1e9)?.expectedHours).toBeUndefined()
    expect(forecastExhaustion([], 5)).toBeUndefined()
  })

  it('stays a forecast after an outage and after a bill gone mad', () => {
    const history = steady(84)
    for (let hour = 60 * DAY; hour < 62 * DAY; hour++) history[hour] = 0
    for (let hour = 70 * DAY; hour < 71 * DAY; hour++) history[hour] = 1e6
    const day = forecastSpend(history, DAY)
    expect(day?.expected).toBeGreaterThan(30)
    expect(day?.expected).toBeLessThan(42)
  })
})

describe('90 of 100 days fall within the interval', () => {
  const SEEDS = [1, 2, 3, 4, 5]
  const [first, last] = [110, 420]

  it.each(SEEDS)('held back, seed %i', (seed) => {
    const hourly = syntheticSpend({
      seed,
      days: last,
      slotMinutes: 60,
      growth: seed % 2 ? 0.003 : -0.002,
      weekend: [0.5, 0.7, 1.5][seed % 3] ?? 1,
    })
    let [days, months, held, heldMonths] = [0, 0, 0, 0]
    for (let day = first; day < last; day++) {
      const known = hourly.slice(0, day * DAY)
      const within = (hours: number): boolean => {
        const forecast = forecastSpend(known, hours)
        const actual = total(hourly.slice(day * DAY, day * DAY + hours))
        return forecast !== undefined && actual >= forecast.low && actual <= forecast.high
      }
      days++
      held += within(DAY) ? 1 : 0
      if (day % 10 !== 0 || day + 30 > last) continue
      months++
      heldMonths += within(30 * DAY) ? 1 : 0
    }
    console.log(`seed ${seed}: ${held} of ${days} days, ${heldMonths} of ${months} months`)
    expect(held / days).toBeGreaterThanOrEqual(0.85)
    expect(held / days).toBeLessThanOrEqual(0.95)
    expect(heldMonths / months).toBeGreaterThanOrEqual(0.8)
  })
})
