import type { StrategyName } from '../../src/warming/plan.ts'
import type { ReplayReport } from './replay.ts'

export interface Comparison {
  readonly headings: readonly string[]
  /** One way of warming a row. */
  readonly rows: readonly (readonly string[])[]
  readonly notes: readonly string[]
}

/** The reports of one trace beside one another; what warming added is against the report without any. */
export function comparison(reports: readonly (readonly [StrategyName, ReplayReport])[]): Comparison {
  const byName = new Map(reports)
  const none = byName.get('none')
  const added = (report: ReplayReport) => (none ? `+${report.hits - none.hits}` : '-')
  const rows = reports.map(([name, report]) => [
    name,
    `${report.hits}/${report.requests}`,
    percent(report.hits / report.requests),
    added(report),
    Object.values(report.by_tier).join('/'),
    percent(report.false_hits / Math.max(1, report.hits)),
    String(report.upstream_calls),
    String(report.warm_calls),
    `$${report.warm_cost_usd.toFixed(2)}`,
    String(report.first_mean_ms),
    String(report.first_p95_ms),
  ])
  const headings = [
    'WARM',
    'EXACT HITS',
    'RATE',
    'ADDED',
    'MEMORY/KV/REDIS/SUPABASE',
    'FALSE',
    'UPSTREAM',
    'WARM CALLS',
    'EXTRA SPEND',
    'FIRST MEAN MS',
    'FIRST P95 MS',
  ]
  return { headings, rows, notes: notes(none, byName.get('frequent'), byName.get('forecast')) }
}

function notes(none?: ReplayReport, frequent?: ReplayReport, forecast?: ReplayReport): string[] {
  if (!none || !frequent || !forecast) return []
  const [more, usual] = [forecast.hits - none.hits, frequent.hits - none.hits]
  const perDollar = more / forecast.warm_cost_usd / (usual / frequent.warm_cost_usd)
  const change = (after: number, before: number) => percent(after / before - 1)
  return [
    `forecast adds ${ratio(more / usual)} times the hits of frequent, ${ratio(perDollar)} times as many a dollar.`,
    `First requests after a night: mean ${change(forecast.first_mean_ms, none.first_mean_ms)}, ` +
      `p95 ${change(forecast.first_p95_ms, none.first_p95_ms)} against none.`,
  ]
}

const percent = (share: number): string => `${(Number.isFinite(share) ? share * 100 : 0).toFixed(2)} %`
const ratio = (times: number): string => (Number.isFinite(times) ? times.toFixed(2) : '-')
