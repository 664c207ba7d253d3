import type { AlertRule, Channel } from '../metrics/alert-rules.ts'
import type { ObjectiveState } from './objectives.ts'
import type { View } from './view.ts'

/** A row of a panel: a line, a slice, a bar. `labels` in the order of the panel's `by`. */
export interface FigureRow {
  readonly labels: readonly string[]
  readonly now: number | null
  /** One a minute that is over, where the panel draws lines. */
  readonly points?: readonly (number | null)[]
}

export type Figures = Readonly<Record<string, readonly FigureRow[]>>

/** An alert that is about to fire, or does. */
export interface AlertState extends Pick<AlertRule, 'severity' | 'unit' | 'summary' | 'tip' | 'channels'> {
  readonly rule: string
  /** Which of several: `tier="kv"`. */
  readonly labels: string
  readonly state: 'inactive' | 'pending' | 'firing'
  readonly sinceMs: number | null
  readonly value: number | null
  readonly told: readonly Channel[]
  readonly silencedUntilMs: number | null
}

interface Common {
  readonly atMs: number
  /** A panel that is not named stands as it was told before. */
  readonly figures: Figures
  readonly objectives: readonly ObjectiveState[]
  /** How many isolates send figures. */
  readonly isolates: number
  /** Absent where nothing watches. */
  readonly alerts?: readonly AlertState[]
}

/** Everything, when the view changes and once a minute. */
export interface Whole extends Common {
  readonly kind: 'whole'
  readonly view: View
  /** The ends of the minutes that `points` are of, seconds since the epoch. */
  readonly times: readonly number[]
  /** What can be chosen from. */
  readonly choices: Readonly<Record<string, readonly string[]>>
}

/** What has changed since, twice a second. */
export interface Now extends Common {
  readonly kind: 'now'
}

export type FromHub = Whole | Now
/** Said again and again while somebody looks; `rest`: nobody does. */
export type ToHub = { readonly look: View } | { readonly rest: true }

/** The session is over: sign in again. */
export const CLOSE_SIGNED_OUT = 4401
/** What was said is not understood. */
export const CLOSE_INVALID = 4400
