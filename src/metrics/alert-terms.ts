import type { CounterName, FamilyName, GaugeName, HistogramName, LabelsOf } from './catalogue.ts'

/** Which children of a family are meant: each label named has this value, or any but this. */
export type Where<N extends FamilyName> = {
  readonly [K in keyof LabelsOf<N>]?: LabelsOf<N>[K] | { readonly not: LabelsOf<N>[K] }
}

/** Series of one family; of a histogram its buckets, its sum or its count. */
export interface Selection {
  readonly family: FamilyName
  readonly part: '' | 'bucket' | 'sum' | 'count'
  readonly where: Readonly<Record<string, string | { readonly not: string }>>
}

/**
 * A figure over the last while: one number, or one for each value of the label in `by`. Without a sample it has no
 * value, and neither has what is made of it; a number divided by 0 compares as IEEE 754 says.
 */
export type Term =
  /** Sum of what the series rose by, a second. */
  | { readonly is: 'rate'; readonly of: Selection; readonly windowS: number; readonly offsetS: number }
  /** The largest value that a gauge has now. */
  | { readonly is: 'largest'; readonly of: Selection; readonly by: string }
  /** Of what was observed in the window, read from the buckets: straight between two bounds. */
  | { readonly is: 'quantile'; readonly q: number; readonly of: Selection; readonly windowS: number }
  | { readonly is: 'ratio'; readonly over: Term; readonly under: Term }
  | { readonly is: 'scaled'; readonly of: Term; readonly by: number }

export interface Condition {
  readonly left: Term
  readonly is: '>' | '>=' | '<'
  readonly right: number | Term
}

const select = <N extends FamilyName>(
  family: N,
  where: Where<N> | undefined,
  part: Selection['part'],
): Selection => ({ family, part, where: (where ?? {}) as Selection['where'] })

export const counterOf = <N extends CounterName>(family: N, where?: Where<N>): Selection =>
  select(family, where, '')
export const gaugeOf = <N extends GaugeName>(family: N, where?: Where<N>): Selection =>
  select(family, where, '')
export const partOf = <N extends HistogramName>(
  family: N,
  part: 'bucket' | 'sum' | 'count',
  where?: Where<N>,
): Selection => select(family, where, part)

const MINUTE_S = 60

export const rate = (of: Selection, windowS = 5 * MINUTE_S, offsetS = 0): Term => ({
  is: 'rate',
  of,
  windowS,
  offsetS,
})
export const quantile = (q: number, family: HistogramName, windowS = 5 * MINUTE_S): Term => ({
  is: 'quantile',
  q,
  of: partOf(family, 'bucket'),
  windowS,
})
export const average = (family: HistogramName): Term =>
  ratio(rate(partOf(family, 'sum')), rate(partOf(family, 'count')))
export const largest = <N extends GaugeName>(
  family: N,
  by: keyof LabelsOf<N> & string,
  where?: Where<N>,
): Term => ({ is: 'largest', of: gaugeOf(family, where), by })
export const ratio = (over: Term, under: Term): Term => ({ is: 'ratio', over, under })
export const scaled = (of: Term, by: number): Term => ({ is: 'scaled', of, by })
