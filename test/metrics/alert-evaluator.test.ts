import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { digester } from '../../src/metrics/alert-digest.ts'
import { evaluate } from '../../src/metrics/alert-evaluator.ts'
import { ALERT_RULES } from '../../src/metrics/alert-rules.ts'
import { counterOf } from '../../src/metrics/alert-terms.ts'
import { type AlertReadings, selector, termValues } from '../../src/metrics/alert-values.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { CATALOGUE, seriesName } from '../../src/metrics/catalogue.ts'
import { ALERT_CASES, type AlertCase, type Course } from '../ops/alert-cases.ts'
import { changesOf, replay, valuesOf } from './alert-replay.ts'

const caseOf = (name: string): AlertCase => {
  const found = ALERT_CASES[name]
  if (!found) throw new Error(`no case for ${name}`)
  return found
}
const LENGTH = 280
/** By then spending has an hour that it can be compared with. */
const WARM_MIN = 125
const changes = (course: Course, name: string): string[] =>
  changesOf(replay(course, LENGTH), name).filter(
    (change) => name !== 'SuddenCostSpike' || Number.parseInt(change, 10) > WARM_MIN,
  )

describe.each(ALERT_RULES.map((rule) => [rule.name, rule] as const))('%s', (name, { forS }) => {
  const { beyond, fromMin, silent } = caseOf(name)
  const fires = fromMin + forS / 60

  it('fires once it was just past its threshold for long enough, and not before', () => {
    const replayed = replay(beyond, fires + 20)
    expect(changes(beyond, name).slice(0, 2)).toEqual([`${fromMin} pending`, `${fires} firing`])
    const state = replayed[fires]?.states.find(({ rule }) => rule === name)
    expect(state?.labels).toBe(name === 'CacheNearCapacity' ? 'tier="kv"' : '')
  })

  it.each(Object.entries(silent))('says nothing %s', (_, course) => {
    expect(changes(course, name)).toEqual([])
  })

  it('is resolved when that is over', () => {
    const [quiet] = Object.values(silent)
    // A spike ends by itself: what it is compared with catches up.
    const course = name === 'SuddenCostSpike' ? beyond : followed(beyond, quiet ?? {}, fires + 5)
    const [began, fired, ended = ''] = changes(course, name)
    expect([began, fired]).toEqual([`${fromMin} pending`, `${fires} firing`])
    expect(ended).toMatch(/^\d+ resolved$/)
    expect(Number.parseInt(ended, 10)).toBeGreaterThan(fires)
  })

  it('does not fire where it ended before its time, however late in its window', () => {
    if (name === 'SuddenCostSpike' || name === 'HighDailyCost') return
    const [quiet] = Object.values(silent)
    const course = followed(beyond, quiet ?? {}, fires - 4)
    expect(changes(course, name).map((change) => change.replace(/\d+ /, ''))).toEqual(['pending', 'dropped'])
  })
})

/** One course up to a minute, from then on the other's rises, or its values where it is a gauge. */
function followed(first: Course, then: Course, minute: number): Course {
  return Object.fromEntries(
    Object.entries(first).map(([series, text]) => {
      const before = valuesOf(text).slice(0, minute)
      const after = valuesOf(then[series] ?? '0x300')
      const isGauge = /^beast_cache_(entries|capacity)/.test(series)
      const last = isGauge ? 0 : (before.at(-1) ?? 0)
      return [series, [...before, ...after.slice(isGauge ? 0 : 1).map((value) => last + value)].join(' ')]
    }),
  )
}

