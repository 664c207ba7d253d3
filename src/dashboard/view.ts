import { isObject } from '../core/json.ts'
import { FILTER_LABELS, type FilterLabel, TAB_CODES, type TabCode } from './tabs.ts'

/** In minutes; the longest is what the hub remembers. */
export const RANGES = [5, 15, 60, 180] as const
export type RangeMinutes = (typeof RANGES)[number]

/** In minutes; what only the database remembers. */
export const LONG_RANGES = [1_440, 10_080, 43_200] as const
export type LongMinutes = (typeof LONG_RANGES)[number]

export type Choice = Readonly<Partial<Record<FilterLabel, string>>>

/** What somebody looks at. */
export interface View {
  readonly tab: TabCode
  readonly minutes: RangeMinutes
  readonly filter: Choice
}

/** What the page shows: the tab of it alone is the page's own. */
export type PageView = Omit<View, 'minutes'> & { readonly minutes: RangeMinutes | LongMinutes }

export const isLong = (minutes: number): minutes is LongMinutes =>
  LONG_RANGES.some((range) => range === minutes)

/** A longer time, of every tab at once. */
export interface LongView {
  readonly minutes: LongMinutes
  readonly filter: Choice
}

export const FIRST_VIEW: View = { tab: 'P', minutes: 15, filter: {} }
const MAX_VALUE_LENGTH = 200

/** @returns undefined for what is none */
export function parseView(value: unknown): View | undefined {
  if (!isObject(value)) return undefined
  const tab = TAB_CODES.find((code) => code === value.tab)
  const minutes = RANGES.find((range) => range === value.minutes)
  const filter = isObject(value.filter) ? parseChoice(Object.entries(value.filter)) : undefined
  return tab && minutes && filter && { tab, minutes, filter }
}

/** @param asked of an address: `minutes` and what is chosen; undefined for what is none */
export function parseLongView(asked: URLSearchParams): LongView | undefined {
  const minutes = LONG_RANGES.find((range) => String(range) === asked.get('minutes'))
  const filter = parseChoice([...asked].filter(([name]) => name !== 'minutes'))
  return minutes && filter && { minutes, filter }
}

/** In one order, so that equal views are one text. */
function parseChoice(filter: readonly [string, unknown][]): Choice | undefined {
  if (!filter.every(isChoice)) return undefined
  return Object.fromEntries(FILTER_LABELS.flatMap((label) => filter.filter(([name]) => name === label)))
}

const isChoice = ([label, value]: [string, unknown]): boolean =>
  FILTER_LABELS.some((known) => known === label) &&
  typeof value === 'string' &&
  value !== '' &&
  value.length <= MAX_VALUE_LENGTH
