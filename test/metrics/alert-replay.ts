import { digester } from '../../src/metrics/alert-digest.ts'
import { type AlertChange, type AlertState, evaluate } from '../../src/metrics/alert-evaluator.ts'
import { ALERT_RULES } from '../../src/metrics/alert-rules.ts'
import { knownSince } from '../../src/metrics/alert-values.ts'
import { CATALOGUE, isFamily, nameSeries, PREFIX } from '../../src/metrics/catalogue.ts'
import { MINUTE_MS, type MinuteSlot, Rings } from '../../src/metrics/rings.ts'
import type { Course } from '../ops/alert-cases.ts'
import { FAKE_START_MS } from '../support/fake-clock.ts'

const FIRST_MINUTE = Math.ceil(FAKE_START_MS / MINUTE_MS)

/** What promtool reads from a course: a value a minute. `1+2x3` is 1 3 5 7, `4x2` is 4 4 4. */
export function valuesOf(course: string): number[] {
  return course.split(' ').flatMap((word) => {
    const [, start = '', step = '0', times] = /^([\d.e-]+?)(?:([+-][\d.e-]+))?(?:x(\d+))?$/.exec(word) ?? []
    if (start === '') throw new Error(`not a course: ${word}`)
    return Array.from({ length: Number(times ?? 0) + 1 }, (_, i) => Number(start) + i * Number(step))
  })
}

interface Series {
  readonly name: string
  /** Of a histogram: which bucket rises, or its sum or count. */
  readonly part: '' | 'sum' | 'count' | number
  readonly values: readonly number[]
}

function seriesOf(text: string, course: string): Series {
  const [, full = '', inside = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(text) ?? []
  const labels = Object.fromEntries(
    [...inside.matchAll(/(\w+)="([^"]*)"/g)].map(([, k = '', v = '']) => [k, v]),
  )
  const base = full.slice(PREFIX.length)
  const family = isFamily(base) ? base : base.replace(/_(bucket|sum|count)$/, '')
  if (!isFamily(family)) throw new Error(`no family ${base}`)
  const described = CATALOGUE[family]
  const name = nameSeries(family, labels)
  const values = valuesOf(course)
  if (family === base) return { name, part: '', values }
  const kind = base.slice(family.length + 1)
  if (kind === 'sum' || kind === 'count') return { name, part: kind, values }
  if (!('buckets' in described)) throw new Error(`${family} has no buckets`)
  const place = (described.buckets as readonly number[]).indexOf(Number(labels.le))
  return { name, part: place < 0 ? described.buckets.length : place, values }
}

/** What was added in a minute: the counters' and histograms' rise over it. */
function slotOf(series: readonly Series[], minute: number): MinuteSlot {
  const counters: Record<string, number> = {}
  const histograms: Record<string, { counts: number[]; sum: number }> = {}
  const rises = series
    .filter(({ name }) => !name.startsWith('cache_entries') && !name.startsWith('cache_capacity'))
    .map((each) => ({ ...each, rise: (each.values[minute + 1] ?? 0) - (each.values[minute] ?? 0) }))
  for (const { name, part, rise } of rises) {
    if (part === '') {
      counters[name] = rise
      continue
    }
    const family = name.split('{')[0] as 'request_duration_seconds' | 'quality_score_ratio'
    histograms[name] ??= { counts: new Array(CATALOGUE[family].buckets.length + 1).fill(0), sum: 0 }
    const histogram = histograms[name]
    if (part === 'sum') histogram.sum += rise
    // A count alone tells of no bucket: any will do.
    else if (part === 'count') histogram.counts[histogram.counts.length - 1] = rise
    else histogram.counts[part] = rise
  }
  for (const [name, { counts }] of Object.entries(histograms))
    if (rises.some(({ name: other, part }) => other === name && typeof part === 'number')) decumulate(counts)
  return { minute: FIRST_MINUTE + minute, amounts: { counters, histograms, sketches: {} } }
}

/** A bucket that was not named rises as the one below it. */
function decumulate(counts: number[]): void {
  let below = 0
  for (const [i, cumulative] of counts.entries()) {
    counts[i] = Math.max(0, cumulative - below)
    below = Math.max(below, cumulative)
  }
}

export interface Replayed {
  readonly minute: number
  readonly states: readonly AlertState[]
  readonly changes: readonly AlertChange[]
}

/** The gateway's own watch over a course: rings of minutes, judged at the end of each. */
export function replay(course: Course, minutes: number): Replayed[] {
  const series = Object.entries(course).map(([text, values]) => seriesOf(text, values))
  const rings = new Rings()
  const digest = digester()
  let states: Parameters<typeof evaluate>[1] = {}
  return Array.from({ length: minutes + 1 }, (_, minute) => {
    if (minute > 0) rings.addMinute(digest(slotOf(series, minute - 1)))
    const nowMs = (FIRST_MINUTE + minute) * MINUTE_MS
    const gauges = Object.fromEntries(
      series
        .filter(({ name }) => /^cache_(entries|capacity_entries)/.test(name))
        .map(({ name, values }) => [name, values[minute] ?? 0]),
    )
    const readings = knownSince(FIRST_MINUTE * MINUTE_MS, nowMs, {
      gauges,
      window: (seconds, offset) => rings.lastMinutes(nowMs, seconds, offset),
    })
    const judged = evaluate(ALERT_RULES, states, readings, nowMs)
    states = judged.states
    return { minute, states: Object.values(states), changes: judged.changes }
  })
}

/** The minutes at which an alert changed, as `12 firing`. */
export const changesOf = (replayed: readonly Replayed[], rule: string): string[] =>
  replayed.flatMap(({ minute, changes }) =>
    changes.filter(({ alert }) => alert.rule === rule).map(({ to }) => `${minute} ${to}`),
  )
