import { DASHBOARDS } from '../metrics/panels.ts'
import type { Panel } from '../metrics/panels-parts.ts'
import { CUSTOM_MODEL_PANELS } from './custom-model-panels.ts'
import { type Expr, parsePromql, selectorsOf } from './promql.ts'
import { hasLabel, meaningOf } from './timeline.ts'

export const TAB_CODES = ['P', 'C', 'K', 'S', 'M', 'O'] as const
export type TabCode = (typeof TAB_CODES)[number]

/** A panel as the page shows it; the same as on the dashboards for Grafana. */
export interface PagePanel extends Panel {
  /** Of its tab, and its place from 1: `P3`. */
  readonly code: string
  readonly query: Expr
  /** Labels that all of its series have, so that a choice of one of them holds for the panel. */
  readonly filters: readonly string[]
  /** Drawn over time; otherwise it is only known now, or is of all the time that is shown. */
  readonly hasTrend: boolean
}

export interface Tab {
  readonly code: TabCode
  readonly title: string
  readonly short: string
  readonly panels: readonly PagePanel[]
}

/** What can be chosen above the panels. */
export const FILTER_LABELS = ['mode', 'model', 'tenant'] as const
export type FilterLabel = (typeof FILTER_LABELS)[number]

const paged = (code: TabCode, panels: readonly Panel[]): PagePanel[] =>
  panels.map((panel, i) => {
    const query = parsePromql(panel.expr)
    const hasTrend = panel.kind === 'timeseries' || panel.kind === 'heatmap' || isOneSpeed(panel)
    return { ...panel, code: `${code}${i + 1}`, query, filters: filtersOf(query), hasTrend }
  })

/** One figure whose past is known: it is drawn as well. */
const isOneSpeed = ({ kind, expr }: Panel): boolean =>
  (kind === 'gauge' || kind === 'stat') && expr.includes('$__rate_interval')

function filtersOf(query: Expr): string[] {
  const families = selectorsOf(query).map(({ name }) => meaningOf(name)?.family)
  return FILTER_LABELS.filter((label) => families.every((family) => family && hasLabel(family, label)))
}

const SHORT: Readonly<Record<string, string>> = {
  P: 'Performance',
  C: 'Cache',
  K: 'Cost',
  S: 'System',
}

export const TABS: readonly Tab[] = [
  ...DASHBOARDS.map(({ code, title, panels }) => ({
    code,
    title,
    short: SHORT[code] ?? title,
    panels: paged(code, panels),
  })),
  { code: 'M', title: 'Custom Models', short: 'Custom models', panels: paged('M', CUSTOM_MODEL_PANELS) },
  { code: 'O', title: 'Objectives', short: 'Objectives', panels: [] },
]

export const tabOf = (code: TabCode): Tab => TABS.find((tab) => tab.code === code) as Tab

const ALL = new Map(TABS.flatMap(({ panels }) => panels.map((panel) => [panel.code, panel] as const)))
export const panelOf = (code: string): PagePanel | undefined => ALL.get(code)

/** Stand above every tab. */
export const VITALS = ['P1', 'P3', 'P5', 'C1', 'K1'] as const
