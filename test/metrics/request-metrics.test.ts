import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { baseName, readSeries } from '../../src/metrics/catalogue-limits.ts'
import { LargestTenants, MAX_LABELLED } from '../../src/metrics/largest-tenants.ts'
import type { AttemptFacts, RequestFacts, Sink } from '../../src/metrics/request-facts.ts'
import { RequestMetrics } from '../../src/metrics/request-metrics.ts'
import { DEFAULT_MODES, modeOf, modesOf } from '../../src/metrics/request-modes.ts'
import { memoised } from '../../src/metrics/series-memo.ts'
import { coverageOf, totalsBy } from '../../src/metrics/totals.ts'

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${SEED}`)

const KNOWN = new Set(['openai:gpt', 'openai:mini', 'custom:shared'])

function counting() {
  const tally = new Tally(100_000)
  const gauges: Record<string, number> = {}
  const exemplars: Record<string, string> = {}
  const sink: Sink = {
    count: (series, amount = 1) => tally.count(series, amount),
    observe: (series, value, bounds) => tally.observe(series, value, bounds),
    sketch: (series, value) => tally.sketch(series, value),
    gauge: (series, value) => {
      gauges[series] = value
    },
    exemplar: (series, _value, traceIdOf) => {
      exemplars[series] = traceIdOf()
    },
  }
  const metrics = new RequestMetrics({
    sink,
    routes: {
      hasProvider: (name) => name === 'openai' || name === 'custom',
      hasRoute: (id) => KNOWN.has(id),
    },
    tenantLabel: (id) => (id === 't1' ? 'acme' : 'other'),
    modes: DEFAULT_MODES,
  })
  const add = (facts: Partial<RequestFacts>) => {
    metrics.received()
    metrics.settled({ ...FACTS, ...facts })
    return tally.amounts()
  }
  return { metrics, add, amounts: () => tally.amounts(), gauges, exemplars, sink }
}

const FACTS: RequestFacts = {
  predictionId: '01a1fdd6-45ba-7d39-bc9e-9c6660f4d2e7',
  outcome: 'success',
  errorCode: undefined,
  tenantId: 't1',
  routeId: 'openai:gpt',
  stream: false,
  cache: 'miss',
  tier: undefined,
  receivedAtMs: 1_000,
  totalMs: 120,
  upstreamMs: 100,
  attempts: [],
}
const attempt = (more: Partial<AttemptFacts> = {}): AttemptFacts => ({
  routeId: 'openai:gpt',
  startedAtMs: 1_020,
  ms: 100,
  firstByteMs: 60,
  result: 'answered',
  failure: undefined,
  usage: { inputTokens: 10, outputTokens: 3 },
  ...more,
})

describe('a settled request', () => {
  it('that a model answered', () => {
    const { metrics, add, exemplars } = counting()
    const { counters, histograms } = add({ attempts: [attempt()] })
    const who = 'provider="openai",model="gpt"'
    expect(counters).toEqual({
      requests_received_total: 1,
      [`requests_total{mode="1",${who},outcome="success",cache="miss",stream="false"}`]: 1,
      'tenant_requests_total{tenant="acme"}': 1,
      'cache_lookups_total{mode="1",result="miss",match="none",tier="none"}': 1,
      [`llm_calls_total{${who},cached="false"}`]: 1,
      [`tokens_total{type="input",${who}}`]: 10,
      [`tokens_total{type="output",${who}}`]: 3,
    })
    expect(histograms['request_duration_seconds{mode="1",cache="miss"}']?.sum).toBeCloseTo(0.12)
    expect(histograms['gateway_overhead_seconds{cache="miss"}']?.sum).toBeCloseTo(0.02)
    expect(histograms[`upstream_duration_seconds{${who}}`]?.sum).toBeCloseTo(0.1)
    expect(Object.keys(histograms).filter((series) => series.startsWith('time_to_first'))).toEqual([])
    expect(exemplars['request_duration_seconds{mode="1",cache="miss"}']).toBe(
      '01a1fdd645ba7d39bc9e9c6660f4d2e7',
    )
    expect(metrics.gauges()).toEqual({
      'connections_active{kind="http"}': 0,
      'connections_active{kind="sse"}': 0,
    })
  })

  it('that the cache answered, as a stream', () => {
    const { counters, histograms } = counting().add({
      cache: 'hit',
      tier: 'redis',
      stream: true,
      upstreamMs: undefined,
      totalMs: 7,
    })
    expect(counters).toMatchObject({
      'cache_lookups_total{mode="1",result="hit",match="exact",tier="redis"}': 1,
      'llm_calls_total{provider="openai",model="gpt",cached="true"}': 1,
    })
    expect(histograms['time_to_first_token_seconds{provider="openai",cache="hit"}']?.sum).toBeCloseTo(0.007)
    expect(histograms['gateway_overhead_seconds{cache="hit"}']?.sum).toBeCloseTo(0.007)
  })

  it('whose stream was cut: an error, with the time to its first token', () => {
    const { counters, histograms } = counting().add({
      outcome: 'error',
      errorCode: 'upstream_cut_off',
      stream: true,
      attempts: [attempt({ result: 'failed', failure: 'bad_stream', usage: undefined })],
    })
    expect(counters).toMatchObject({ 'request_errors_total{type="upstream_cut_off",provider="openai"}': 1 })
    expect(totalsBy(counters, 'requests_total', 'outcome')).toEqual({ error: 1 })
    expect(counters['llm_calls_total{provider="openai",model="gpt",cached="false"}']).toBeUndefined()
    expect(histograms['time_to_first_token_seconds{provider="openai",cache="miss"}']?.sum).toBeCloseTo(0.08)
  })

  it('of nobody known, which asked for nothing known', () => {
    const { counters } = counting().add({
      outcome: 'client_error',
      errorCode: 'invalid_api_key',
      tenantId: undefined,
      routeId: undefined,
      cache: 'none',
      upstreamMs: undefined,
    })
    expect(counters).toEqual({
      requests_received_total: 1,
      'requests_total{mode="none",provider="none",model="none",outcome="client_error",cache="none",stream="false"}': 1,
      'request_errors_total{type="invalid_api_key",provider="none"}': 1,
    })
  })

  it('that was sent again, then passed on: a retry, a fallback, and one degraded answer', () => {
    const away = { result: 'failed', failure: 'overloaded', usage: undefined } as const
    const { counters } = counting().add({
      attempts: [attempt(away), attempt(away), attempt({ routeId: 'openai:mini' })],
    })
    expect(counters).toMatchObject({
      'upstream_retries_total{provider="openai",reason="overloaded"}': 1,
      'fallbacks_total{from="gpt",to="mini"}': 1,
      'degraded_responses_total{mode="1"}': 1,
      'degradations_total{reason="fallback"}': 1,
    })
    expect(totalsBy(counters, 'requests_total', 'model')).toEqual({ mini: 1 })
  })

  it('whose slower answer was hung up on: neither fallback nor degraded', () => {
    const { counters } = counting().add({
      attempts: [attempt({ result: 'abandoned', usage: undefined }), attempt({ routeId: 'openai:mini' })],
    })
    expect(Object.keys(counters).filter((series) => /fallback|degrad|retries/.test(series))).toEqual([])
  })

  it('whose provider named no tokens, with a warning', () => {
    const { counters } = counting().add({ attempts: [attempt({ usage: undefined })] })
    expect(counters['warnings_total{type="uncounted"}']).toBe(1)
  })

  it('on a clock that was set back, without a negative time', () => {
    const { counters, histograms } = counting().add({
      totalMs: -5_000,
      upstreamMs: 10,
      attempts: [attempt({ ms: -1 })],
    })
    expect(Object.keys(counters).filter((series) => series.startsWith('telemetry_dropped'))).toEqual([])
    expect(histograms['request_duration_seconds{mode="1",cache="miss"}']?.sum).toBe(0)
  })
})

describe('names that were made up', () => {
  it('add at most one series to each family, however many there are', { timeout: 60_000 }, () => {
    const random = seededRandom(SEED)
    const junk = () => Math.floor(random() * 1e12).toString(36)
    const shapes: readonly (() => string)[] = [
      () => `openai:${junk()}`,
      () => `custom:${junk()}"\n\\`,
      () => `${junk()}:gpt`,
      junk,
    ]
    // Of one kind at a time: each kind of name has its own way to be unknown.
    for (const shape of shapes) {
      const { add, amounts } = counting()
      add({ routeId: 'openai:gpt', attempts: [attempt()], tenantId: 't1' })
      const known = seriesByFamily(amounts())
      for (let i = 0; i < 25_000; i++) {
        const routeId = shape()
        add({ routeId, tenantId: junk(), attempts: [attempt({ routeId })] })
      }
      for (const [family, series] of seriesByFamily(amounts()))
        expect(
          series.size - (known.get(family)?.size ?? 0),
          `${family} ${[...series].slice(0, 4)}`,
        ).toBeLessThanOrEqual(1)
    }
  })

  it('become labels as soon as the catalogue knows them', () => {
    const { add } = counting()
    add({ routeId: 'openai:late', cache: 'hit' })
    KNOWN.add('openai:late')
    const { counters } = add({ routeId: 'openai:late', cache: 'hit' })
    KNOWN.delete('openai:late')
    expect(totalsBy(counters, 'requests_total', 'model')).toEqual({ other: 1, late: 1 })
  })
})

