import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type ReplayReport, replay } from '../../scripts/replay/replay.ts'
import { TRACES } from '../../scripts/traces/index.ts'
import type { Trace } from '../../scripts/traces/trace.ts'
import type { StrategyName } from '../../src/warming/plan.ts'
import { ROOT } from '../support/stores.ts'

const dir = mkdtempSync(join(tmpdir(), 'beast-replay-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const run = (script: string, ...words: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, script), ...words], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { code: status, out: stdout, err: stderr }
}
const replayed = (...words: string[]) => run('scripts/replay.ts', ...words)
const fileOf = (name: string, lines: readonly unknown[]): string => {
  const file = join(dir, name)
  writeFileSync(
    file,
    lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  )
  return file
}
const START_MS = Date.UTC(2026, 0, 5, 9)
const HOUR_MS = 3_600_000

describe('npm run replay', () => {
  it.each([1, 2])('steady, seed %i: at least 99 % hits of 10,000 requests, none of them false', (seed) => {
    const { code, out } = replayed('--trace', 'steady', '--seed', String(seed), '--json')
    const report = JSON.parse(out) as ReplayReport
    expect(code).toBe(0)
    expect(report.requests).toBe(10_000)
    expect(report.hits).toBeGreaterThanOrEqual(9_900)
    expect(report.false_hits).toBe(0)
    expect(report.hits + report.upstream_calls).toBe(report.requests)
    const { memory, kv, redis, supabase } = report.by_tier
    expect(memory + kv + redis + supabase).toBe(report.hits)
    expect(Math.min(memory, kv, redis, supabase)).toBeGreaterThan(0)
    expect(report).toMatchObject({ warm_calls: expect.any(Number), warm_cost_usd: expect.any(Number) })
    expect(report.first_p95_ms).toBeGreaterThan(0)
  })

  it('shows all ways of warming beside one another', () => {
    const { out } = replayed()
    for (const way of ['none', 'recent', 'frequent', 'forecast'])
      expect(out).toMatch(new RegExp(`^${way} `, 'm'))
    expect(out).toContain('times the hits of frequent')
    expect(Object.keys(JSON.parse(replayed('--compare', '--json').out))).toEqual(
      expect.arrayContaining(['none', 'recent', 'frequent', 'forecast']),
    )
  })

  it('reads a trace from a file: an hour later memory is empty, two hours later Redis, a day later all', () => {
    const hours = [0, 0.5, 1.2, 2.7, 30]
    const file = fileOf('trace.jsonl', [
      ...hours.map((hour) => ({ atMs: START_MS + hour * HOUR_MS, prompt: 'p' })),
      { atMs: START_MS, prompt: 'p', tenant: 'rival' },
      '',
    ])
    const report = JSON.parse(replayed('--trace', file, '--json', '--warm', 'none').out)
    expect(report).toMatchObject({ requests: 6, upstream_calls: 3, false_hits: 0, warm_calls: 0 })
    expect(report.by_tier).toEqual({ memory: 1, kv: 0, redis: 1, supabase: 1 })
    const late = JSON.parse(replayed('--trace', file, '--json', '--warm', 'none', '--warm-up', '1').out)
    expect(late).toMatchObject({ requests: 3, upstream_calls: 1 })
  })

  it('counts a false hit where one key serves two meanings', () => {
    const file = fileOf('false.jsonl', [
      { atMs: START_MS, prompt: 'today?', meaning: 'Monday' },
      { atMs: START_MS + 1_000, prompt: 'today?', meaning: 'Tuesday' },
      { atMs: START_MS + 2_000, prompt: 'today?', meaning: 'Monday' },
    ])
    expect(JSON.parse(replayed('--trace', file, '--json').out)).toMatchObject({ hits: 2, false_hits: 1 })
  })

  it.each([
    ['an unknown option', ['--nope'], 2, 'usage: npm run replay'],
    ['an unknown way', ['--warm', 'toString'], 2, 'ways:'],
    ['a seed that is none', ['--seed', '-1'], 2, 'usage'],
    ['a budget that is none', ['--budget', 'many'], 2, 'usage'],
    ['an unknown trace', ['--trace', 'constructor'], 1, 'There is no trace and no file named constructor.'],
    [
      'a line that is no request',
      ['--trace', fileOf('bad.jsonl', ['{"atMs": 1, "prompt": "p"}', '{"at'])],
      1,
      'line 2',
    ],
    [
      'a cost below nothing',
      ['--trace', fileOf('cost.jsonl', [{ atMs: 1, prompt: 'p', costUsd: -1 }])],
      1,
      'line 1',
    ],
    ['an empty file', ['--trace', fileOf('empty.jsonl', [])], 1, 'holds no request'],
  ])('says what is wrong with %s', (_, words, code, told) => {
    const said = replayed(...words)
    expect(said).toMatchObject({ code, out: '' })
    expect(said.err).toContain(told)
    expect(said.err).not.toContain('    at ')
  })
})

describe('npm run dead-letters', () => {
  it('has its own name', () => {
    expect(run('scripts/dead-letters.ts', '--nope')).toMatchObject({
      code: 2,
      err: expect.stringContaining('usage: npm run dead-letters'),
    })
  })
})

describe('the traces', () => {
  it.each(Object.entries(TRACES))(
    '%s is the same for the same seed, in order, and other for another',
    (_, make) => {
      const trace = make(1)
      expect(make(1)).toEqual(trace)
      expect(make(2).requests.slice(0, 100)).not.toEqual(trace.requests.slice(0, 100))
      for (let n = 1; n < trace.requests.length; n++)
        expect(trace.requests[n]?.atMs).toBeGreaterThanOrEqual(trace.requests[n - 1]?.atMs ?? 0)
    },
  )

  it('steady: 99.5 % of 10,000 counted requests were asked within the day before', () => {
    const { requests, countedFromMs } = TRACES.steady(3)
    const last = new Map<string, number>()
    let [counted, known] = [0, 0]
    for (const { atMs, tenant, prompt } of requests) {
      const name = JSON.stringify([tenant, prompt])
      if (atMs >= countedFromMs) {
        counted += 1
        if (atMs - (last.get(name) ?? 0) <= 24 * HOUR_MS) known += 1
      }
      last.set(name, atMs)
    }
    expect(counted).toBe(10_000)
    expect(known / counted).toBeGreaterThanOrEqual(0.995)
  })

  it('realistic: 5,000 questions, Zipf 1.0, each in several wordings of one meaning', () => {
    const { requests } = TRACES.realistic(3)
    const wordings = new Map<string, Set<string>>()
    for (const { meaning, prompt } of requests)
      wordings.set(meaning, (wordings.get(meaning) ?? new Set()).add(prompt))
    expect(wordings.size).toBeGreaterThan(3_000)
    expect(wordings.size).toBeLessThanOrEqual(5_000)
    expect(Math.max(...[...wordings.values()].map(({ size }) => size))).toBe(5)
  })
})

describe('warming', { timeout: 120_000 }, () => {
  /** How many more hits a dollar forecast adds than frequent does. */
  const added = async (trace: Trace, seed: number) => {
    const run = (warm: StrategyName) => replay(trace, { warm, budget: 150, seed })
    const [none, frequent, forecast] = [await run('none'), await run('frequent'), await run('forecast')]
    expect(forecast.first_mean_ms).toBeLessThan(frequent.first_mean_ms)
    const hitsPerDollar = (report: ReplayReport) => (report.hits - none.hits) / report.warm_cost_usd
    return hitsPerDollar(forecast) / hitsPerDollar(frequent)
  }

  it.each(['season', 'burst'] as const)(
    'by forecast adds 1.2 times the hits a dollar of the most frequent: %s',
    async (name) => {
      expect(await added(TRACES[name](21), 21)).toBeGreaterThanOrEqual(1.2)
    },
  )
})
