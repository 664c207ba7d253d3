import { median, spread } from './robust.ts'
import { fitSeason } from './season.ts'

const MINUTE_MS = 60_000
const DAY_MINUTES = 1_440
/** Past days that today is compared with. */
const DAYS = 28
/** Two of each weekday. */
const FEWEST_DAYS = 14
const WEEK = 7
/** What is usual at an hour of a weekday is taken from so long around it. */
const AROUND_MINUTES = 60
/** Times as busy as today is usually: how busy a past day may be, to tell how much today may vary. */
const AS_BUSY = 1.5
/** Lengths of time that are looked at: a large step shows in the short one, a small one only in the long. */
const WINDOWS = [
  { minutes: 8, leastDeviations: 5.5 },
  { minutes: 18, leastDeviations: 4.5 },
] as const
/** The same hour of a past day is looked at so many times, these minutes apart, for how far from usual it may be. */
const LOOKS = 6
const LOOK_MINUTES = 10
/** What came before, by which a day that is busy as a whole is told from a step. */
const BEFORE_MINUTES = 120
const BEFORE_WEIGHT = 0.7
const BEFORE_MOST = 0.3
/** Times the usual, however steady the tenant. */
const STEP_RATIO = 1.5
/** The same beside the same weekdays alone: a weekend that begins at midnight is no step. */
const WEEKDAY_RATIO = 1.45
/** No tenant is steadier than that: keeps a deviation from being taken for nothing. */
const LEAST_SPREAD = 0.08

/** Spend by slots, with sums at hand. */
export interface SpendSeries {
  readonly slotMinutes: number
  readonly length: number
  /** Of the slots from..to, of which the ends may lie within a slot. */
  sum(from: number, to: number): number
}

/** @param slots oldest first, without gaps: a slot without spend is 0 */
export function spendSeries(slots: readonly number[], slotMs: number): SpendSeries {
  const sums = new Float64Array(slots.length + 1)
  for (const [slot, spend] of slots.entries()) sums[slot + 1] = (sums[slot] ?? 0) + spend
  const upTo = (place: number): number => {
    const whole = Math.floor(place)
    return (sums[whole] ?? 0) + (place - whole) * (slots[whole] ?? 0)
  }
  return {
    slotMinutes: slotMs / MINUTE_MS,
    length: slots.length,
    sum: (from, to) => upTo(to) - upTo(from),
  }
}

/** Spend that is out of the usual. */
export interface SpendAnomaly {
  readonly kind: 'step' | 'leak'
  /** Times the usual. */
  readonly ratio: number
  /** Robust deviations from it; for a leak the sum that has gathered. */
  readonly deviations: number
  /** How long it has been looked at. */
  readonly minutes: number
}

export interface AnomalyLimits {
  /** Extra spend within the window below which nobody is to be woken, in the unit of the series. */
  readonly leastExtra: number
}

/**
 * Whether a tenant suddenly spends more than it does at this hour: the last minutes beside the same minutes of past
 * days, by median and median deviation, after the trend, the week and what today was like until now.
 * @param end slots of the series that count: up to now
 * @returns the strongest, or undefined; also with less than two weeks of history
 */
export function findStep(
  series: SpendSeries,
  { leastExtra }: AnomalyLimits,
  end = series.length,
): SpendAnomaly | undefined {
  const past = pastOf(series, end)
  if (!past) return undefined
  let strongest: SpendAnomaly | undefined
  for (const { minutes, leastDeviations } of WINDOWS) {
    const found = judgeWindow(series, past, end, minutes, leastExtra)
    if (found && found.deviations >= leastDeviations && found.deviations > (strongest?.deviations ?? 0))
      strongest = found
  }
  return strongest
}

function judgeWindow(
  series: SpendSeries,
  past: Past,
  end: number,
  minutes: number,
  leastExtra: number,
): SpendAnomaly | undefined {
  const now = departures(series, past, end, minutes)
  const [today = 0] = now.values
  if (today < Math.log(STEP_RATIO) || now.extra < leastExtra) return undefined
  const sameWeekday = now.values.filter((_, age) => age > 0 && age % WEEK === 0)
  if (today - median(sameWeekday) < Math.log(WEEKDAY_RATIO)) return undefined
  const usual = [...now.comparable]
  for (let look = 1; look < LOOKS; look++) {
    const at = end - (look * LOOK_MINUTES) / series.slotMinutes
    usual.push(...departures(series, past, at, minutes).comparable)
  }
  const deviations = (today - median(usual)) / Math.max(LEAST_SPREAD, spread(usual))
  return { kind: 'step', ratio: Math.exp(today), deviations, minutes }
}

interface Past {
  readonly days: number
  /** Growth of a day, as a logarithm. */
  readonly slope: number
}

/** @param lookback minutes before `end` that are to be compared with days before them */
function pastOf(series: SpendSeries, end: number, lookback = 0): Past | undefined {
  const day = DAY_MINUTES / series.slotMinutes
  const before = (lookback + BEFORE_MINUTES + LOOKS * LOOK_MINUTES + AROUND_MINUTES) / series.slotMinutes
  const days = Math.min(DAYS, Math.floor((end - before) / day))
  if (days < FEWEST_DAYS) return undefined
  const totals = Array.from({ length: days }, (_, age) => series.sum(end - (age + 1) * day, end - age * day))
  const season = fitSeason(totals)
  // A slope of four weeks is as often chance as growth, and a wrong one looks like a leak: half of it is believed.
  return season && { days, slope: season.slope / 2 }
}

