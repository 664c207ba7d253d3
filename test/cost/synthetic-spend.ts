import { seededRandom } from '../../scripts/seeded-random.ts'

const MINUTES_A_DAY = 1_440

/** Made-up spend whose every peculiarity is known, in nano-USD a slot. */
export interface SpendShape {
  readonly seed: number
  readonly days: number
  readonly slotMinutes: number
  /** Requests a minute at the busiest hour of a usual weekday. */
  readonly peakPerMinute?: number
  /** Share of a weekday's requests that come on a Saturday or Sunday. */
  readonly weekend?: number
  /** Growth of a day. */
  readonly growth?: number
  /** Standard deviation, as a logarithm, of whole days. */
  readonly dayNoise?: number
  /** The same of what comes and goes within hours. */
  readonly slowNoise?: number
  /** What is to be found: how many times the usual is spent in a minute. */
  readonly label?: (minute: number) => number
}

const MEAN_NANO_USD = 2_000_000
/** Of one request's cost, as a logarithm: a few cost many times what most do. */
const COST_SIGMA = 0.8
const SLOW_MINUTES = 90
const PEAK_HOUR = 14

export function syntheticSpend({
  seed,
  days,
  slotMinutes,
  peakPerMinute = 150,
  weekend = 0.5,
  growth = 0.003,
  dayNoise = 0.08,
  slowNoise = 0.06,
  label = () => 1,
}: SpendShape): number[] {
  const random = seededRandom(seed)
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const slots: number[] = []
  const keep = Math.exp(-slotMinutes / SLOW_MINUTES)
  const [meanSquare, mean] = [Math.exp(COST_SIGMA ** 2), MEAN_NANO_USD]
  let [slow, today] = [slowNoise * normal(), 0]
  for (let minute = 0; minute < days * MINUTES_A_DAY; minute += slotMinutes) {
    const day = Math.floor(minute / MINUTES_A_DAY)
    if (minute % MINUTES_A_DAY === 0) today = dayNoise * normal()
    slow = keep * slow + Math.sqrt(1 - keep ** 2) * slowNoise * normal()
    const hour = (minute % MINUTES_A_DAY) / 60
    const usual = peakPerMinute * hourShape(hour) * (day % 7 >= 5 ? weekend : 1) * (1 + growth) ** day
    const requests = usual * slotMinutes * Math.exp(today + slow) * label(minute)
    // A sum of so many costs is as good as normal, with the spread of a Poisson number of them.
    slots.push(
      requests > 50
        ? Math.max(0, mean * (requests + Math.sqrt(requests * meanSquare) * normal()))
        : mean * oneByOne(requests, random, normal),
    )
  }
  return slots
}

/** Six times as much at the busiest hour as at the quietest. */
const hourShape = (hour: number): number => {
  const away = Math.min(Math.abs(hour - PEAK_HOUR), 24 - Math.abs(hour - PEAK_HOUR))
  return 1 / 6 + (5 / 6) * Math.exp(-((away / 4.5) ** 2))
}

/** Waits between requests are exponential, which makes their number a Poisson one. */
function oneByOne(expected: number, random: () => number, normal: () => number): number {
  const wait = (): number => -Math.log(1 - random())
  let sum = 0
  let passed = wait()
  while (passed < expected) {
    sum += Math.exp(COST_SIGMA * normal() - COST_SIGMA ** 2 / 2)
    passed += wait()
  }
  return sum
}
