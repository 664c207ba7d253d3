import { DASHBOARDS } from '../../src/metrics/panels.ts'
import { alertmanagerYaml } from './alertmanager.ts'
import { composeYaml } from './compose.ts'
import { dashboardJson, dashboardProvider, datasources } from './grafana.ts'
import { guide } from './guide.ts'
import { prometheusYaml, rulesYaml } from './prometheus.ts'
import type { Settings } from './settings.ts'

const NOTE = '# Made by npm run ops: change the catalogue in src/metrics, or ops/settings.json.\n'

export const SETTINGS_PATH = 'ops/settings.json'
export const DASHBOARD_FOLDER = 'ops/dashboards'

/** Every file that is made for operators, by its path from the root. */
export function opsFiles(settings: Settings): ReadonlyMap<string, string> {
  return new Map([
    ...DASHBOARDS.map((dashboard): [string, string] => [
      `${DASHBOARD_FOLDER}/${dashboard.uid}.json`,
      dashboardJson(dashboard),
    ]),
    ['ops/beast.rules.yml', NOTE + rulesYaml()],
    ['ops/prometheus.yml', NOTE + prometheusYaml(settings)],
    ['ops/alertmanager.yml', NOTE + alertmanagerYaml(settings)],
    ['ops/docker-compose.yml', NOTE + composeYaml()],
    ['ops/grafana/dashboards/beast.yml', NOTE + dashboardProvider()],
    ['ops/grafana/datasources/beast.yml', NOTE + datasources()],
    ['docs/metrics.md', guide()],
  ])
}
