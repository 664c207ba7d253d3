import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { prometheusYaml } from '../../scripts/ops/prometheus.ts'
import { readSettings } from '../../scripts/ops/settings.ts'
import { ALERT_RULES, type AlertRule, exprOf, routeOf } from '../../src/metrics/alert-rules.ts'
import { amtoolPresent, describeWith, promtoolPresent } from '../support/require.ts'
import { ROOT } from '../support/stores.ts'
import { ALERT_CASES, type AlertCase, type Course } from './alert-cases.ts'
import { DASHBOARD_FILES, readDashboard } from './grafana.ts'

const RULES = join(ROOT, 'ops/beast.rules.yml')
const dir = mkdtempSync(join(tmpdir(), 'beast-rules-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function run(program: string, ...words: string[]) {
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' })
  return { status, stdout, said: stdout + stderr }
}
/** JSON is YAML. */
function file(name: string, content: unknown): string {
  const path = join(dir, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** As promised: name, expression without prefix, seconds, severity, route. */
const PROMISED = `
HighErrorRate|sum(r(requests_total{outcome="error"}))/sum(r(requests_total))>0.05 and sum(r(requests_total))>0.05|300|warning|slack-pagerduty
HighLatency|histogram_quantile(0.95,sum by(le)(r(request_duration_seconds_bucket)))>10|300|warning|slack
VeryHighLatency|histogram_quantile(0.99,sum by(le)(r(request_duration_seconds_bucket)))>30|300|critical|pagerduty
LowCacheHitRate|sum(r(cache_lookups_total{result="hit"}))/sum(r(cache_lookups_total{result!="bypass"}))<0.4 and sum(r(cache_lookups_total))>0.05|900|warning|slack
CacheNearCapacity|max by(tier)(cache_entries{tier!="memory"})/max by(tier)(cache_capacity_entries{tier!="memory"})>0.95|600|warning|slack
HighCacheEvictionRate|sum(r(cache_evictions_total{reason="capacity"}))>10|600|warning|slack
HighDailyCost|sum(rate(cost_usd_total[1h]))*86400>100|3600|warning|email
SuddenCostSpike|sum(rate(cost_usd_total[10m]))>=sum(rate(cost_usd_total[1h] offset 1h))*2 and sum(rate(cost_usd_total[10m]))*3600>1|600|critical|pagerduty-email
LowQualityScore|sum(r(quality_score_ratio_sum))/sum(r(quality_score_ratio_count))<0.8|600|warning|slack
HighDegradationRate|sum(r(degraded_responses_total))/sum(r(requests_total{outcome="success"}))>0.2|600|warning|slack
ToolFailureRateHigh|sum(r(tool_executions_total{outcome="error"}))/sum(r(tool_executions_total))>0.1|600|warning|slack
RAGFailureRateHigh|sum(r(rag_retrievals_total{outcome="error"}))/sum(r(rag_retrievals_total))>0.05|600|critical|pagerduty`
  .trim()
  .split('\n')

const inShort = (expr: string): string =>
  expr
    .replaceAll('beast_', '')
    .replace(/rate\(([^[\]]+)\[5m\]\)/g, 'r($1)')
    .replace(/ (\/|\*|>=?|<) /g, '$1')

it('the twelve alerts are as promised', () => {
  const rules = ALERT_RULES.map((rule) =>
    [rule.name, inShort(exprOf(rule)), rule.forS, rule.severity, routeOf(rule)].join('|'),
  )
  expect(rules).toEqual(PROMISED)
})

/** A test for promtool: at which minute the alert waits or fires, or that it does neither. */
function at(minute: number, { name, severity, channels }: AlertRule, state: string, names: string) {
  const labels = `alertname="${name}",alertstate="${state}",route="${channels.join('-')}",severity="${severity}"${names}`
  return {
    expr: `ALERTS{alertname="${name}"}`,
    eval_time: `${minute}m`,
    exp_samples: state === 'silent' ? [] : [{ labels: `ALERTS{${labels}}`, value: 1 }],
  }
}

const course = (series: Course, promql: readonly object[]) => ({
  interval: '1m',
  input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
  promql_expr_test: promql,
})

function testsOf(rule: AlertRule, { beyond, fromMin, names, silent }: AlertCase) {
  const fires = fromMin + rule.forS / 60
  const label = names ? `,${names}` : ''
  return [
    course(beyond, [
      ...(fromMin > 0 ? [at(fromMin - 1, rule, 'silent', '')] : []),
      at(fires - 1, rule, 'pending', label),
      at(fires, rule, 'firing', label),
    ]),
    ...Object.values(silent).map((series) =>
      course(series, [at(fires, rule, 'silent', ''), at(fires + 30, rule, 'silent', '')]),
    ),
  ]
}

describeWith('promtool', promtoolPresent, 'promtool', () => {
  it('accepts the rules', () => {
    const { status, said } = run('promtool', 'check', 'rules', RULES)
    expect(said).toContain('SUCCESS: 12 rules found')
    expect(status).toBe(0)
  })

  it.each(ALERT_RULES.map((rule) => [rule.name, rule] as const))(
    '%s fires just beyond its threshold, waits before, and is silent just short of it',
    (name, rule) => {
      const cases = ALERT_CASES[name]
      if (!cases) throw new Error(`no case for ${name}`)
      const tests = { rule_files: [RULES], evaluation_interval: '1m', tests: testsOf(rule, cases) }
      const { status, said } = run('promtool', 'test', 'rules', file(`${name}.yml`, tests))
      expect(status, said).toBe(0)
    },
  )

  it('reads the query of every panel', () => {
    const rules = (Object.keys(DASHBOARD_FILES) as (keyof typeof DASHBOARD_FILES)[]).flatMap((code) =>
      readDashboard(code).panels.map(({ targets }, place) => ({
        record: `panel:${code}${place + 1}`,
        expr: (targets[0]?.expr ?? '')
          .replaceAll('$__rate_interval', '1m')
          .replaceAll('$__range', '6h')
          .replaceAll('$job', 'beast'),
      })),
    )
    const path = file('panels.yml', { groups: [{ name: 'panels', rules }] })
    expect(run('promtool', 'check', 'rules', path)).toMatchObject({
      status: 0,
      said: expect.stringContaining('SUCCESS: 43 rules found'),
    })
  })

  it('accepts its configuration, for one scrape and for shards', () => {
    const settings = readSettings(join(ROOT, 'ops/settings.json'))
    for (const scrape of ['merged', 'shards'] as const) {
      const text = prometheusYaml({ ...settings, gateway: { ...settings.gateway, scrape } })
      const path = file(`${scrape}.yml`, text)
      expect(run('promtool', 'check', 'config', '--syntax-only', path)).toMatchObject({ status: 0 })
    }
  })
})

describeWith('amtool', amtoolPresent, 'amtool', () => {
  const config = join(ROOT, 'ops/alertmanager.yml')

  it('accepts the configuration', () => {
    expect(run('amtool', 'check-config', config)).toMatchObject({ status: 0 })
  })

  it.each(ALERT_RULES.map((rule) => [rule.name, rule] as const))('%s goes to its channels', (_, rule) => {
    const labels = [`alertname=${rule.name}`, `severity=${rule.severity}`, `route=${routeOf(rule)}`]
    const { stdout } = run('amtool', 'config', 'routes', 'test', `--config.file=${config}`, ...labels)
    expect(stdout.trim()).toBe(rule.channels.join(','))
  })

  it('sends what names no channel to nobody', () => {
    const { stdout } = run('amtool', 'config', 'routes', 'test', `--config.file=${config}`, 'alertname=Other')
    expect(stdout.trim()).toBe('nobody')
  })
})
