import { type Belief, doubt, learn, untaught } from './belief.ts'
import { dayOf, HOUR_MS, HOURS_A_WEEK, hourOf, weekdayOf } from './calendar.ts'
import { clues } from './clues.ts'
import { fade, LONGEST, MEMORIES, OF_LATE } from './memories.ts'
import { addPrice, type Price, unpriced } from './price.ts'

/** One request as the cache saw it. No text: a prompt is known by its exact key only. */
export interface Observation {
  readonly tenant: string
  readonly promptHash: string
  readonly atMs: number
  readonly hit: boolean
  /** What the upstream call took; of a hit neither counts. */
  readonly costUsd: number
  readonly latencyMs: number
}

/** How one prompt comes back. Sums fade by the day, so that its size never grows. */
export interface Pattern {
  /** Requests since it was first seen, unfaded. */
  total: number
  /** Requests of the day that is still running. */
  today: number
  lastMs: number
  firstDay: number
  /** The latest day, of those that are over, on which it came. */
  lastDay: number
  /** Requests a day, each memory's faded sum; see `MEMORIES`. */
  counts: number[]
  /** Days with at least one request, each memory's faded sum. */
  active: number[]
  /** The same by weekday, Monday first, in the longest memory. */
  weekdays: number[]
  /** Requests by hour of day, UTC, in the longest memory. */
  hours: number[]
  /** Requests of the latest hour or so, as of `lastMs`. */
  burst: number
  readonly price: Price
}

/** What is known of one tenant's requests: nothing in it stems from another tenant's. */
export interface TenantPatterns {
  readonly tenant: string
  readonly maxPatterns: number
  /** The day that is running; -1 before the first request. */
  day: number
  /** Days observed, each memory's faded sum. */
  exposure: number[]
  /** Days observed by weekday, and prompts that came on them, in the longest memory. */
  weekdayExposure: number[]
  weekdayActive: number[]
  /** Requests by hour of the week, Monday 00:00 UTC first, in the longest memory. */
  profile: number[]
  readonly price: Price
  readonly belief: Belief
  readonly patterns: Map<string, Pattern>
}

export const BURST_HALF_LIFE_MS = HOUR_MS
/** After a longer silence nothing is left that could fade. */
const MAX_SILENT_DAYS = 200
const DEFAULT_MAX_PATTERNS = 2_000
/** Over the bound by this much before the weakest go, so that it is not sorted for each new prompt. */
const SLACK = 1.1

export const newPatterns = (tenant: string, maxPatterns: number = DEFAULT_MAX_PATTERNS): TenantPatterns => ({
  tenant,
  maxPatterns,
  day: -1,
  exposure: MEMORIES.map(() => 0),
  weekdayExposure: zeros(7),
  weekdayActive: zeros(7),
  profile: zeros(HOURS_A_WEEK),
  price: unpriced(),
  belief: untaught(),
  patterns: new Map(),
})

/**
 * Takes one request in. What comes late counts for the running day.
 * @throws RangeError for another tenant's request, or one without a time
 */
export function observe(known: TenantPatterns, seen: Observation): void {
  if (seen.tenant !== known.tenant) throw new RangeError('these are the patterns of another tenant')
  if (!Number.isFinite(seen.atMs)) throw new RangeError('a request needs the time it came at')
  advance(known, seen.atMs)
  let pattern = known.patterns.get(seen.promptHash)
  if (!pattern) {
    pattern = newPattern(known.day)
    known.patterns.set(seen.promptHash, pattern)
  }
  pattern.burst = burstAt(pattern, seen.atMs) + 1
  pattern.lastMs = Math.max(pattern.lastMs, seen.atMs)
  pattern.total += 1
  pattern.today += 1
  const hour = hourOf(seen.atMs)
  pattern.hours[hour] = (pattern.hours[hour] ?? 0) + 1
  const hourOfWeek = weekdayOf(dayOf(seen.atMs)) * 24 + hour
  known.profile[hourOfWeek] = (known.profile[hourOfWeek] ?? 0) + 1
  if (known.patterns.size > known.maxPatterns * SLACK) dropWeakest(known)
  if (seen.hit) return
  addPrice(pattern.price, seen)
  addPrice(known.price, seen)
}

/** Ends the days that are over at this moment: learns from each, then lets all sums fade. */
export function advance(known: TenantPatterns, nowMs: number): void {
  const today = dayOf(nowMs)
  if (known.day < 0) known.day = today
  if (today - known.day > MAX_SILENT_DAYS) known.patterns.clear()
  while (known.day < today) {
    if (known.patterns.size === 0) known.day = today - 1
    endDay(known)
    known.day += 1
  }
}

/** Requests of the latest hour or so, as of now. */
export const burstAt = (pattern: Pattern, nowMs: number): number =>
  pattern.burst * 2 ** (-Math.max(0, nowMs - pattern.lastMs) / BURST_HALF_LIFE_MS)

function endDay(known: TenantPatterns): void {
  const weekday = weekdayOf(known.day)
  const faded = fade(LONGEST)
  for (const pattern of known.patterns.values())
    if (pattern.firstDay < known.day) learn(known.belief, clues(known, pattern, known.day), pattern.today > 0)
  doubt(known.belief)
  let active = 0
  for (const pattern of known.patterns.values()) {
    const came = pattern.today > 0 ? 1 : 0
    active += came
    for (let memory = 0; memory < MEMORIES.length; memory++) {
      pattern.counts[memory] = (pattern.counts[memory] ?? 0) * fade(memory) + pattern.today
      pattern.active[memory] = (pattern.active[memory] ?? 0) * fade(memory) + came
    }
    shrink(pattern.weekdays, faded)
    shrink(pattern.hours, faded)
    pattern.weekdays[weekday] = (pattern.weekdays[weekday] ?? 0) + came
    if (came) pattern.lastDay = known.day
    pattern.today = 0
  }
  known.exposure = known.exposure.map((days, memory) => days * fade(memory) + 1)
  for (const sums of [known.weekdayExposure, known.weekdayActive, known.profile]) shrink(sums, faded)
  known.weekdayExposure[weekday] = (known.weekdayExposure[weekday] ?? 0) + 1
  known.weekdayActive[weekday] = (known.weekdayActive[weekday] ?? 0) + active
}

/**
 * Drops the prompts that are least likely to come back: those that came on the fewest days of late; of equals the
 * one seen longest ago. One request today counts less than one yesterday, or a flood of new prompts would drop all
 * that come once a day.
 */
function dropWeakest(known: TenantPatterns): void {
  const strength = ({ active, today }: Pattern) => (active[OF_LATE] ?? 0) + 1 - 2 ** -today
  const weakestFirst = [...known.patterns].sort(
    ([, a], [, b]) => strength(a) - strength(b) || a.lastMs - b.lastMs,
  )
  for (const [promptHash] of weakestFirst.slice(0, known.patterns.size - known.maxPatterns))
    known.patterns.delete(promptHash)
}

const newPattern = (day: number): Pattern => ({
  total: 0,
  today: 0,
  lastMs: 0,
  firstDay: day,
  lastDay: day,
  counts: MEMORIES.map(() => 0),
  active: MEMORIES.map(() => 0),
  weekdays: zeros(7),
  hours: zeros(24),
  burst: 0,
  price: unpriced(),
})

function shrink(sums: number[], factor: number): void {
  for (let index = 0; index < sums.length; index++) sums[index] = (sums[index] ?? 0) * factor
}

const zeros = (length: number): number[] => new Array<number>(length).fill(0)
