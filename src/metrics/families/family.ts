/** Who knows the names of a label whose values are not fixed here. `build`: this program's own, never unknown. */
export type Vocabulary = 'provider' | 'model' | 'tool' | 'agent' | 'source' | 'tenant' | 'build'

/** All values that a label may have, or who knows them. Every label may also be `none`: it does not apply. */
export type LabelRule = readonly string[] | { readonly names: Vocabulary }

export type LabelRules = Readonly<Record<string, LabelRule>>

interface Common<L extends LabelRules> {
  readonly help: string
  /**
   * What the product promises to measure with it: P performance, C cache, Q quality, K cost, B business, S system,
   * each numbered; otherwise the need in a word.
   */
  readonly covers: string
  /** Their order is that of a series' name. */
  readonly labels: L
}

export interface Counter<L extends LabelRules = LabelRules> extends Common<L> {
  readonly type: 'counter'
}
export interface Gauge<L extends LabelRules = LabelRules> extends Common<L> {
  readonly type: 'gauge'
}
export interface Histogram<L extends LabelRules = LabelRules> extends Common<L> {
  readonly type: 'histogram'
  /** Upper bounds, each inclusive, ascending; what lies above the last is counted too. */
  readonly buckets: readonly number[]
}

export type Family = Counter | Gauge | Histogram

export const counter = <const L extends LabelRules>(help: string, covers: string, labels: L): Counter<L> => ({
  type: 'counter',
  help,
  covers,
  labels,
})

export const gauge = <const L extends LabelRules>(help: string, covers: string, labels: L): Gauge<L> => ({
  type: 'gauge',
  help,
  covers,
  labels,
})

export const histogram = <const L extends LabelRules>(
  help: string,
  covers: string,
  buckets: readonly number[],
  labels: L,
): Histogram<L> => ({ type: 'histogram', help, covers, buckets, labels })
