import { type Amounts, Tally } from './batch-tally.ts'
import type { Window } from './window.ts'

export const SECONDS = 60
export const MINUTES = 180
const SECOND_MS = 1_000
export const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** Series of all totals together, as the exposition bounds them. */
export const MAX_SERIES = 20_000
/** Series of one slot: a full one takes about half a MB. */
const MAX_SLOT_SERIES = 4_000

/** One minute, numbered since the epoch. */
export interface MinuteSlot {
  readonly minute: number
  readonly amounts: Amounts
}

/** What was added since a day began, in UTC, numbered since the epoch. */
export interface DayTotals {
  readonly day: number
  readonly amounts: Amounts
}

export interface RingsState {
  readonly totals: Amounts
  readonly day: DayTotals | undefined
  /** Those that the ring is to know. */
  readonly minutes: readonly MinuteSlot[]
}

/** The last so many stretches of one length, and the one that is open. */
class Ring {
  readonly widthMs: number
  readonly #size: number
  readonly #slots = new Map<number, Tally>()
  #newest = 0

  constructor(widthMs: number, size: number) {
    this.widthMs = widthMs
    this.#size = size
  }

  /** Time that was set back changes nothing: it is still the newest slot. Undefined for what left the ring. */
  slot(index: number): Tally | undefined {
    this.#newest = Math.max(this.#newest, index)
    const oldest = this.#newest - this.#size
    // Keys stand in the order in which they came, nearly that of time.
    for (const held of this.#slots.keys()) if (held < oldest) this.#slots.delete(held)
    if (index < oldest) return undefined
    let tally = this.#slots.get(index)
    if (!tally) {
      tally = new Tally(MAX_SLOT_SERIES)
      this.#slots.set(index, tally)
    }
    return tally
  }

  /** Those from `first` on and before `end`, by time. */
  between(first: number, end: number): [number, Tally][] {
    return [...this.#slots].filter(([index]) => index >= first && index < end).sort(([a], [b]) => a - b)
  }
}

/**
 * What was added: since ever, today, in each of the last 180 minutes and 60 seconds. Sketches are kept for the seconds
 * only; over minutes the buckets of histograms tell.
 */
export class Rings {
  readonly #seconds = new Ring(SECOND_MS, SECONDS)
  readonly #minutes = new Ring(MINUTE_MS, MINUTES)
  readonly #totals = new Tally(MAX_SERIES)
  #day: { readonly day: number; readonly tally: Tally } | undefined

  constructor(state?: RingsState) {
    if (!state) return
    this.#totals.add(state.totals)
    if (state.day) this.#tallyOf(state.day.day).add(state.day.amounts)
    for (const { minute, amounts } of state.minutes) this.#minutes.slot(minute)?.add(amounts)
  }

  add(amounts: Amounts, atMs: number): void {
    this.#totals.add(amounts)
    this.#tallyOf(Math.floor(atMs / DAY_MS)).add(amounts)
    this.#minutes.slot(Math.floor(atMs / MINUTE_MS))?.add(amounts)
    const second = this.#seconds.slot(Math.floor(atMs / SECOND_MS))
    second?.add(amounts)
    second?.addSketches(amounts.sketches)
  }

  /** A minute that others counted: it counts in no total. */
  addMinute({ minute, amounts }: MinuteSlot): void {
    this.#minutes.slot(minute)?.add(amounts)
  }

  /** Never falls. */
  totals(): Amounts {
    return this.#totals.amounts()
  }

  /** The day of the last addition; undefined before the first. */
  day(): DayTotals | undefined {
    return this.#day && { day: this.#day.day, amounts: this.#day.tally.amounts() }
  }

  /** The minutes from `first` on and before `end` in which something was added. */
  minutes(first: number, end = Number.POSITIVE_INFINITY): MinuteSlot[] {
    return this.#minutes.between(first, end).map(([minute, tally]) => ({ minute, amounts: tally.amounts() }))
  }

  /** The last seconds, 60 at most: the whole ones and the one that is open. How long that is the window says. */
  lastSeconds(nowMs: number, seconds: number): Window {
    return windowOf(this.#seconds, nowMs, Math.min(seconds, SECONDS), 0)
  }

  /**
   * The last whole minutes, so many that the seconds are in them, and the one that is open.
   * @param offsetSeconds how long ago the window ends; then it has whole minutes only
   */
  lastMinutes(nowMs: number, seconds: number, offsetSeconds = 0): Window {
    return windowOf(this.#minutes, nowMs, seconds, offsetSeconds)
  }

  #tallyOf(day: number): Tally {
    if (!this.#day || this.#day.day < day) this.#day = { day, tally: new Tally(MAX_SERIES) }
    return this.#day.tally
  }
}

function windowOf(ring: Ring, nowMs: number, seconds: number, offsetSeconds: number): Window {
  const { widthMs } = ring
  const open = Math.floor(nowMs / widthMs)
  const end = offsetSeconds > 0 ? open - Math.round((offsetSeconds * 1_000) / widthMs) : open + 1
  const first = Math.min(end, open) - Math.ceil((seconds * 1_000) / widthMs)
  const sum = new Tally(MAX_SERIES)
  for (const [, tally] of ring.between(first, end)) {
    const amounts = tally.amounts()
    sum.add(amounts)
    sum.addSketches(amounts.sketches)
  }
  const endMs = Math.min(end * widthMs, nowMs)
  return { amounts: sum.amounts(), seconds: (endMs - first * widthMs) / 1_000 }
}
