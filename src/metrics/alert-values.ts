import type { Condition, Selection, Term } from './alert-terms.ts'
import { CATALOGUE, escapeLabel, familyOf } from './catalogue.ts'
import { bucketQuantile, histogramOf, rate, type Window } from './window.ts'

/** What was counted, as it is known at one moment. */
export interface AlertReadings {
  /** What was added in the last seconds; undefined where the window ended before anything was counted at all. */
  window(seconds: number, offsetSeconds: number): Window | undefined
  readonly gauges: Readonly<Record<string, number>>
}

/** Values by the labels that they are told apart by, `tier="kv"`; without such a label by ''. */
export type Values = ReadonlyMap<string, number>

const NO_VALUE: Values = new Map()
const single = (value: number | undefined): Values =>
  value === undefined ? NO_VALUE : new Map([['', value]])

/** What a term says: the figures that Prometheus has for its text, from whole minutes in place of samples. */
export function termValues(term: Term, readings: AlertReadings): Values {
  switch (term.is) {
    case 'rate':
      return single(rateOf(term.of, readings.window(term.windowS, term.offsetS)))
    case 'largest':
      return largestOf(term.of, term.by, readings.gauges)
    case 'quantile':
      return single(quantileOf(term.q, term.of, readings.window(term.windowS, 0)))
    case 'ratio':
      return joined(termValues(term.over, readings), termValues(term.under, readings), (a, b) => a / b)
    case 'scaled':
      return new Map([...termValues(term.of, readings)].map(([labels, value]) => [labels, value * term.by]))
  }
}

/** The left side's values where the condition holds; one without a counterpart on the right does not count. */
export function holding({ left, is, right }: Condition, readings: AlertReadings): Values {
  const values = termValues(left, readings)
  const bounds = typeof right === 'number' ? undefined : termValues(right, readings)
  return new Map(
    [...values].filter(([labels, value]) => {
      const bound = typeof right === 'number' ? right : bounds?.get(labels)
      return bound !== undefined && compare(value, is, bound)
    }),
  )
}

/** Of a time before anything was counted nothing is known; later on, what nobody added is nothing added. */
export const knownSince = (beganMs: number, nowMs: number, readings: AlertReadings): AlertReadings => ({
  gauges: readings.gauges,
  window: (seconds, offsetSeconds) =>
    nowMs - offsetSeconds * 1_000 > beganMs ? readings.window(seconds, offsetSeconds) : undefined,
})

/** With every window made once only: several rules look at the same. */
export function remembered({ window, gauges }: AlertReadings): AlertReadings {
  const windows = new Map<string, Window | undefined>()
  return {
    gauges,
    window: (seconds, offsetSeconds) => {
      const name = `${seconds} ${offsetSeconds}`
      if (!windows.has(name)) windows.set(name, window(seconds, offsetSeconds))
      return windows.get(name)
    },
  }
}

function compare(value: number, is: Condition['is'], bound: number): boolean {
  if (is === '<') return value < bound
  return is === '>' ? value > bound : value >= bound
}

const joined = (left: Values, right: Values, join: (a: number, b: number) => number): Values =>
  new Map(
    [...left].flatMap(([labels, value]): [string, number][] => {
      const other = right.get(labels)
      return other === undefined ? [] : [[labels, join(value, other)]]
    }),
  )

/** A counter that nobody raised stands at 0, as `/metrics` has it from the start. */
function rateOf(of: Selection, window: Window | undefined): number | undefined {
  if (!window) return undefined
  const isMeant = selector(of)
  if (of.part === '') return rate(window, isMeant)
  const histogram = histogramOf(window, isMeant)
  const count = histogram?.counts.reduce((sum, each) => sum + each, 0)
  return ((of.part === 'sum' ? histogram?.sum : count) ?? 0) / window.seconds
}

function quantileOf(q: number, of: Selection, window: Window | undefined): number | undefined {
  const family = CATALOGUE[of.family]
  const histogram = window && histogramOf(window, selector(of))
  return histogram && 'buckets' in family ? bucketQuantile(q, family.buckets, histogram.counts) : undefined
}

function largestOf(of: Selection, by: string, gauges: AlertReadings['gauges']): Values {
  const isMeant = selector(of)
  const largest = new Map<string, number>()
  for (const [series, value] of Object.entries(gauges)) {
    if (!isMeant(series)) continue
    const labels = `${by}="${labelsOf(series).get(by) ?? ''}"`
    largest.set(labels, Math.max(value, largest.get(labels) ?? Number.NEGATIVE_INFINITY))
  }
  return largest
}

/** Which series of a snapshot are meant. */
export function selector({ family, where }: Selection): (series: string) => boolean {
  const wanted = Object.entries(where).map(([label, value]) => ({
    label,
    text: escapeLabel(typeof value === 'string' ? value : value.not),
    same: typeof value === 'string',
  }))
  const start = Object.keys(familyOf(family).labels).length > 0 ? `${family}{` : family
  return (series) => {
    if (start.endsWith('{') ? !series.startsWith(start) : series !== start) return false
    if (wanted.length === 0) return true
    const labels = labelsOf(series)
    return wanted.every(({ label, text, same }) => (labels.get(label) === text) === same)
  }
}

/** One label after the other, so that nothing inside a value is taken for one. */
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g

/** Values as they stand in the name, escaped. */
export const labelsOf = (series: string): ReadonlyMap<string, string> =>
  new Map([...series.matchAll(LABEL)].map(([, label = '', value = '']) => [label, value]))
