import type { AlertState, FigureRow, Figures, FromHub } from './messages.ts'
import type { ObjectiveState } from './objectives.ts'
import { panelOf } from './tabs.ts'
import type { View } from './view.ts'

/** A line as it is drawn: one value for each of the chart's times. */
export interface ShownRow {
  readonly labels: readonly string[]
  readonly now: number | null
  readonly values: readonly (number | null)[]
}

export interface ShownPanel {
  /** Nobody but this page knows what was before. */
  readonly isKeptHere: boolean
  readonly times: readonly number[]
  readonly rows: readonly ShownRow[]
}

interface Kept {
  rows: readonly FigureRow[]
  /** Seen since the last whole minute; of gauges, which nobody else keeps, since the page was opened. */
  tailTimes: number[]
  tails: Map<string, (number | null)[]>
}

/** Between two points that only this page keeps. */
const KEPT_EVERY_S = 5
const NO_ROWS: readonly FigureRow[] = []

/** All that the page was told, as it is to be shown. */
export class Board {
  view: View | undefined
  atMs = 0
  isolates = 0
  objectives: readonly ObjectiveState[] = []
  alerts: readonly AlertState[] | undefined
  choices: Readonly<Record<string, readonly string[]>> = {}
  readonly #panels = new Map<string, Kept>()
  #times: readonly number[] = []

  /** @returns the codes of the panels that look different now */
  apply(message: FromHub): string[] {
    this.atMs = message.atMs
    this.isolates = message.isolates
    this.objectives = message.objectives
    this.alerts = message.alerts
    if (message.kind === 'whole') this.#begin(message.view, message.times, message.figures)
    if (message.kind === 'whole') this.choices = message.choices
    for (const [code, rows] of Object.entries(message.figures)) {
      const kept = this.#panels.get(code) ?? { rows: NO_ROWS, tailTimes: [], tails: new Map() }
      kept.rows = message.kind === 'whole' ? rows : withPointsOf(rows, kept.rows)
      this.#panels.set(code, kept)
    }
    for (const [code, kept] of this.#panels) this.#note(code, kept)
    return [...this.#panels.keys()]
  }

  panel(code: string): ShownPanel {
    const kept = this.#panels.get(code)
    if (!kept) return { isKeptHere: false, times: [], rows: [] }
    const own = isKeptHere(kept)
    const times = own ? [] : this.#times
    const blank = new Array<null>(times.length).fill(null)
    return {
      isKeptHere: own,
      times: [...times, ...kept.tailTimes],
      rows: kept.rows.map((row) => ({
        labels: row.labels,
        now: row.now,
        values: [...(times.length > 0 ? (row.points ?? blank) : []), ...(kept.tails.get(keyOf(row)) ?? [])],
      })),
    }
  }

  #begin(view: View, times: readonly number[], figures: Figures): void {
    const isSame = JSON.stringify(view.filter) === JSON.stringify(this.view?.filter)
    const from = times[0] ?? 0
    const to = times.at(-1) ?? 0
    for (const [code, kept] of this.#panels) {
      if (!isSame || !figures[code]) this.#panels.delete(code)
      else forget(kept, hasPoints(figures[code]) ? to : from)
    }
    this.view = view
    this.#times = times
  }

  #note(code: string, kept: Kept): void {
    if (!panelOf(code)?.hasTrend || panelOf(code)?.kind === 'heatmap') return
    const nowS = this.atMs / 1_000
    const own = isKeptHere(kept)
    const lastS = kept.tailTimes.at(-1) ?? (own ? undefined : this.#times.at(-1))
    // Times on the chart must rise.
    if (lastS !== undefined && (nowS <= lastS || (own && nowS < lastS + KEPT_EVERY_S))) return
    const length = kept.tailTimes.push(nowS)
    for (const row of kept.rows) {
      const tail = kept.tails.get(keyOf(row)) ?? new Array<number | null>(length - 1).fill(null)
      kept.tails.set(keyOf(row), tail)
      tail.push(row.now)
    }
    for (const tail of kept.tails.values()) if (tail.length < length) tail.push(null)
  }
}

const hasPoints = (rows: readonly FigureRow[] | undefined): boolean =>
  rows?.some(({ points }) => points?.some((value) => value !== null)) === true

/** Gauges: the hub does not know what they were. */
const isKeptHere = ({ rows }: Kept): boolean => !hasPoints(rows)

const keyOf = ({ labels }: FigureRow): string => JSON.stringify(labels)

/** What is told twice a second has no points: those that were told before still hold. */
function withPointsOf(rows: readonly FigureRow[], before: readonly FigureRow[]): FigureRow[] {
  const known = new Map(before.map((row) => [keyOf(row), row]))
  const told = rows.map((row) => {
    const points = known.get(keyOf(row))?.points
    known.delete(keyOf(row))
    return points ? { ...row, points } : row
  })
  const gone = [...known.values()].filter(({ points }) => points)
  return [...told, ...gone.map((row) => ({ ...row, now: null }))]
}

function forget(kept: Kept, untilS: number): void {
  const first = kept.tailTimes.findIndex((time) => time > untilS)
  const count = first < 0 ? kept.tailTimes.length : first
  kept.tailTimes.splice(0, count)
  for (const tail of kept.tails.values()) tail.splice(0, count)
}
