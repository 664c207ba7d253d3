import { PREFIX } from '../../src/metrics/catalogue.ts'
import type { Dashboard, Panel, PanelKind } from '../../src/metrics/panels-parts.ts'
import { yaml } from './yaml.ts'

const DATASOURCE = { type: 'prometheus', uid: '$' + '{datasource}' }
const SCHEMA_VERSION = 39
/** Grafana's grid has 24 columns. */
const [WIDTH, HEIGHT] = [8, 8]
const IN_A_ROW = 24 / WIDTH

const LAST = { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false } }
const OPTIONS: Readonly<Record<PanelKind, object>> = {
  timeseries: {
    legend: { displayMode: 'list', placement: 'bottom' },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  gauge: LAST,
  stat: { ...LAST, colorMode: 'value', graphMode: 'area' },
  bargauge: { ...LAST, orientation: 'horizontal', displayMode: 'basic' },
  piechart: {
    ...LAST,
    pieType: 'donut',
    legend: { displayMode: 'table', placement: 'right', values: ['value', 'percent'] },
  },
  heatmap: { calculate: false, color: { mode: 'scheme', scheme: 'Oranges', steps: 64 }, cellGap: 1 },
  table: { sortBy: [{ displayName: 'Value', desc: true }] },
}

/** One of Grafana's dashboards, for its file provider or its import page. */
export function dashboardJson({ title, uid, refresh, panels }: Dashboard): string {
  const dashboard = {
    uid,
    title,
    description: 'Made by npm run ops: change it there.',
    tags: ['beast'],
    refresh,
    schemaVersion: SCHEMA_VERSION,
    editable: true,
    graphTooltip: 1,
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [datasourceVariable, jobVariable] },
    panels: panels.map(panelJson),
  }
  return `${JSON.stringify(dashboard, null, 2)}\n`
}

const datasourceVariable = {
  name: 'datasource',
  label: 'Data source',
  type: 'datasource',
  query: 'prometheus',
}

const jobVariable = {
  name: 'job',
  label: 'Gateway',
  type: 'query',
  datasource: DATASOURCE,
  query: { query: `label_values(${PREFIX}requests_total, job)`, refId: 'job' },
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.*',
  current: { text: 'All', value: '$__all' },
}

function panelJson(panel: Panel, place: number): object {
  const { title, description, kind, unit } = panel
  const column = place % IN_A_ROW
  return {
    id: place + 1,
    title,
    description,
    type: kind,
    datasource: DATASOURCE,
    gridPos: { x: column * WIDTH, y: ((place - column) / IN_A_ROW) * HEIGHT, w: WIDTH, h: HEIGHT },
    fieldConfig: { defaults: fieldDefaults(panel), overrides: [] },
    options: kind === 'heatmap' ? { ...OPTIONS.heatmap, yAxis: { unit } } : OPTIONS[kind],
    targets: [targetOf(panel)],
    ...(kind === 'table' && {
      transformations: [{ id: 'organize', options: { excludeByName: { Time: true } } }],
    }),
  }
}

function fieldDefaults({ kind, unit, line }: Panel): object {
  const steps = [
    { color: 'green', value: null },
    ...(line === undefined ? [] : [{ color: 'red', value: line }]),
  ]
  const isMeter = kind === 'gauge' || kind === 'bargauge'
  return {
    unit,
    ...(kind !== 'heatmap' && { min: 0 }),
    ...(isMeter && unit === 'percentunit' && { max: 1 }),
    thresholds: { mode: 'absolute', steps },
    ...(line !== undefined && { custom: { thresholdsStyle: { mode: 'line' } } }),
  }
}

function targetOf({ expr, kind, by, title }: Panel): object {
  // What sums up the whole time shown is one figure, not a line of them.
  const instant = kind === 'table' || kind === 'piechart' || expr.includes('[$__range]')
  return {
    refId: 'A',
    datasource: DATASOURCE,
    expr,
    instant,
    range: !instant,
    format: kind === 'table' || kind === 'heatmap' ? kind : 'time_series',
    legendFormat: by.length === 0 ? title : by.map((label) => `{{${label}}}`).join(' '),
  }
}

export const dashboardProvider = (): string =>
  yaml({
    apiVersion: 1,
    providers: [
      {
        name: 'beast',
        folder: 'BEAST MODE Edge',
        type: 'file',
        options: { path: '/etc/grafana/dashboards' },
      },
    ],
  })

export const datasources = (): string =>
  yaml({
    apiVersion: 1,
    datasources: [
      {
        name: 'Prometheus',
        uid: 'beast-prometheus',
        type: 'prometheus',
        access: 'proxy',
        url: 'http://127.0.0.1:9090',
        isDefault: true,
      },
    ],
  })
