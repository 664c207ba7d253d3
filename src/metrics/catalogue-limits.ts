import {
  CATALOGUE,
  FAMILY_NAMES,
  type FamilyName,
  familyOf,
  isFamily,
  type LabelsOf,
  NONE,
  nameSeries,
  OTHER,
} from './catalogue.ts'
import type { LabelRule, Vocabulary } from './families/family.ts'
import type { MetricsSnapshot } from './snapshot.ts'

/** Series as a scraper counts them: a histogram has one a bucket, and three more. */
export const MAX_SERIES = 20_000

/** The names that exist. Of a vocabulary that is not here nothing is known. Asked at each count. */
export type KnownNames = Readonly<Partial<Record<Vocabulary, { has(name: string): boolean }>>>

/** A series whose labels are bounded: a name that nobody knows is `other`, and so is a value that no rule lists. */
export const boundedSeries = <N extends FamilyName>(
  family: N,
  labels: LabelsOf<N>,
  known: KnownNames,
): string => nameSeries(family, labels, (rule, value) => (isAllowed(rule, value, known) ? value : OTHER))

function isAllowed(rule: LabelRule, value: string, known: KnownNames): boolean {
  if (value === NONE) return true
  if (!('names' in rule)) return rule.includes(value)
  return rule.names === 'build' || known[rule.names]?.has(value) === true
}

/**
 * Keeps the number of series bounded: a new child past `max` becomes the one of its family whose open labels are all
 * `other`. Those are few, so they are let in at any time.
 * @returns a function from a series to the one to count it under; where they differ, count a
 * `telemetry_dropped_total{reason="cardinality"}`
 */
export function seriesLimit(max = MAX_SERIES): (series: string) => string {
  const admitted = new Set<string>()
  let total = 0
  return (series) => {
    if (admitted.has(series)) return series
    const size = sizeOf(series)
    if (total + size > max) return folded(series)
    admitted.add(series)
    total += size
    return series
  }
}

function folded(series: string): string {
  const read = readSeries(series)
  if (!read) return series
  return nameSeries(read.family, read.labels, (rule, value) =>
    'names' in rule && value !== NONE ? OTHER : value,
  )
}

function sizeOf(series: string): number {
  const name = baseName(series)
  const family = isFamily(name) ? familyOf(name) : undefined
  return family?.type === 'histogram' ? family.buckets.length + 3 : 1
}

export const baseName = (series: string): string => {
  const brace = series.indexOf('{')
  return brace < 0 ? series : series.slice(0, brace)
}

/** What a series' name says; undefined for one that this catalogue does not have. */
export function readSeries(
  series: string,
): { family: FamilyName; labels: Readonly<Record<string, string>> } | undefined {
  const family = baseName(series)
  if (!isFamily(family)) return undefined
  const pairs = series.slice(family.length).matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)
  const labels = Object.fromEntries([...pairs].map(([, label = '', value = '']) => [label, unescaped(value)]))
  return nameSeries(family, labels) === series ? { family, labels } : undefined
}

const unescaped = (value: string): string =>
  value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))

/** Labels whose every value exists from the start: the speed of a counter misses its first step. */
const ENDS = ['outcome', 'result', 'reason']

/** What every exposition begins with: one child at 0 for each end that a thing may have, its other labels `none`. */
export const ZEROS: MetricsSnapshot = {
  counters: Object.fromEntries(
    FAMILY_NAMES.filter((name) => CATALOGUE[name].type === 'counter').flatMap((name) =>
      zeroChildren(name).map((series) => [series, 0]),
    ),
  ),
  gauges: {},
  histograms: {},
}

function zeroChildren(name: FamilyName): readonly string[] {
  const rules = Object.entries(familyOf(name).labels)
  if (rules.length === 0) return [name]
  return rules
    .filter(([label]) => ENDS.includes(label))
    .flatMap(([label, rule]) =>
      ('names' in rule ? [] : rule).map((value) => nameSeries(name, { [label]: value })),
    )
}
