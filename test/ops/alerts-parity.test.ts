import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { AlertState } from '../../src/metrics/alert-evaluator.ts'
import { ALERT_RULES, routeOf } from '../../src/metrics/alert-rules.ts'
import { changesOf, type Replayed, replay } from '../metrics/alert-replay.ts'
import { describeWith, promtoolPresent } from '../support/require.ts'
import { ROOT } from '../support/stores.ts'
import { ALERT_CASES, type Course } from './alert-cases.ts'

// The gateway's own watch beside Prometheus, minute by minute, over the same series.

const RULES = join(ROOT, 'ops/beast.rules.yml')
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${SEED}`)
const dir = mkdtempSync(join(tmpdir(), 'beast-parity-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** As promtool writes it. */
function sampleOf({ rule, labels, firedMs }: AlertState) {
  const found = ALERT_RULES.find(({ name }) => name === rule)
  if (!found) throw new Error(`no rule ${rule}`)
  const state = firedMs === undefined ? 'pending' : 'firing'
  const own = labels ? `,${labels}` : ''
  return `ALERTS{alertname="${rule}",alertstate="${state}",route="${routeOf(found)}",severity="${found.severity}"${own}}`
}

/** Leaves out the minutes beside a change: an even course can lie on a threshold, to the last bit. */
const awayFromChanges = (replayed: readonly Replayed[]): Replayed[] => {
  const samples = replayed.map(({ states }) => states.map(sampleOf).sort().join(' '))
  return replayed.filter((_, i) => [i - 1, i + 1].every((j) => (samples[j] ?? samples[i]) === samples[i]))
}

/** Asks Prometheus whether it has exactly these alerts, pending and firing, at each of these minutes. */
function prometheusAgrees(course: Course, replayed: readonly Replayed[], name: string) {
  const test = {
    rule_files: [RULES],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: Object.entries(course).map(([series, values]) => ({ series, values })),
        promql_expr_test: replayed.map(({ minute, states }) => ({
          expr: 'ALERTS',
          eval_time: `${minute}m`,
          exp_samples: states.map((state) => ({ labels: sampleOf(state), value: 1 })),
        })),
      },
    ],
  }
  const path = join(dir, `${name}.yml`)
  writeFileSync(path, JSON.stringify(test))
  return spawnSync('promtool', ['test', 'rules', path], { encoding: 'utf8' })
}

const MINUTES = 600
/** A value for each minute from stretches, each with a pace of its own. */
function walk(random: () => number, paces: readonly number[], isCounter = true): string {
  const values = [0]
  let pace = 0
  for (let minute = 0, left = 0; minute < MINUTES; minute++, left--) {
    if (left <= 0) {
      pace = paces[Math.floor(random() * paces.length)] ?? 0
      left = 10 + Math.floor(random() * 60)
    }
    // Uneven, so that no figure lies on a threshold.
    const step = isCounter ? pace * (0.9 + 0.2 * random()) : pace + random()
    values.push(isCounter ? (values.at(-1) ?? 0) + step : step)
  }
  return values.join(' ')
}

/** Everything that the rules look at, in trouble now and then. */
function everything(random: () => number): Course {
  const bucket = (le: string) => `beast_request_duration_seconds_bucket{le="${le}"}`
  const parts = [walk(random, [50, 100]), walk(random, [0, 2, 8]), walk(random, [0, 0.3, 3])].map((text) =>
    text.split(' ').map(Number),
  )
  const upTo = (count: number) =>
    (parts[0] ?? [])
      .map((_, i) => parts.slice(0, count).reduce((sum, part) => sum + (part[i] ?? 0), 0))
      .join(' ')
  return {
    'beast_requests_total{outcome="error",mode="1"}': walk(random, [0, 1, 3, 10]),
    'beast_requests_total{outcome="success",mode="1"}': walk(random, [0, 1, 40, 100]),
    [bucket('5.0')]: upTo(1),
    [bucket('10.0')]: upTo(1),
    [bucket('20.0')]: upTo(2),
    [bucket('30.0')]: upTo(2),
    [bucket('60.0')]: upTo(3),
    [bucket('+Inf')]: upTo(3),
    'beast_cache_lookups_total{result="hit"}': walk(random, [0, 20, 60, 90]),
    'beast_cache_lookups_total{result="miss"}': walk(random, [0, 1, 50, 80]),
    'beast_cache_lookups_total{result="bypass"}': walk(random, [0, 500]),
    'beast_cache_entries{tier="kv"}': walk(random, [9_000, 9_600, 9_900], false),
    'beast_cache_capacity_entries{tier="kv"}': `10000x${MINUTES}`,
    'beast_cache_entries{tier="redis"}': walk(random, [9_400, 9_700], false),
    'beast_cache_capacity_entries{tier="redis"}': `10000x${MINUTES}`,
    'beast_cache_entries{tier="memory"}': `1000x${MINUTES}`,
    'beast_cache_capacity_entries{tier="memory"}': `1000x${MINUTES}`,
    'beast_cache_evictions_total{reason="capacity",tier="kv"}': walk(random, [0, 400, 900]),
    'beast_cache_evictions_total{reason="ttl",tier="kv"}': walk(random, [6_000]),
    'beast_cost_usd_total{type="llm"}': walk(random, [0.01, 0.03, 0.1, 0.4]),
    beast_quality_score_ratio_sum: walk(random, [70, 75, 85]),
    beast_quality_score_ratio_count: walk(random, [100]),
    beast_degraded_responses_total: walk(random, [0, 10, 30]),
    'beast_tool_executions_total{outcome="error"}': walk(random, [0, 5, 20]),
    'beast_tool_executions_total{outcome="success"}': walk(random, [0, 100]),
    'beast_rag_retrievals_total{outcome="error"}': walk(random, [0, 2, 10]),
    'beast_rag_retrievals_total{outcome="success"}': walk(random, [0, 100]),
  }
}

describeWith('promtool', promtoolPresent, 'the own watch and Prometheus', () => {
  it.each(ALERT_RULES.map(({ name, forS }) => [name, forS] as const))(
    'agree within one evaluation on %s, past its threshold and short of it',
    (name, forS) => {
      const cases = ALERT_CASES[name]
      if (!cases) throw new Error(`no case for ${name}`)
      for (const course of [cases.beyond, ...Object.values(cases.silent)]) {
        const replayed = replay(course, cases.fromMin + forS / 60 + 30)
        const { status, stdout, stderr } = prometheusAgrees(course, awayFromChanges(replayed), name)
        expect(status, stdout + stderr).toBe(0)
      }
    },
  )

  it('agree at each of 600 minutes in which all of them fire and end, together', () => {
    // Of the first walks it is known that every alert is in them.
    const [known, random] = [seededRandom(1), seededRandom(SEED)]
    const fired = new Set<string>()
    const ended = new Set<string>()
    for (let round = 0; round < 5; round++) {
      const course = everything(round < 3 ? known : random)
      const replayed = replay(course, MINUTES)
      const { status, stdout, stderr } = prometheusAgrees(course, replayed, `all-${round}`)
      expect(status, (stdout + stderr).slice(0, 4_000)).toBe(0)
      for (const { name } of ALERT_RULES)
        for (const change of changesOf(replayed, name)) {
          if (change.endsWith('firing')) fired.add(name)
          if (change.endsWith('resolved')) ended.add(name)
        }
    }
    expect([...fired].sort()).toEqual(ALERT_RULES.map(({ name }) => name).sort())
    expect([...ended].sort()).toEqual([...fired].sort())
  })

  it('would be caught where they differ by two minutes', () => {
    const { beyond } = ALERT_CASES.HighLatency ?? { beyond: {} }
    const late = replay(beyond, 20).map((each, minute, all) => ({
      ...each,
      states: all[Math.max(0, minute - 2)]?.states ?? [],
    }))
    expect(prometheusAgrees(beyond, awayFromChanges(late), 'late').status).toBe(1)
  })
})