function seriesByFamily({ counters, histograms }: ReturnType<Tally['amounts']>) {
  const families = new Map<string, Set<string>>()
  for (const series of [...Object.keys(counters), ...Object.keys(histograms)]) {
    const read = readSeries(series)
    expect(read, series).toBeDefined()
    // Input and output are two counts of each name.
    const family = `${baseName(series)} ${read?.labels.type ?? ''}`.trim()
    families.set(family, (families.get(family) ?? new Set()).add(series))
  }
  return families
}

describe('modes', () => {
  it.each([
    ['openai:gpt', '1'],
    ['gpt', '1'],
    ['custom:mine', '2'],
    ['auto', '3'],
    ['alias:fast', '3'],
    ['custom:beast-mode-code-generator', '4'],
    [undefined, 'none'],
  ])('%s is mode %s', (routeId, mode) => {
    expect(modeOf(routeId, DEFAULT_MODES)).toBe(mode)
  })

  it('are the operator’s to say', () => {
    expect(modesOf(['named=4', 'task=1'])).toEqual({ named: '4', custom: '2', choice: '3', task: '1' })
    for (const wrong of ['named', 'named=5', 'x=1', '=1', '__proto__=1'])
      expect(() => modesOf([wrong]), wrong).toThrow(RangeError)
  })
})

