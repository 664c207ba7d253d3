import { ALERT_RULES, exprOf, routeOf } from '../../src/metrics/alert-rules.ts'
import { PREFIX } from '../../src/metrics/catalogue.ts'
import { CACHE } from '../../src/metrics/families/cache.ts'
import { BUDGETS, BUSINESS, COST } from '../../src/metrics/families/cost.ts'
import type { Family, LabelRule } from '../../src/metrics/families/family.ts'
import { LEARNING, QUALITY } from '../../src/metrics/families/quality.ts'
import { REQUESTS } from '../../src/metrics/families/requests.ts'
import { SYSTEM } from '../../src/metrics/families/system.ts'
import { DASHBOARDS } from '../../src/metrics/panels.ts'
import type { Dashboard } from '../../src/metrics/panels-parts.ts'
import { durationText } from '../../src/metrics/promql.ts'

const AREAS: Readonly<Record<string, Readonly<Record<string, Family>>>> = {
  Requests: REQUESTS,
  Cache: CACHE,
  'Quality and learning': { ...QUALITY, ...LEARNING },
  'Cost and tenants': { ...COST, ...BUSINESS, ...BUDGETS },
  System: SYSTEM,
}

/** docs/metrics.md: what is written by hand here, and tables of what the catalogue says. */
export const guide = (): string =>
  `${[
    INTRODUCTION,
    '## Dashboards',
    ...DASHBOARDS.map(dashboardSection),
    '## Alerts',
    ALERTS,
    table(
      ['Alert', 'When', 'For', 'Severity', 'To'],
      ALERT_RULES.map((rule) => [
        rule.name,
        code(exprOf(rule).replaceAll(PREFIX, '')),
        durationText(rule.forS),
        rule.severity,
        routeOf(rule).replaceAll('-', ', '),
      ]),
    ),
    '## Metrics',
    METRICS,
    ...Object.entries(AREAS).map(([area, families]) => `### ${area}\n\n${familyTable(families)}`),
  ].join('\n\n')}\n`

const INTRODUCTION = `# Metrics, dashboards and alerts

\`/metrics\` speaks Prometheus' text format, and OpenMetrics with exemplars (\`trace_id\`) to those that ask for it. Dashboards, alert
rules and this page are made from one catalogue, \`src/metrics/catalogue.ts\`, by \`npm run ops\`; \`npm run ops -- --check\` fails where
one of them is stale.

## See it

\`\`\`sh
mkdir -m 700 -p ops/secrets && cd ops/secrets
touch slack-url pagerduty-key smtp-password                   # an empty one: that channel stays silent, and Alertmanager's log says so
printf %s "$METRICS_TOKEN" > metrics-token                    # the one that the gateway has
openssl rand -base64 24 > grafana-password
chmod 644 *                                                   # the programs run as users of their own; the folder is closed
cd .. && docker compose up -d                                 # Grafana: http://127.0.0.1:3000, user admin
\`\`\`

Prometheus, Alertmanager and Grafana listen on loopback only, on the host's network (Docker Desktop: switch host networking on).
Which gateway they watch, and where mail goes, stands in \`ops/settings.json\`; run \`npm run ops\` after a change:

\`\`\`json
{
  "gateway": { "scheme": "https", "address": "gateway.example.com:443", "scrape": "merged" },
  "email": { "smarthost": "smtp.example.com:587", "username": "beast", "from": "beast@example.com", "to": "on-call@example.com" }
}
\`\`\`

With \`"scrape": "shards"\` Prometheus reads each shard by itself, as \`/metrics/targets\` lists them; never read both the shards and the
merged \`/metrics\` in one job, or everything counts twice. The dashboards can also be imported one by one.`

const ALERTS = `The gateway watches these by itself, and tells the channels: [alerts](alerts.md) says how, and what to do about each. Where
Prometheus does it instead, Alertmanager sends an alert to each channel that its label \`route\` names. Names are without \`${PREFIX}\`.`

const METRICS = `Names are without \`${PREFIX}\`. Units are seconds, bytes, dollars, and parts of one. A label that does not apply is \`none\`; a name that
nobody knows is \`other\`, and so is a new one past 20,000 series (\`telemetry_dropped_total{reason="cardinality"}\`). Tenants are the
hundred largest. No label holds a user, a key, a prompt or an address. The clock of a deployed Worker stands still between I/O:
seconds miss what was computed in between.`

const dashboardSection = ({ code: letter, title, uid, refresh, panels }: Dashboard): string =>
  `### ${title}\n\n\`ops/dashboards/${uid}.json\`, anew every ${refresh}.\n\n` +
  table(
    ['', 'Panel', 'Shows', 'Unit', 'Kind'],
    panels.map(({ title: name, description, unit, kind }, place) => [
      `${letter}${place + 1}`,
      name,
      description,
      unit,
      kind,
    ]),
  )

const familyTable = (families: Readonly<Record<string, Family>>): string =>
  table(
    ['Name', 'Type', 'Labels', 'Counts', 'For'],
    Object.entries(families).map(([name, family]) => [
      code(name),
      family.type,
      Object.entries(family.labels).map(labelText).join('<br>'),
      family.help,
      family.covers,
    ]),
  )

/** A list that is longer is told in full elsewhere. */
const SHORT = 10

function labelText([label, rule]: readonly [string, LabelRule]): string {
  if ('names' in rule)
    return `\`${label}\`: ${rule.names === 'build' ? "the build's" : `known ${rule.names}s`}`
  if (rule.length > SHORT) return `\`${label}\`: a code of [errors](errors.md)`
  return `\`${label}\`: ${rule.join(' ')}`
}

const code = (text: string): string => `\`${text}\``

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
