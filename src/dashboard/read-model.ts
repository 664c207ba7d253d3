import { NONE } from '../metrics/catalogue.ts'
import { evaluate, type Row, type Scope } from './evaluate.ts'
import type { FigureRow, Figures } from './messages.ts'
import type { Selector } from './promql.ts'
import { FILTER_LABELS, type PagePanel, panelOf, tabOf, VITALS } from './tabs.ts'
import { type Line, type Timeline, valuesOf } from './timeline.ts'
import type { View } from './view.ts'

/** A table with more rows tells nobody anything; a drawing with more lines neither. */
const MAX_ROWS = 24
const MAX_CHOICES = 200

export const panelsOf = ({ tab }: View): readonly PagePanel[] => {
  const shown = new Map(tabOf(tab).panels.map((panel) => [panel.code, panel]))
  for (const code of VITALS) {
    const panel = panelOf(code)
    if (panel) shown.set(code, panel)
  }
  return [...shown.values()]
}

/** What all panels of a view show. @param withPoints also what they showed at the end of each minute */
export function figuresOf(timeline: Timeline, view: View, withPoints: boolean): Figures {
  const found = new Map<Selector, readonly Line[]>()
  return Object.fromEntries(
    panelsOf(view).map((panel) => {
      const rows = rowsOf(panel, timeline, view, withPoints && panel.hasTrend, found)
      return [panel.code, panel.kind === 'heatmap' ? betweenBounds(rows) : rows]
    }),
  )
}

/** The ends of a view's minutes, seconds since the epoch. */
export const timesOf = ({ past }: Timeline, { minutes }: View): number[] =>
  Array.from({ length: minutes }, (_, i) => (past.endMinute - minutes + i + 1) * 60)

function rowsOf(
  panel: PagePanel,
  timeline: Timeline,
  { filter, minutes }: View,
  withPoints: boolean,
  found: Scope['found'],
): FigureRow[] {
  const at = (minute: number | undefined) =>
    evaluate(panel.query, { timeline, filter, rangeMinutes: minutes, minute, found })
  const rows = new Map<string, { labels: string[]; now: number | null; points: (number | null)[] }>()
  const rowFor = (row: Row) => {
    const labels = labelsOf(row, panel)
    const key = JSON.stringify(labels)
    const known = rows.get(key) ?? { labels, now: null, points: new Array<number | null>(minutes).fill(null) }
    rows.set(key, known)
    return known
  }
  for (const row of at(undefined)) rowFor(row).now = short(row.value)
  const first = timeline.past.count - minutes
  if (withPoints)
    for (let i = 0; i < minutes; i++)
      for (const row of at(first + i)) rowFor(row).points[i] = short(row.value)
  return [...rows.values()]
    .filter((row) => !isNobody(row))
    .sort((a, b) => (b.now ?? 0) - (a.now ?? 0))
    .slice(0, panel.kind === 'heatmap' ? undefined : MAX_ROWS)
    .map(({ labels, now, points }) => (withPoints ? { labels, now, points } : { labels, now }))
}

const labelsOf = ({ labels }: Row, { by }: PagePanel): string[] =>
  (by.length > 0 ? by : Object.keys(labels)).map((label) => labels[label] ?? '')

/** The child that a family begins with, where its labels do not apply and nothing was ever counted. */
const isNobody = ({ labels, now, points }: FigureRow): boolean =>
  labels.includes(NONE) && !now && !points?.some(Boolean)

/** Enough digits for any drawing, and short on the way. */
const short = (value: number): number => Number(value.toPrecision(6))

/** From "so many are at most this" to "so many lie between this bound and the one before". */
function betweenBounds(rows: readonly FigureRow[]): FigureRow[] {
  const bound = ({ labels: [le = ''] }: FigureRow): number =>
    le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)
  const rising = rows.toSorted((a, b) => bound(a) - bound(b))
  const less = (value: number | null | undefined, below: number | null | undefined): number | null =>
    value === null || value === undefined ? null : Math.max(0, short(value - (below ?? 0)))
  return rising.map((row, i) => {
    const below = rising[i - 1]
    const now = less(row.now, below?.now)
    return row.points
      ? { ...row, now, points: row.points.map((value, at) => less(value, below?.points?.[at])) }
      : { ...row, now }
  })
}

/** What can be chosen above the panels: the names that were counted. */
export const choicesOf = (timeline: Timeline): Record<string, string[]> =>
  Object.fromEntries(
    FILTER_LABELS.map((label) => {
      const family = label === 'tenant' ? 'tenant_requests_total' : 'requests_total'
      return [label, valuesOf(timeline, family, label).slice(0, MAX_CHOICES)]
    }),
  )
