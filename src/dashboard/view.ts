import { isObject } from '../core/json.ts'
import { FILTER_LABELS, type FilterLabel, TAB_CODES, type TabCode } from './tabs.ts'

/** In minutes; the longest is what the hub remembers. */
export const RANGES = [5, 15, 60, 180] as const
export type RangeMinutes = (typeof RANGES)[number]

/** What somebody looks at. */
export interface View {
  readonly tab: TabCode
  readonly minutes: RangeMinutes
  readonly filter: Readonly<Partial<Record<FilterLabel, string>>>
}

export const FIRST_VIEW: View = { tab: 'P', minutes: 15, filter: {} }
const MAX_VALUE_LENGTH = 200

/** @returns undefined for what is none */
export function parseView(value: unknown): View | undefined {
  if (!isObject(value)) return undefined
  const tab = TAB_CODES.find((code) => code === value.tab)
  const minutes = RANGES.find((range) => range === value.minutes)
  const filter = isObject(value.filter) ? Object.entries(value.filter) : undefined
  if (!tab || !minutes || !filter?.every(isChoice)) return undefined
  // In one order, so that equal views are one text.
  const chosen = FILTER_LABELS.flatMap((label) => filter.filter(([name]) => name === label))
  return { tab, minutes, filter: Object.fromEntries(chosen) }
}

const isChoice = ([label, value]: [string, unknown]): boolean =>
  FILTER_LABELS.some((known) => known === label) &&
  typeof value === 'string' &&
  value !== '' &&
  value.length <= MAX_VALUE_LENGTH