describe('the largest tenants', () => {
  it('are named, a hundred at most; the rest is other, and a store that is down changes nothing', async () => {
    let nowMs = 0
    let asked = 0
    let isDown = false
    const tenants = new LargestTenants({
      now: () => nowMs,
      load: async () => {
        asked += 1
        if (isDown) throw new Error('down')
        return Array.from({ length: 150 }, (_, i) => [`id ${i}`, `name-${i}`] as const)
      },
    })
    const refresh = async () => {
      const work: Promise<unknown>[] = []
      tenants.refresh((promise) => work.push(promise))
      tenants.refresh((promise) => work.push(promise))
      await Promise.all(work)
    }
    expect(tenants.labelOf('id 0')).toBe('other')
    await refresh()
    expect(asked).toBe(1)
    const labels = new Set(Array.from({ length: 150 }, (_, i) => tenants.labelOf(`id ${i}`)))
    expect(labels.size).toBe(MAX_LABELLED + 1)
    isDown = true
    nowMs += 3_600_000
    await refresh()
    await refresh()
    expect(asked).toBe(2)
    expect(tenants.labelOf('id 0')).toBe('name-0')
    nowMs += 60_000
    await refresh()
    expect(asked).toBe(3)
  })
})

describe('names of series', () => {
  it('are made once each, and held in bounds', () => {
    let made = 0
    const series = memoised((a: string, b: string) => `${a} ${b} ${made++}`, 100)
    expect(series('a', 'b')).toBe(series('a', 'b'))
    expect(series('a', 'c')).not.toBe(series('b', 'c'))
    for (let i = 0; i < 1_000; i++) series('x', String(i))
    expect(made).toBe(1_003)
    expect(series('a', 'b').startsWith('a b ')).toBe(true)
  })
})

it('tells how much of what came was counted', () => {
  const { metrics, add, amounts } = counting()
  expect(coverageOf(amounts().counters)).toEqual({ received: 0, counted: 0, ratio: 1 })
  metrics.received()
  add({})
  expect(coverageOf(amounts().counters)).toEqual({ received: 2, counted: 1, ratio: 0.5 })
  expect(metrics.gauges()).toEqual({
    'connections_active{kind="http"}': 1,
    'connections_active{kind="sse"}': 0,
  })
  metrics.streams()
  expect(metrics.gauges()).toMatchObject({
    'connections_active{kind="http"}': 0,
    'connections_active{kind="sse"}': 1,
  })
  metrics.settled({ ...FACTS, stream: true, streaming: true })
  expect(Object.values(metrics.gauges())).toEqual([0, 0])
})