describe('an evaluation', () => {
  const window = {
    seconds: 300,
    amounts: {
      counters: {
        [seriesName('tool_executions_total', { tool: 'a', outcome: 'error' })]: 5,
        [seriesName('tool_executions_total', { tool: 'b', outcome: 'success' })]: 5,
      },
      histograms: {},
      sketches: {},
    },
  }
  const readings: AlertReadings = { gauges: {}, window: () => window }

  it('changes nothing when it is done again', () => {
    const first = evaluate(ALERT_RULES, {}, readings, 1_000_000)
    expect(first.changes.map(({ to, alert }) => `${alert.rule} ${to}`)).toEqual([
      'ToolFailureRateHigh pending',
    ])
    const again = evaluate(ALERT_RULES, first.states, readings, 1_000_000)
    expect(again).toEqual({ states: first.states, changes: [] })
    const fired = evaluate(ALERT_RULES, first.states, readings, 1_600_000)
    expect(fired.changes).toHaveLength(1)
    expect(evaluate(ALERT_RULES, fired.states, readings, 1_660_000).changes).toEqual([])
    expect(JSON.parse(JSON.stringify(fired.states))).toEqual(fired.states)
  })

  it('takes silence, and nothing at all, for no alert', () => {
    const silence: AlertReadings = {
      gauges: {},
      window: () => ({ seconds: 300, amounts: { counters: {}, histograms: {}, sketches: {} } }),
    }
    const nothing: AlertReadings = { gauges: {}, window: () => undefined }
    for (const each of [silence, nothing])
      expect(evaluate(ALERT_RULES, {}, each, 1_000_000)).toEqual({ states: {}, changes: [] })
  })

  it('has no number for a part of nothing, and fires all the same', () => {
    const degraded = { ...window.amounts, counters: { 'degraded_responses_total{mode="1"}': 9 } }
    const { states } = evaluate(
      ALERT_RULES,
      {},
      { gauges: {}, window: () => ({ seconds: 300, amounts: degraded }) },
      1_000_000,
    )
    expect(states).toMatchObject({ HighDegradationRate: { value: null } })
  })
})

describe('a digest of a minute', () => {
  it('is judged as the minute itself, and has a few series in place of many', () => {
    const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
    console.log(`seed ${SEED}`)
    const random = seededRandom(SEED)
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
    for (let round = 0; round < 20; round++) {
      const tally = new Tally(10_000)
      for (let i = 0; i < 2_000; i++) {
        const model = `m${Math.floor(random() * 200)} "{,\\`
        const mode = pick(['1', '2', 'none'] as const)
        const outcome = pick(['success', 'error'] as const)
        const labels = { mode, provider: 'p', model, outcome, cache: 'miss', stream: 'true' } as const
        tally.count(seriesName('requests_total', labels), random())
        tally.count(seriesName('cost_usd_total', { type: 'llm', mode, provider: 'p', model }), random())
        tally.count(seriesName('tool_executions_total', { tool: model, outcome }), random())
        tally.count(
          seriesName('cache_lookups_total', {
            mode,
            result: pick(['hit', 'miss', 'bypass']),
            match: 'exact',
            tier: 'kv',
          }),
          random(),
        )
        tally.count(seriesName('tenant_requests_total', { tenant: model }), 1)
        tally.observe(
          seriesName('request_duration_seconds', { mode, cache: pick(['hit', 'miss']) }),
          random() * 50,
          CATALOGUE.request_duration_seconds.buckets,
        )
        tally.observe(
          seriesName('quality_score_ratio', { mode }),
          random(),
          CATALOGUE.quality_score_ratio.buckets,
        )
      }
      const amounts = tally.amounts()
      const digest = digester()({ minute: 7, amounts })
      const judged = [amounts, digest.amounts].map((each) => ({
        gauges: {},
        window: () => ({ seconds: 300, amounts: each }),
      }))
      for (const { threshold, guards } of ALERT_RULES)
        for (const { left } of [threshold, ...guards]) {
          const [whole, short] = judged.map((readings) => termValues(left, readings).get(''))
          if (whole === undefined || Number.isNaN(whole)) expect(short).toEqual(whole)
          else expect(short).toBeCloseTo(whole, 9)
        }
      expect(Object.keys(digest.amounts.counters).length).toBeLessThan(20)
      expect(digest.minute).toBe(7)
    }
  })
})

describe('a selection', () => {
  const errors = selector(counterOf('tool_executions_total', { outcome: 'error' }))
  const named = (tool: string, outcome: 'error' | 'success') =>
    seriesName('tool_executions_total', { tool, outcome })

  it('is of whole labels, whatever a value looks like', () => {
    expect(errors(named('x', 'error'))).toBe(true)
    expect(errors(named('x', 'success'))).toBe(false)
    for (const hostile of ['",outcome="error', 'outcome="error"', '\\', '\\"', ',outcome=', '}'])
      expect([errors(named(hostile, 'success')), errors(named(hostile, 'error'))], hostile).toEqual([
        false,
        true,
      ])
    expect(errors('tool_executions_total_other{outcome="error"}')).toBe(false)
    const others = selector(counterOf('tool_executions_total', { outcome: { not: 'error' } }))
    expect([others(named('x', 'success')), others(named('x', 'error'))]).toEqual([true, false])
    expect(selector(counterOf('requests_received_total'))('requests_received_total')).toBe(true)
  })
})
