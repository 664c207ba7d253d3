import { median, quantile, sorted, spread } from './robust.ts'
import { fitSeason } from './season.ts'

const DAY = 24
/** What the level, the trend and the week are learnt from. */
const LEARN_DAYS = 42
const FEWEST_DAYS = 14
/** Past forecasts that the interval is taken from: the fewest that have a 5 % on either side, and the most. */
const FEWEST_TRIALS = 19
const MOST_TRIALS = 90
const TAIL = 0.05
/** Either way, where nothing is known of how well we forecast. */
const UNKNOWN_FACTOR = 3
const MOST_DAYS = 366

/** Spend to come, in the unit of the history. */
export interface SpendForecast {
  readonly expected: number
  /** 90 of 100 fall between the two. */
  readonly low: number
  readonly high: number
  /** How many past forecasts the interval comes from. Below 19 it is a guess. */
  readonly trials: number
}

/**
 * Spend of the coming hours. The interval is not derived from a model: the same forecast is made as of each of the past
 * days, and how far off those were is how far off this one may be.
 * @param hourly whole hours, oldest first, the last one just ended; ten weeks and more do well
 * @param hours how far to look, > 0; need not be whole
 * @returns undefined with less than a day of history, or no spend in it
 */
export function forecastSpend(hourly: readonly number[], hours: number): SpendForecast | undefined {
  const predicted = predict(hourly, hourly.length, hours)
  if (predicted === undefined) return undefined
  const { middle, low, high, trials } = errors(hourly, hours)
  return {
    expected: predicted * Math.exp(middle),
    low: predicted * Math.exp(low),
    high: predicted * Math.exp(high),
    trials,
  }
}

/** A day or a month that has begun: what is spent, and what is to come. */
export function forecastPeriod(
  hourly: readonly number[],
  spent: number,
  hoursLeft: number,
): SpendForecast | undefined {
  if (hoursLeft <= 0) return { expected: spent, low: spent, high: spent, trials: 0 }
  const rest = forecastSpend(hourly, hoursLeft)
  return rest && { ...rest, expected: spent + rest.expected, low: spent + rest.low, high: spent + rest.high }
}

/** Hours until a budget is used up; undefined = not within a year. */
export interface Exhaustion {
  readonly expectedHours: number | undefined
  readonly earliestHours: number | undefined
  readonly latestHours: number | undefined
}

/** @param left of the budget, in the unit of the history */
export function forecastExhaustion(hourly: readonly number[], left: number): Exhaustion | undefined {
  if (left <= 0) return { expectedHours: 0, earliestHours: 0, latestHours: 0 }
  const curve = curveAt(hourly, hourly.length)
  if (!curve) return undefined
  const first = hoursUntil(curve, left) ?? MOST_DAYS * DAY
  const { middle, low, high } = errors(hourly, first)
  return {
    expectedHours: hoursUntil(curve, left / Math.exp(middle)),
    earliestHours: hoursUntil(curve, left / Math.exp(high)),
    latestHours: hoursUntil(curve, left / Math.exp(low)),
  }
}

interface Errors {
  readonly middle: number
  readonly low: number
  readonly high: number
  readonly trials: number
}

/** Logarithms of what was spent over what had been predicted. */
function errors(hourly: readonly number[], hours: number): Errors {
  const own = pastErrors(hourly, hours)
  // A sum of many days is off by less than one day is: where too few such sums lie behind us, a day's error serves.
  const taken = own.length >= FEWEST_TRIALS || hours <= DAY ? own : pastErrors(hourly, DAY)
  const trials = taken.length
  if (trials < FEWEST_TRIALS) {
    const wide = Math.max(Math.log(UNKNOWN_FACTOR), trials > 4 ? 3 * spread(taken) : 0)
    return { middle: 0, low: -wide, high: wide, trials }
  }
  const ascending = sorted(taken)
  // Past months overlap, so that ninety of them say no more than a few; of few, the extremes are the bounds.
  const apart = (trials * DAY) / Math.max(DAY, hours)
  // Of n past errors and the coming one each is as likely to be the largest: hence n + 1.
  const share = apart > 1 ? Math.max(0, (TAIL * (apart + 1) - 1) / (apart - 1)) : 0
  return {
    middle: median(ascending),
    low: quantile(ascending, share),
    high: quantile(ascending, 1 - share),
    trials,
  }
}

function pastErrors(hourly: readonly number[], hours: number): readonly number[] {
  const found: number[] = []
  const whole = Math.ceil(hours / DAY) * DAY
  for (let end = hourly.length - whole; end >= FEWEST_DAYS * DAY && found.length < MOST_TRIALS; end -= DAY) {
    const predicted = predict(hourly, end, hours)
    const actual = sumOf(hourly, end, end + hours)
    if (predicted !== undefined && predicted > 0 && actual > 0) found.push(Math.log(actual / predicted))
  }
  return found
}

function predict(hourly: readonly number[], end: number, hours: number): number | undefined {
  const curve = curveAt(hourly, end)
  return curve && spendUntil(curve, hours)
}

/** What the days ahead are expected to cost, and how a day's cost is spread over its hours. */
interface Curve {
  day(ahead: number): number
  /** Share of a day's spend in its first hours: 0 at 0, 1 at 24. */
  shares(): readonly number[]
}

function curveAt(hourly: readonly number[], end: number): Curve | undefined {
  const count = Math.min(LEARN_DAYS, Math.floor(end / DAY))
  if (count < 1) return undefined
  const days = Array.from({ length: count }, (_, age) =>
    sumOf(hourly, end - (age + 1) * DAY, end - age * DAY),
  )
  const season = fitSeason(days)
  if (!season) return undefined
  return {
    day: (ahead) => Math.exp(season.level(-ahead - 1)),
    shares: () => {
      const shares = [0]
      for (let hour = 0; hour < DAY; hour++) {
        const past = days.flatMap((day, age) =>
          day > 0 ? [(hourly[end - (age + 1) * DAY + hour] ?? 0) / day] : [],
        )
        shares.push((shares[hour] ?? 0) + median(past))
      }
      const whole = shares[DAY] ?? 0
      return whole > 0 ? shares.map((share) => share / whole) : shares.map((_, hour) => hour / DAY)
    },
  }
}

function spendUntil({ day, shares }: Curve, hours: number): number {
  const whole = Math.floor(hours / DAY)
  let sum = 0
  for (let ahead = 0; ahead < whole; ahead++) sum += day(ahead)
  const rest = hours - whole * DAY
  return rest > 0 ? sum + day(whole) * quantile(shares(), rest / DAY) : sum
}

function hoursUntil(curve: Curve, spend: number): number | undefined {
  let left = spend
  for (let ahead = 0; ahead < MOST_DAYS; ahead++) {
    const day = curve.day(ahead)
    if (day < left) {
      left -= day
      continue
    }
    const shares = curve.shares()
    const hour = shares.findIndex((share) => share * day >= left)
    const [before = 0, after = 1] = [shares[hour - 1], shares[hour]]
    const within = after > before ? (left / day - before) / (after - before) : 0
    return ahead * DAY + Math.max(0, hour - 1 + within)
  }
  return undefined
}

/** Of the hours from..to, of which the last need not be whole. */
function sumOf(hourly: readonly number[], from: number, to: number): number {
  let sum = 0
  const whole = Math.floor(to)
  for (let hour = from; hour < whole; hour++) sum += hourly[hour] ?? 0
  return to > whole ? sum + (to - whole) * (hourly[whole] ?? 0) : sum
}
