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
    '### How they come about',
    FIGURES,
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

const FIGURES = `- **What the cache holds.** Memory knows. KV, Redis and Supabase cannot say cheaply, so their entries and bytes are what the
  tiers' own writes and removals add up to. Each write is noted with the minute in which it ends, in the shard that counts it, and
  is gone with that minute. An entry that is written over before it ends counts twice until the older one ends, and one that KV
  deletes is taken out for the longest that it could have lived. Supabase is counted each hour, and the sum set right by it: pruning
  and the end of a tenant are known only there. \`${PREFIX}cache_capacity_entries\` is \`CACHE_MEMORY_ENTRIES\` (1,000, of each
  isolate) and \`CACHE_PLANNED_ENTRIES\` (10,000).
- **Pools.** There are no permits of our own. In use are the calls that wait for the head of an answer, of which the platform allows
  six to each request; what there is at most is therefore six times the requests that are open.
- **Probes.** The scheduler has the gateway try its stores, and the lists of models of its providers, each minute. \`upstream\` is 1 when
  one provider answers. A gateway that no probe has come from for two and a half minutes is 0, and of the others nothing is said.
- **Quality.** What the form of an answer tells: it was not cut at the token limit, it is no refusal, it says something; and where JSON was
  asked for, it is JSON with the fields that its schema requires. The score is the part of these that it passed; it stands in
  \`ml_predictions\` as \`features ->> 'checks_score'\`. A rating adds its own score, without a mode, and in SQL a rating is what counts:
  see \`quality_feedback\`. Below 0.8 an answer counts as \`low_quality\` among the warnings.
- **Budgets.** The fullest budget of a tenant, asked of its account once a minute by each isolate that spends for it. From 0.9 on its
  answers count as \`budget_near\`.
- **Writes.** A record counts once its end is known: stored, or among the dead letters. One that comes again after it was stored, because
  its acknowledgement was lost, counts again. What waits is what isolates hold and what the recorder put back lately; outboxes of
  accounts and the queue's own backlog are not in it.
- **What has no family.** How close predicted quality came to ratings is in Supabase (view \`prediction_accuracy\`), because
  ratings come days after. How well selection keeps to its policy is measured by the tests. Experiments have not run yet, so there
  is no figure of what they improved.`

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
