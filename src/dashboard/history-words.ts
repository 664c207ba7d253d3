import { agoText } from './format.ts'
import type { History } from './history.ts'

// What the page says where it shows a longer time.

const NOBODY_KEEPS = 'It is only known while it is so: nobody keeps what it was.'
const REPORTED = 'What applications report is counted, and not stored.'
const TIERS = 'What the tiers do with entries is counted, and not stored.'

/** Why a panel is shown live only. What is not named here has its longer times in the database. */
export const LIVE_ONLY: Readonly<Record<string, string>> = {
  P10: NOBODY_KEEPS,
  C2: TIERS,
  C3: NOBODY_KEEPS,
  C4: NOBODY_KEEPS,
  C5: 'It would take every hit that has a row: ask in SQL, docs/dashboards-sql.md.',
  C7: TIERS,
  C8: TIERS,
  C10: TIERS,
  K6: REPORTED,
  K7: REPORTED,
  S1: NOBODY_KEEPS,
  S2: NOBODY_KEEPS,
  S3: NOBODY_KEEPS,
  S7: REPORTED,
  S8: REPORTED,
  S9: REPORTED,
  S10: NOBODY_KEEPS,
}

const OF_MODELS = 'Custom models are shown live. Of their last 30 days: GET /api/models/custom/monitoring.'

const NO_REQUEST = 'No request in this time. One that comes is summed up here within a few minutes.'
const NO_RATING = 'No rating in this time. Rate answers with POST /api/feedback.'
const EMPTY: Readonly<Record<string, string>> = {
  P8: NO_RATING,
  S5: NO_RATING,
  P9: 'No answer came from another model than the one that was to answer. There is nothing to do.',
  S4: 'No error in this time. There is nothing to do.',
  S6: 'No answer came with a warning in this time. There is nothing to do.',
  K2: 'Nothing was spent in this time.',
  K8: 'Nothing was spent in this time.',
  K9: 'Nothing was spent in this time.',
}

const whyLive = (code: string): string | undefined => (code.startsWith('M') ? OF_MODELS : LIVE_ONLY[code])

/** Whether there is nothing that the database could tell of it. */
export const isLiveOnly = (code: string): boolean => whyLive(code) !== undefined

/** What stands in a panel that has nothing to show of a longer time. */
export function emptyLongText(code: string): string {
  const why = whyLive(code)
  return why === undefined ? (EMPTY[code] ?? NO_REQUEST) : `${why} Choose 3 h or less to see it.`
}

const BY_PACE = 'At the pace of each point; the figure by itself is at the pace of all the time shown.'
const BY_RATINGS = 'From ratings: scores that applications report are not stored.'

/** Where a longer time is not quite what the live panel shows. */
export const LONG_REMARKS: Readonly<Record<string, string>> = {
  P8: BY_RATINGS,
  K1: BY_PACE,
  K10: BY_PACE,
  S4: 'Of requests whose key is known: others are not stored.',
  S5: BY_RATINGS,
  S6: 'Answers without a price, and those whose tokens nobody told. Other warnings are not stored.',
}

const LATE_MS = 10 * 60_000
const STEP_WORDS: Readonly<Record<number, string>> = {
  3600: 'an hour',
  7200: 'two hours',
  21600: 'six hours',
}

/** Where the figures come from, and up to when they are complete. @param timeOf how a time is written */
export function sourceText(
  { summedToMs, atMs, stepSeconds }: History,
  timeOf: (ms: number) => string,
): string {
  if (summedToMs === null)
    return 'From the database, where nothing was summed up yet: run the scheduler, and see "For cron" in docs/database.md.'
  const upTo = `From the database: all that was stored by ${timeOf(summedToMs)}`
  return atMs - summedToMs > LATE_MS
    ? `${upTo}, ${agoText(atMs - summedToMs)}. Summing up is behind: the scheduler's log and the table upkeep say why.`
    : `${upTo}. A point is ${STEP_WORDS[stepSeconds]}; a figure by itself is of all the time shown.`
}
