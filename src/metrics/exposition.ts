import { bucketOf, FAMILY_NAMES, familyOf, type HistogramName, PREFIX } from './catalogue.ts'
import { baseName, ZEROS } from './catalogue-limits.ts'
import type { Histogram } from './families/family.ts'
import type { HistogramCounts, MetricsSnapshot } from './snapshot.ts'

export const TEXT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** One request behind a count: where to look when the figure is odd. */
export interface Exemplar {
  readonly traceId: string
  readonly value: number
  /** Milliseconds since the epoch. */
  readonly atMs?: number
}

/** By series, as a snapshot names them: of counters and histograms. The last of a bucket is shown. */
export type Exemplars = Readonly<Record<string, readonly Exemplar[]>>

/** Prometheus' text format 0.0.4. @see https://prometheus.io/docs/instrumenting/exposition_formats */
export const renderText = (snapshot: MetricsSnapshot): string => render(snapshot, (name) => name, {}, '')

/** OpenMetrics 1.0, which also has exemplars. @see https://prometheus.io/docs/specs/om/open_metrics_spec */
export const renderOpenMetrics = (snapshot: MetricsSnapshot, exemplars: Exemplars = {}): string =>
  render(snapshot, (name) => name.replace(/_total$/, ''), exemplars, '# EOF\n')

/**
 * A series that the catalogue does not have is left out, and so is a histogram with other buckets: while versions
 * change, a snapshot may come from the one before or after.
 */
function render(
  snapshot: MetricsSnapshot,
  headName: (name: string) => string,
  exemplars: Exemplars,
  end: string,
): string {
  const counters = byFamily({ ...ZEROS.counters, ...snapshot.counters })
  const gauges = byFamily(snapshot.gauges)
  const histograms = byFamily(snapshot.histograms)
  const lines: string[] = []
  for (const name of FAMILY_NAMES) {
    const family = familyOf(name)
    const head = PREFIX + headName(name)
    lines.push(`# HELP ${head} ${escapeHelp(family.help)}`, `# TYPE ${head} ${family.type}`)
    if (family.type === 'histogram') {
      for (const [series, counts] of histograms.get(name) ?? [])
        lines.push(...histogramLines(name as HistogramName, family, series, counts, exemplars[series] ?? []))
    } else {
      for (const [series, value] of (family.type === 'counter' ? counters : gauges).get(name) ?? []) {
        const exemplar = family.type === 'counter' ? exemplars[series]?.at(-1) : undefined
        lines.push(`${PREFIX}${series} ${number(value)}${exemplarText(exemplar)}`)
      }
    }
  }
  return `${lines.join('\n')}\n${end}`
}

function byFamily<T>(values: Readonly<Record<string, T>>): ReadonlyMap<string, readonly [string, T][]> {
  return Map.groupBy(Object.entries(values), ([series]) => baseName(series))
}

function histogramLines(
  name: HistogramName,
  { buckets }: Histogram,
  series: string,
  { counts, sum }: HistogramCounts,
  exemplars: readonly Exemplar[],
): readonly string[] {
  if (counts.length !== buckets.length + 1) return []
  const inside = series.slice(name.length + 1, -1)
  const shown = new Map(exemplars.map((exemplar) => [bucketOf(name, exemplar.value), exemplar]))
  let below = 0
  const lines = counts.map((count, place) => {
    below += count
    const labels = `${inside}${inside && ','}le="${edge(buckets[place])}"`
    return `${PREFIX}${name}_bucket{${labels}} ${number(below)}${exemplarText(shown.get(place))}`
  })
  const labels = inside && `{${inside}}`
  lines.push(
    `${PREFIX}${name}_sum${labels} ${number(sum)}`,
    `${PREFIX}${name}_count${labels} ${number(below)}`,
  )
  return lines
}

/**
 * OpenMetrics wants "1.0"; the older format takes it too, and so a series has one name whichever way it was scraped.
 */
function edge(bound: number | undefined): string {
  if (bound === undefined) return '+Inf'
  return Number.isInteger(bound) ? bound.toFixed(1) : String(bound)
}

function number(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}

/** A trace's id is hexadecimal; what is not would break the line, and no trace has it. */
function exemplarText(exemplar: Exemplar | undefined): string {
  if (!exemplar || !TRACE_ID.test(exemplar.traceId)) return ''
  const { traceId, value, atMs } = exemplar
  return ` # {trace_id="${traceId}"} ${number(value)}${atMs === undefined ? '' : ` ${atMs / 1000}`}`
}

const TRACE_ID = /^[\da-f]{16,32}$/

const escapeHelp = (help: string): string => help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
