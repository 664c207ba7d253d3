import { DAY_MS, HOUR_MS } from '../../src/warming/calendar.ts'
import { picker, shuffled, zipfWeights } from './draw.ts'
import { eachHour, making } from './making.ts'
import { TRACE_START_MS, type Trace } from './trace.ts'

const PROMPTS = 2_000
const REQUESTS_A_DAY = 1_000
const counted = (fromDay: number): number => TRACE_START_MS + fromDay * DAY_MS

/** Zipf 1.0 over 2,000 prompts that stay as popular as they are; quiet nights. Two weeks, then a counted one. */
export function zipf(seed: number): Trace {
  const made = making('zipf', seed)
  const prompts = Array.from({ length: PROMPTS }, (_, n) => made.prompt(`zipf question ${n}`))
  const pick = picker(zipfWeights(PROMPTS))
  eachHour(made, 21, REQUESTS_A_DAY, ({ startMs, count }) => {
    for (let n = 0; n < count; n++) {
      const prompt = prompts[pick(made.draw.unit())]
      if (prompt) made.ask(prompt, startMs + made.draw.unit() * HOUR_MS)
    }
  })
  return made.done(counted(14))
}

/** A part of the week in which a prompt is asked; hours [from, to) UTC. */
interface Rhythm {
  readonly weekdays: readonly number[]
  readonly hours: readonly [from: number, to: number]
}

const WORKDAYS = [0, 1, 2, 3, 4]
const ALL_DAYS = [0, 1, 2, 3, 4, 5, 6]

/**
 * Zipf 1.0 over 2,000 prompts that each have their time of the week: office hours (45 %), evenings (15 %),
 * weekends (15 %), one weekday's reports (20 %), one hour of every day (5 %). Four weeks, then a counted one.
 */
export function season(seed: number): Trace {
  const made = making('season', seed)
  const { draw } = made
  const prompts = Array.from({ length: PROMPTS }, (_, n) => made.prompt(`season question ${n}`))
  const weights = zipfWeights(PROMPTS)
  const byHour = Array.from({ length: 168 }, () => new Float64Array(PROMPTS))
  for (let n = 0; n < PROMPTS; n++) {
    const { weekdays, hours } = rhythm(draw.unit(), draw.integer(7), draw.integer(24))
    const [from, to] = hours
    for (const weekday of weekdays) {
      for (let hour = from; hour < to; hour++) {
        const slot = byHour[weekday * 24 + hour]
        if (slot) slot[n] = (weights[n] ?? 0) / (weekdays.length * (to - from))
      }
    }
  }
  const sums = byHour.map((slot) => slot.reduce((sum, each) => sum + each, 0))
  const all = sums.reduce((sum, each) => sum + each, 0)
  const picks = byHour.map(picker)
  for (let hour = 0; hour < 35 * 24; hour++) {
    const ofWeek = hour % 168
    const count = draw.poisson((7 * REQUESTS_A_DAY * (sums[ofWeek] ?? 0)) / all)
    for (let n = 0; n < count; n++) {
      const prompt = prompts[picks[ofWeek]?.(draw.unit()) ?? 0]
      if (prompt) made.ask(prompt, TRACE_START_MS + (hour + draw.unit()) * HOUR_MS)
    }
  }
  return made.done(counted(28))
}

function rhythm(unit: number, weekday: number, hour: number): Rhythm {
  if (unit < 0.45) return { weekdays: WORKDAYS, hours: [8, 18] }
  if (unit < 0.6) return { weekdays: ALL_DAYS, hours: [17, 23] }
  if (unit < 0.75) return { weekdays: [5, 6], hours: [9, 22] }
  if (unit < 0.95) return { weekdays: [weekday], hours: [8, 12] }
  return { weekdays: ALL_DAYS, hours: [hour, hour + 1] }
}

/** Zipf 1.0 over 2,000 ranks, on which each night a twelfth of the prompts change places. Two weeks, then a counted one. */
export function drift(seed: number): Trace {
  const made = making('drift', seed)
  const { draw } = made
  const prompts = Array.from({ length: PROMPTS }, (_, n) => made.prompt(`drift question ${n}`))
  const pick = picker(zipfWeights(PROMPTS))
  let places = prompts
  eachHour(made, 21, REQUESTS_A_DAY, ({ startMs, count, hour }) => {
    if (hour === 0) places = changed(places, draw.unit)
    for (let n = 0; n < count; n++) {
      const prompt = places[pick(draw.unit())]
      if (prompt) made.ask(prompt, startMs + draw.unit() * HOUR_MS)
    }
  })
  return made.done(counted(14))

  function changed(before: typeof prompts, unit: () => number): typeof prompts {
    const moving = before.flatMap((_, place) => (unit() < 1 / 12 ? [place] : []))
    const to = shuffled(moving, draw)
    const after = [...before]
    moving.forEach((place, n) => {
      const prompt = before[place]
      if (prompt) after[to[n] ?? place] = prompt
    })
    return after
  }
}

/**
 * Three fifths Zipf 1.0 over 2,000 prompts; the rest are some ten bursts a day, each 20 to 60 requests for one
 * prompt within hours, and rarely one later. Two weeks, then a counted one.
 */
export function burst(seed: number): Trace {
  const made = making('burst', seed)
  const { draw } = made
  const prompts = Array.from({ length: PROMPTS }, (_, n) => made.prompt(`burst question ${n}`))
  const pick = picker(zipfWeights(PROMPTS))
  let bursts = 0
  eachHour(made, 21, 0.6 * REQUESTS_A_DAY, ({ startMs, count, hour }) => {
    for (let n = 0; n < count; n++) {
      const prompt = prompts[pick(draw.unit())]
      if (prompt) made.ask(prompt, startMs + draw.unit() * HOUR_MS)
    }
    // Between 7 and 21 h, as people are awake.
    for (let n = hour >= 7 && hour < 21 ? draw.poisson(10 / 14) : 0; n > 0; n--) {
      const prompt = made.prompt(`news of the hour ${bursts++}`)
      const fromMs = startMs + draw.unit() * HOUR_MS
      const fadeMs = (0.5 + draw.unit()) * HOUR_MS
      const size = 20 + draw.integer(41)
      for (let m = 0; m < size; m++) made.ask(prompt, fromMs - Math.log(1 - draw.unit()) * fadeMs)
      for (let m = draw.poisson(0.5); m > 0; m--) made.ask(prompt, fromMs + draw.unit() * 7 * DAY_MS)
    }
  })
  const { requests, ...trace } = made.done(counted(14))
  return { ...trace, requests: requests.filter(({ atMs }) => atMs < counted(21)) }
}
