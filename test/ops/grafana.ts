import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../support/stores.ts'

interface GrafanaPanel {
  readonly id: number
  readonly title: string
  readonly description: string
  readonly type: string
  readonly datasource: { readonly uid: string }
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string
      readonly thresholds: { readonly steps: readonly { readonly value: number | null }[] }
      readonly custom?: { readonly thresholdsStyle: { readonly mode: string } }
    }
  }
  readonly targets: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[]
}

export interface GrafanaDashboard {
  readonly uid: string
  readonly title: string
  readonly refresh: string
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] }
  readonly panels: readonly GrafanaPanel[]
}

export const DASHBOARD_FILES = {
  P: 'beast-performance',
  C: 'beast-cache',
  K: 'beast-cost',
  S: 'beast-system',
} as const

/** As it lies there for Grafana. */
export const readDashboard = (code: keyof typeof DASHBOARD_FILES): GrafanaDashboard =>
  JSON.parse(readFileSync(join(ROOT, `ops/dashboards/${DASHBOARD_FILES[code]}.json`), 'utf8'))
