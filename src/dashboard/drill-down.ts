import type { RequestSummary } from '../feedback/request-story.ts'
import { NONE, OTHER } from '../metrics/catalogue.ts'
import type { FilterLabel } from './tabs.ts'
import type { View } from './view.ts'

/** A time whose requests are listed, seconds since the epoch. */
export interface Span {
  readonly fromS: number
  readonly toS: number
}

export const OUTCOMES = [
  'success',
  'client_error',
  'error',
  'cancelled',
] as const satisfies readonly RequestSummary['outcome'][]

export interface Wish {
  readonly span: Span
  readonly filter: View['filter']
  readonly outcome?: string | undefined
  readonly cursor?: string | undefined
}

const MINUTE_S = 60
const PAGE_LENGTH = 50

/**
 * What a point of a chart is of: the minute that ends there or runs then, or where points lie further apart, all since the
 * one before.
 * @param times of the chart, rising
 */
export function spanAt(times: readonly number[], at: number): Span | undefined {
  const time = times[at]
  if (time === undefined) return undefined
  const [first = time, second = first] = times
  const stepS = Math.max(MINUTE_S, Math.round((second - first) / MINUTE_S) * MINUTE_S)
  // Longer steps begin at any full hour.
  const toS = stepS > MINUTE_S ? time : Math.ceil(time / MINUTE_S) * MINUTE_S
  return { fromS: toS - stepS, toS }
}

/** Of each span the place of its last time. */
export function stopsOf(times: readonly number[]): number[] {
  const last = new Map<number, number>()
  for (const at of times.keys()) last.set(spanAt(times, at)?.fromS ?? 0, at)
  return [...last.values()]
}

/** Where the page asks for the requests. */
export function requestsAddress({ span, filter, outcome, cursor }: Wish): string {
  const query = new URLSearchParams({
    from: isoOf(span.fromS),
    to: isoOf(span.toS),
    limit: String(PAGE_LENGTH),
  })
  for (const [label, value] of Object.entries(filter)) if (isHeeded(label, value)) query.set(label, value)
  if (outcome) query.set('outcome', outcome)
  if (cursor) query.set('cursor', cursor)
  return `/monitoring/requests?${query}`
}

export const storyAddress = (id: string): string => `/monitoring/requests/${encodeURIComponent(id)}`

/** What a reader could otherwise take for something else. */
export function remarksOn(filter: View['filter']): string[] {
  const remarks: string[] = []
  for (const [label, value] of Object.entries(filter)) {
    if (!isHeeded(label, value))
      remarks.push(`These are of every ${label}: the one chosen above is counted, but not recorded.`)
    else if (label === 'model')
      remarks.push('Requests that nothing answered have no model, so they are not among these.')
  }
  return remarks
}

/** A mode is not recorded; some names are shared by all who have no label of their own. */
const isHeeded = (label: string, value: string): boolean =>
  (['model', 'tenant'] satisfies FilterLabel[]).some((known) => known === label) &&
  value !== OTHER &&
  value !== NONE

const isoOf = (seconds: number): string => new Date(seconds * 1_000).toISOString()
