import { CACHE } from './families/cache.ts'
import { BUDGETS, BUSINESS, COST } from './families/cost.ts'
import type { Counter, Family, Gauge, Histogram, LabelRule } from './families/family.ts'
import { LEARNING, QUALITY } from './families/quality.ts'
import { REQUESTS } from './families/requests.ts'
import { SYSTEM } from './families/system.ts'

/** Stands before every name wherever others see it. */
export const PREFIX = 'beast_'

/** Every metric once. What is exposed, the dashboards, the alert rules and the guide are made from it. */
export const CATALOGUE = {
  ...REQUESTS,
  ...CACHE,
  ...QUALITY,
  ...COST,
  ...BUSINESS,
  ...SYSTEM,
  ...LEARNING,
  ...BUDGETS,
} as const satisfies Readonly<Record<string, Family>>

type Catalogue = typeof CATALOGUE
export type FamilyName = keyof Catalogue
type NamesOf<F> = { [N in FamilyName]: Catalogue[N] extends F ? N : never }[FamilyName]
export type CounterName = NamesOf<Counter>
export type GaugeName = NamesOf<Gauge>
export type HistogramName = NamesOf<Histogram>

/** A label that does not apply. */
export const NONE = 'none'
/** A name that nobody knows, or one too many. */
export const OTHER = 'other'

type ValueOf<R extends LabelRule> = R extends readonly (infer V extends string)[] ? V | typeof NONE : string
type Rules<N extends FamilyName> = Catalogue[N]['labels']
export type LabelsOf<N extends FamilyName> = {
  readonly [K in keyof Rules<N>]: Rules<N>[K] extends LabelRule ? ValueOf<Rules<N>[K]> : never
}
/** What follows a family's name: its labels, or nothing where it has none. */
export type LabelArguments<N extends FamilyName> = keyof Rules<N> extends never ? [] : [labels: LabelsOf<N>]

export const FAMILY_NAMES = Object.keys(CATALOGUE) as FamilyName[]

export const isFamily = (name: string): name is FamilyName => Object.hasOwn(CATALOGUE, name)
export const familyOf = (name: FamilyName): Family => CATALOGUE[name]

/** What stands before each label's value. */
const PLACES = new Map<string, readonly { label: string; rule: LabelRule; before: string }[]>(
  FAMILY_NAMES.map((name) => [
    name,
    Object.entries<LabelRule>(CATALOGUE[name].labels).map(([label, rule], place) => ({
      label,
      rule,
      before: `${place === 0 ? `${name}{` : '",'}${label}="`,
    })),
  ]),
)

/**
 * The name of a series, as a snapshot and the exposition have it.
 * @example seriesName('cache_evictions_total', { tier: 'memory', reason: 'ttl' })
 * // cache_evictions_total{tier="memory",reason="ttl"}
 */
export function seriesName<N extends FamilyName>(family: N, ...[labels]: LabelArguments<N>): string {
  return nameSeries(family, labels ?? {})
}

/**
 * The same for labels that were read, not written down. One that is missing or empty is `none`.
 * @param change what to put in place of a value
 */
export function nameSeries(
  family: FamilyName,
  labels: Readonly<Record<string, string | undefined>>,
  change?: (rule: LabelRule, value: string) => string,
): string {
  let text = ''
  for (const { label, rule, before } of PLACES.get(family) ?? []) {
    const value = labels[label] || NONE
    text += before + escapeLabel(change ? change(rule, value) : value)
  }
  return text ? `${text}"}` : family
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }
const PLAIN = /^[\w.:/@+ -]*$/

/** A scraper takes half a surrogate pair for one and the same character, and ends its reading at a zero. */
export function escapeLabel(value: string): string {
  if (PLAIN.test(value)) return value
  const readable = value.toWellFormed().replaceAll('\0', '\ufffd')
  return readable.replace(/[\\"\n]/g, (found) => ESCAPES[found] ?? found)
}

/** The bucket that a value falls into; the last is for what lies above every bound. */
export function bucketOf(family: HistogramName, value: number): number {
  const { buckets } = CATALOGUE[family]
  const place = buckets.findIndex((bound) => value <= bound)
  return place < 0 ? buckets.length : place
}
