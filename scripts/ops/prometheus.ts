import { ALERT_RULES, type AlertRule, exprOf, routeOf } from '../../src/metrics/alert-rules.ts'
import { durationText } from '../../src/metrics/promql.ts'
import type { Settings } from './settings.ts'
import { yaml } from './yaml.ts'

const TOKEN_FILE = '/run/secrets/metrics-token'

const VALUE: Readonly<Record<AlertRule['unit'], string>> = {
  part: '{{ $value | humanizePercentage }}',
  s: '{{ $value | humanizeDuration }}',
  USD: '{{ printf "%.2f" $value }} USD',
  'USD a second': '{{ printf "%.6f" $value }} USD a second',
  'a second': '{{ $value | humanize }} a second',
}

export const rulesYaml = (): string =>
  yaml({
    groups: [
      {
        name: 'beast',
        rules: ALERT_RULES.map((rule) => ({
          alert: rule.name,
          expr: exprOf(rule),
          for: durationText(rule.forS),
          labels: { severity: rule.severity, route: routeOf(rule) },
          annotations: { summary: rule.summary, description: `Now ${VALUE[rule.unit]}. ${rule.tip}` },
        })),
      },
    ],
  })

/** Each shard counts for itself, so each is an instance of its own although all have one address. */
const SHARD_INSTANCES = [
  { source_labels: ['__address__', '__metrics_path__'], separator: '', target_label: 'instance' },
]

export function prometheusYaml({ gateway: { scheme, address, scrape } }: Settings): string {
  // Prometheus 2.42 asks an http_sd without "Bearer" unless that is said.
  const authorization = { type: 'Bearer', credentials_file: TOKEN_FILE }
  const targets =
    scrape === 'merged'
      ? { static_configs: [{ targets: [address] }] }
      : {
          http_sd_configs: [{ url: `${scheme}://${address}/metrics/targets`, authorization }],
          relabel_configs: SHARD_INSTANCES,
        }
  return yaml({
    global: { scrape_interval: '15s', evaluation_interval: '30s' },
    rule_files: ['/etc/prometheus/beast.rules.yml'],
    alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:9093'] }] }] },
    scrape_configs: [{ job_name: 'beast', scheme, metrics_path: '/metrics', authorization, ...targets }],
  })
}
