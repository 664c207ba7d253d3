import { counterOf, gaugeOf, partOf, type Selection, type Where } from './alert-terms.ts'
import type { CounterName, GaugeName, HistogramName } from './catalogue.ts'
import { durationText, selectorText } from './promql.ts'

export type PanelKind = 'timeseries' | 'gauge' | 'stat' | 'piechart' | 'heatmap' | 'table' | 'bargauge'
export type PanelUnit = 'short' | 'reqps' | 'ops' | 's' | 'bytes' | 'percentunit' | 'currencyUSD'

export interface Panel {
  readonly title: string
  readonly description: string
  readonly expr: string
  readonly kind: PanelKind
  readonly unit: PanelUnit
  /** Labels whose values tell the lines, rows or slices apart. */
  readonly by: readonly string[]
  /** Drawn across: the threshold of an alert. */
  readonly line?: number
}

export interface Dashboard {
  /** Panels are known by this letter and their place, from 1. */
  readonly code: 'P' | 'C' | 'K' | 'S'
  readonly title: string
  readonly uid: string
  readonly refresh: '10s' | '30s' | '1m'
  readonly panels: readonly Panel[]
}

type Look = Partial<Pick<Panel, 'kind' | 'unit' | 'line'>>

/** A panel draws lines in no particular unit unless `look` says more. */
export function panel(title: string, description: string, expr: string, look: Look = {}): Panel {
  const by = /^(?:topk\(10,)?sum by\(([\w,]+)\)/.exec(expr)?.[1]?.split(',') ?? []
  return { title, description, expr, kind: 'timeseries', unit: 'short', by, ...look }
}

/** Which gateway is looked at is chosen above the panels. */
const JOB = ['job=~"$job"']
const text = (of: Selection): string => selectorText(of, JOB)
const each = (of: Selection): string => `rate(${text(of)}[$__rate_interval])`

/** A counter's speed. */
export const speed = <N extends CounterName>(family: N, where?: Where<N>): string =>
  each(counterOf(family, where))
/** That of a histogram's buckets, sum or count. */
export const speedOf = (family: HistogramName, part: 'bucket' | 'sum' | 'count'): string =>
  each(partOf(family, part))
/** The same over a time of its own, where what is watched moves slowly. */
export const speedOver = (family: CounterName, seconds: number): string =>
  `rate(${text(counterOf(family))}[${durationText(seconds)}])`
/** What came to a counter in the time that is shown. */
export const rise = <N extends CounterName>(family: N, where?: Where<N>): string =>
  `increase(${text(counterOf(family, where))}[$__range])`
export const level = <N extends GaugeName>(family: N, where?: Where<N>): string =>
  text(gaugeOf(family, where))

export const sum = (of: string): string => `sum(${of})`
export const sumBy = (labels: string, of: string): string => `sum by(${labels})(${of})`
export const over = (part: string, whole: string): string => `${part} / ${whole}`
export const averageOf = (family: HistogramName): string =>
  over(sum(speedOf(family, 'sum')), sum(speedOf(family, 'count')))
export const quantileOf = (q: number, family: HistogramName): string =>
  `histogram_quantile(${q},${sumBy('le', speedOf(family, 'bucket'))})`
export const top10 = (of: string): string => `topk(10,${of})`