interface Departures {
  /** Logarithm of spend over the usual, less what the hours before explain: now first, then past days. */
  readonly values: readonly number[]
  /** Those of past days that were about as busy, or less. */
  readonly comparable: readonly number[]
  /** Spend beyond the usual, now. */
  readonly extra: number
}

function departures(series: SpendSeries, past: Past, end: number, minutes: number): Departures {
  const window = minutes / series.slotMinutes
  const recent = residuals(series, past, end, window)
  const before = residuals(series, past, end - window, BEFORE_MINUTES / series.slotMinutes)
  const values = recent.values.map((value, age) => {
    const earlier = before.values[age] ?? 0
    return value - BEFORE_WEIGHT * Math.max(-BEFORE_MOST, Math.min(BEFORE_MOST, earlier))
  })
  return { values, comparable: pick(values, recent.comparable), extra: recent.spent - recent.usual }
}

const pick = (values: readonly number[], ages: readonly number[]): readonly number[] =>
  ages.map((age) => values[age] ?? 0)

interface Residuals {
  /** Logarithm of each day's spend over what is usual at this hour of its weekday, today first; [] = nothing is. */
  readonly values: readonly number[]
  /** The past days that are usually about as busy as today or less: the less there is, the more it varies. */
  readonly comparable: readonly number[]
  readonly spent: number
  /** What is usual now. */
  readonly usual: number
}

/**
 * A window of each day that ends at the same hour. What is usual on a weekday is taken from a longer window around it,
 * which is steadier; what the hour itself does to the short one is the same on all days.
 */
function residuals(series: SpendSeries, { days, slope }: Past, end: number, window: number): Residuals {
  const day = DAY_MINUTES / series.slotMinutes
  const around = Math.max(0, AROUND_MINUTES / series.slotMinutes - window) / 2
  const spends: number[] = []
  const wide: number[] = []
  for (let age = 0; age <= days; age++) {
    const to = end - age * day
    spends.push(series.sum(to - window, to))
    // Of today there is nothing after now.
    if (age > 0) wide.push((series.sum(to - window - around, to + around) * window) / (window + 2 * around))
  }
  const middle = median(wide)
  // Where most days are silent at this hour nothing is usual: whoever is new here is no anomaly.
  if (!(middle > 0)) return { values: [], comparable: [], spent: spends[0] ?? 0, usual: 0 }
  // Silence has no logarithm; a hundredth of what is usual stands for it.
  const least = middle / 100
  const log = (spend: number, age: number): number => Math.log(Math.max(spend, least)) + slope * age
  const weekdays = Array.from({ length: WEEK }, (_, weekday) =>
    median(wide.flatMap((spend, index) => ((index + 1) % WEEK === weekday ? [log(spend, index + 1)] : []))),
  )
  const raw = spends.map((spend, age) => log(spend, age) - (weekdays[age % WEEK] ?? 0))
  const usual = median(raw.slice(1))
  const most = (weekdays[0] ?? 0) + Math.log(AS_BUSY)
  const ages = Array.from({ length: days }, (_, index) => index + 1)
  return {
    values: raw.map((value) => value - usual),
    comparable: ages.filter((age) => (weekdays[age % WEEK] ?? 0) <= most),
    spent: spends[0] ?? 0,
    usual: Math.exp((weekdays[0] ?? 0) + usual),
  }
}

/** A leak adds up hour by hour; less than this many deviations an hour is the usual coming and going. */
const LEAK_ALLOWANCE = 1
const LEAK_SUM = 22
const LEAK_HOURS = 48
const LEAK_RATIO = 1.35

/**
 * Whether a tenant has for hours been spending a little more than it did at those hours: a one-sided cumulative sum
 * (CUSUM) of each hour's deviation, which forgets an odd hour and gathers a lasting one.
 * @param end slots of the series that count; meant to be asked once an hour
 */
export function findLeak(
  series: SpendSeries,
  { leastExtra }: AnomalyLimits,
  end = series.length,
): SpendAnomaly | undefined {
  const past = pastOf(series, end, LEAK_HOURS * 60)
  if (!past) return undefined
  const hour = 60 / series.slotMinutes
  let [gathered, hours, excess, extra] = [0, 0, 0, 0]
  for (let back = LEAK_HOURS - 1; back >= 0; back--) {
    const { values, comparable, spent, usual } = residuals(series, past, end - back * hour, hour)
    const [now] = values
    if (now === undefined) continue
    const deviation = Math.max(LEAST_SPREAD, spread(pick(values, comparable)))
    gathered = Math.max(0, gathered + now / deviation - LEAK_ALLOWANCE)
    if (gathered === 0) [hours, excess, extra] = [0, 0, 0]
    else {
      hours++
      excess += now
      extra += spent - usual
    }
  }
  const ratio = Math.exp(excess / Math.max(1, hours))
  if (gathered < LEAK_SUM || ratio < LEAK_RATIO || extra < leastExtra) return undefined
  return { kind: 'leak', ratio, deviations: gathered, minutes: hours * 60 }
}
