import { NONE } from '../metrics/catalogue.ts'
import { baseName, readSeries } from '../metrics/catalogue-limits.ts'
import { bucketQuantile } from '../metrics/window.ts'
import type { Expr, Matcher, Selector, WindowSize } from './promql.ts'
import { hasLabel, type Line, meaningOf, type Timeline } from './timeline.ts'

/** Only what has these labels; a series that does not know a label counts whole. */
export type Filter = Readonly<Record<string, string>>

export interface Row {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** When and of what. */
export interface Scope {
  readonly timeline: Timeline
  readonly filter: Filter
  /** How many minutes `range` means. */
  readonly rangeMinutes: number
  /** The place of a minute that is over; undefined: now. */
  readonly minute: number | undefined
  /** Of one timeline and filter: which lines a selector means. */
  readonly found: Map<Selector, readonly Line[]>
}

type Value = number | readonly Row[]

/** What an expression is at one moment: a row for each child; none where nothing is known. */
export function evaluate(expr: Expr, scope: Scope): readonly Row[] {
  const value = valueAt(expr, scope)
  const rows = typeof value === 'number' ? [{ labels: {}, value }] : value
  return rows.filter((row) => Number.isFinite(row.value))
}

function valueAt(expr: Expr, scope: Scope): Value {
  switch (expr.is) {
    case 'number':
      return expr.value
    case 'time':
      return scope.timeline.nowMs / 1_000
    case 'selector':
      return levels(expr, scope)
    case 'rate':
    case 'increase':
      return growth(expr.of, expr.window, expr.is === 'rate', scope)
    case 'sum':
    case 'max':
      return grouped(rowsOf(expr.of, scope), expr.by, expr.is)
    case 'topk':
      return [...rowsOf(expr.of, scope)].sort((a, b) => b.value - a.value).slice(0, expr.k)
    case 'quantile':
      return live(expr, scope) ?? quantiles(expr.q, rowsOf(expr.of, scope))
    case 'binary':
      return joined(valueAt(expr.left, scope), valueAt(expr.right, scope), expr.op)
  }
}

function rowsOf(expr: Expr, scope: Scope): readonly Row[] {
  const value = valueAt(expr, scope)
  return typeof value === 'number' ? [{ labels: {}, value }] : value
}

/** Gauges: nobody kept what they were. */
function levels({ name, matchers }: Selector, { timeline, filter, minute }: Scope): Row[] {
  const family = meaningOf(name)?.family
  if (!family || minute !== undefined) return []
  return Object.entries(timeline.gauges).flatMap(([series, value]) => {
    const labels = baseName(series) === family ? readSeries(series)?.labels : undefined
    const meant = labels && matches(labels, matchers) && matches(labels, matchersOf(filter, family))
    return labels && meant ? [{ labels, value }] : []
  })
}

function growth(selector: Selector, size: WindowSize, perSecond: boolean, scope: Scope): Row[] {
  const { timeline, minute } = scope
  const { count } = timeline.past
  const isNow = minute === undefined
  const end = isNow ? count : minute + 1
  const wanted = size === 'short' ? 1 : size === 'range' ? scope.rangeMinutes : Math.ceil(size / 60)
  const from = Math.max(0, end - wanted)
  const seconds = (end - from) * 60 + (isNow ? timeline.openSeconds : 0)
  return linesOf(selector, scope).map(({ labels, before, open }) => {
    const grown = (before[end] ?? 0) - (before[from] ?? 0) + (isNow ? open : 0)
    return { labels, value: perSecond ? grown / seconds : grown }
  })
}

function linesOf(selector: Selector, { timeline, filter, found }: Scope): readonly Line[] {
  const known = found.get(selector)
  if (known) return known
  const meaning = meaningOf(selector.name)
  const lines = meaning
    ? timeline.lines(meaning).filter((line) => {
        const wanted = [...selector.matchers, ...matchersOf(filter, meaning.family)]
        return matches(
          line.labels,
          line.isZero ? wanted.filter(({ label }) => line.labels[label] !== NONE) : wanted,
        )
      })
    : []
  found.set(selector, lines)
  return lines
}

const matchersOf = (filter: Filter, family: Parameters<typeof hasLabel>[0]): Matcher[] =>
  Object.entries(filter).flatMap(([label, value]) =>
    hasLabel(family, label) ? [{ label, op: '=', value }] : [],
  )

/** Which gateway is meant is settled: this one. */
const matches = (labels: Row['labels'], matchers: readonly Matcher[]): boolean =>
  matchers.every(
    ({ label, op, value }) => label === 'job' || (op === '!=') !== ((labels[label] ?? '') === value),
  )

const NO_LABELS = {}

function grouped(rows: readonly Row[], by: readonly string[], how: 'sum' | 'max'): Row[] {
  const groups = new Map<string, { labels: Record<string, string>; value: number }>()
  for (const { labels, value } of rows) {
    const key = by.length === 0 ? '' : JSON.stringify(by.map((label) => labels[label]))
    const group = groups.get(key)
    if (group) group.value = how === 'sum' ? group.value + value : Math.max(group.value, value)
    else groups.set(key, { labels: picked(labels, by), value })
  }
  return [...groups.values()]
}

const picked = (labels: Row['labels'], by: readonly string[]): Record<string, string> =>
  by.length === 0 ? NO_LABELS : Object.fromEntries(by.map((label) => [label, labels[label] ?? '']))

/** Now, of everything together, the sketches tell better than buckets. */
function live({ q, of }: Expr & { is: 'quantile' }, scope: Scope): Row[] | undefined {
  const selector = of.is === 'sum' && of.by.join() === 'le' && of.of.is === 'rate' ? of.of.of : undefined
  const meaning = selector && meaningOf(selector.name)
  if (!meaning || scope.minute !== undefined) return undefined
  const wanted = [...selector.matchers, ...matchersOf(scope.filter, meaning.family)]
  const value = scope.timeline.quantile(meaning.family, (labels) => matches(labels, wanted), q)
  return value === undefined ? undefined : [{ labels: {}, value }]
}

function quantiles(q: number, rows: readonly Row[]): Row[] {
  const groups = new Map<string, { labels: Row['labels']; buckets: [number, number][] }>()
  for (const { labels, value } of rows) {
    const { le = '', ...rest } = labels
    const key = JSON.stringify(rest)
    const group = groups.get(key) ?? { labels: rest, buckets: [] }
    group.buckets.push([le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value])
    groups.set(key, group)
  }
  return [...groups.values()].flatMap(({ labels, buckets }) => {
    buckets.sort(([a], [b]) => a - b)
    const counts = buckets.map(([, upTo], i) => upTo - (buckets[i - 1]?.[1] ?? 0))
    const bounds = buckets.map(([bound]) => bound).filter(Number.isFinite)
    const value = bucketQuantile(q, bounds, counts)
    return value === undefined ? [] : [{ labels, value }]
  })
}

function joined(left: Value, right: Value, op: '+' | '-' | '*' | '/'): Value {
  if (typeof left === 'number' && typeof right === 'number') return reckoned(left, right, op)
  if (typeof right === 'number')
    return (left as readonly Row[]).map((row) => ({ ...row, value: reckoned(row.value, right, op) }))
  if (typeof left === 'number') return right.map((row) => ({ ...row, value: reckoned(left, row.value, op) }))
  const others = new Map(right.map((row) => [keyOf(row), row.value]))
  return left.flatMap((row) => {
    const other = others.get(keyOf(row))
    return other === undefined ? [] : [{ labels: row.labels, value: reckoned(row.value, other, op) }]
  })
}

const keyOf = ({ labels }: Row): string => JSON.stringify(Object.entries(labels).sort())

function reckoned(a: number, b: number, op: '+' | '-' | '*' | '/'): number {
  if (op === '+') return a + b
  if (op === '-') return a - b
  return op === '*' ? a * b : a / b
}
