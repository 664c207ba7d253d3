import { weekdayOf } from './calendar.ts'
import { fade, LONGEST, MEMORIES } from './memories.ts'
import type { Pattern, TenantPatterns } from './patterns.ts'

/** How many clues there are, the constant one included. */
export const CLUES = 12

/** Log-odds beyond these say no more than "hardly" and "almost surely". */
const LIMIT = 6
/** Days that weigh as much as what is seen of one weekday. */
const WEEKDAY_DOUBT = 1.5

/**
 * What speaks for a prompt's coming on a day, each as log-odds or a logarithm.
 * @param day the running day, or a later one: then the running day is taken in as far as it has gone
 * @param gone how much of the running day is over, 0 to 1
 */
export function clues(known: TenantPatterns, pattern: Pattern, day: number, gone = 1): number[] {
  const later = day > known.day
  const came = pattern.today > 0 ? 1 : 0
  const rate = (sums: readonly number[], added: number, memory: number): number => {
    const [sum, days] = [sums[memory] ?? 0, known.exposure[memory] ?? 0]
    if (!later) return days > 0 ? sum / days : 0
    // A day on which the prompt came has spoken; one on which it has not come yet has spoken in part.
    return (sum * fade(memory) + added) / (days * fade(memory) + (came || gone) || 1)
  }
  const byCount = MEMORIES.map((_, memory) =>
    logOdds(-Math.expm1(-rate(pattern.counts, pattern.today, memory))),
  )
  const byDays = MEMORIES.map((_, memory) => logOdds(rate(pattern.active, came, memory)))
  const weekday = weekdayOf(day)
  const seenDays = known.weekdayExposure[weekday] ?? 0
  const usual = rate(pattern.active, came, LONGEST)
  const onWeekday = ((pattern.weekdays[weekday] ?? 0) + WEEKDAY_DOUBT * usual) / (seenDays + WEEKDAY_DOUBT)
  const sinceDays = Math.max(0, day - 1 - lastDay(known, pattern, later))
  const isNew = pattern.firstDay >= day - 1 ? 1 : 0
  return [
    1,
    ...byCount,
    ...byDays,
    logOdds(onWeekday) - logOdds(usual),
    busyness(known, weekday),
    Math.log1p(sinceDays),
    Math.min(LIMIT, sinceDays * rate(pattern.counts, pattern.today, LONGEST)),
    isNew,
  ]
}

/** The last day, before the one in question, on which the prompt came. */
function lastDay(known: TenantPatterns, pattern: Pattern, later: boolean): number {
  if (later && pattern.today > 0) return known.day
  return pattern.lastDay
}

/** The tenant's own week: how many prompts come on this weekday, against all days, as a logarithm. */
function busyness(known: TenantPatterns, weekday: number): number {
  const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0)
  const days = sum(known.weekdayExposure)
  if (days === 0) return 0
  const usual = sum(known.weekdayActive) / days
  const here = (known.weekdayActive[weekday] ?? 0) + WEEKDAY_DOUBT * usual
  const expected = ((known.weekdayExposure[weekday] ?? 0) + WEEKDAY_DOUBT) * usual
  return expected > 0 ? Math.log(here / expected) : 0
}

function logOdds(probability: number): number {
  const bounded = Math.min(1, probability)
  const odds = Math.log(bounded / (1 - bounded))
  return Math.max(-LIMIT, Math.min(LIMIT, odds))
}
