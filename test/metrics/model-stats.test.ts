import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatencyHistogram, LONGEST_MS, RELATIVE_ERROR } from '../../src/metrics/latency-histogram.ts'
import { HALF_LIFE_MS, ModelStats, type ObservedAttempt } from '../../src/metrics/model-stats.ts'
import { FAILURES } from '../../src/providers/failure-table.ts'

const START_MS = 1_800_000_000_000

function statsAt(startMs = START_MS) {
  let nowMs = startMs
  const stats = new ModelStats({ now: () => nowMs })
  const add = (tenantId: string, attempts: readonly Partial<ObservedAttempt>[], outcome = 'success') =>
    stats.add({ tenantId, outcome, attempts: attempts.map(attempt) })
  const of = (tenantId: string, routeId = 'p:m', endpoints = ['p']) => stats.of(tenantId, routeId, endpoints)
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { stats, add, of, pass }
}

const attempt = (more: Partial<ObservedAttempt> = {}): ObservedAttempt => ({
  routeId: 'p:m',
  endpointId: 'p',
  ms: 200,
  firstByteMs: 100,
  result: 'answered',
  failure: undefined,
  usage: undefined,
  ...more,
})

describe('the figures of a model', () => {
  it('count calls, their success, their times and their tokens', () => {
    const { add, of } = statsAt()
    for (let i = 0; i < 3; i++) add('t', [{ usage: { inputTokens: 10, outputTokens: 20 } }])
    add('t', [{ result: 'failed', failure: 'failed', firstByteMs: undefined }, {}])
    const figures = of('t')
    expect(figures).toMatchObject({
      sinceMs: START_MS,
      requests: 5,
      successShare: 0.8,
      counted: { requests: 3, inputTokens: 30, outputTokens: 60 },
    })
    expect(Math.abs((figures?.firstByteMs?.p50 ?? 0) - 100)).toBeLessThanOrEqual(5)
    expect(Math.abs((figures?.totalMs?.p95 ?? 0) - 200)).toBeLessThanOrEqual(10)
  })

  it.each(Object.entries(FAILURES))(
    'a failure "%s" counts against the model unless nobody is to blame',
    (failure, { blames }) => {
      const { add, of } = statsAt()
      add('t', [{ result: 'failed', failure, firstByteMs: undefined }], 'error')
      if (failure === 'unsupported') return expect(of('t')).toBeUndefined()
      expect(of('t')).toMatchObject({ requests: 1, successShare: blames === 'nobody' ? undefined : 0 })
      expect(of('t')?.firstByteMs).toBeUndefined()
    },
  )

  it.each(['key_unreadable', 'address_refused', 'internal', 'constructor', '__proto__'])(
    'what failed with "%s" never reached the model',
    (failure) => {
      const { stats, add } = statsAt()
      add('t', [{ result: 'failed', failure }], 'error')
      expect(stats.size).toBe(0)
    },
  )

  it('a caller who leaves and a call that was overtaken are neither success nor failure', () => {
    const { add, of } = statsAt()
    add('t', [{ result: 'cancelled' }], 'cancelled')
    add('t', [{ result: 'abandoned' }, {}])
    expect(of('t')).toMatchObject({ requests: 3, successShare: 1 })
  })

  it('an answer that was passed on and was not whole is a failure', () => {
    const { add, of } = statsAt()
    add('t', [{}], 'error')
    expect(of('t')).toMatchObject({ requests: 1, successShare: 0 })
  })

  it('a hit, and a request of nobody, leave no trace', () => {
    const { stats, add } = statsAt()
    add('t', [])
    stats.add({ tenantId: undefined, outcome: 'client_error', attempts: [attempt()] })
    expect(stats.size).toBe(0)
  })

  it('add up over the endpoints of one route, and over no other', () => {
    const { add, of } = statsAt()
    add('t', [{ endpointId: 'p' }])
    add('t', [{ endpointId: 'p#2', ms: 400 }])
    add('t', [{ endpointId: 'own:1', result: 'failed', failure: 'failed' }], 'error')
    expect(of('t', 'p:m', ['p', 'p#2'])).toMatchObject({ requests: 2, successShare: 1 })
    expect(of('t', 'p:m', ['own:1'])).toMatchObject({ requests: 1, successShare: 0 })
    expect(of('t', 'p:other', ['p'])).toBeUndefined()
    // Reading changes nothing.
    expect(of('t', 'p:m', ['p', 'p#2'])).toMatchObject({ requests: 2 })
  })

  it('count half after a half-life, and say nothing once next to nothing is left', () => {
    const { add, of, pass } = statsAt()
    for (let i = 0; i < 8; i++) add('t', [{ result: 'failed', failure: 'failed' }], 'error')
    pass(HALF_LIFE_MS - 1)
    expect(of('t')).toMatchObject({ requests: 8, successShare: 0 })
    pass(1)
    for (let i = 0; i < 4; i++) add('t', [{ ms: 1_000, firstByteMs: 1_000 }])
    expect(of('t')).toMatchObject({ requests: 8, successShare: 0.5, sinceMs: START_MS })
    pass(4 * HALF_LIFE_MS)
    expect(of('t')).toMatchObject({ requests: 0.5, successShare: 0.5, totalMs: undefined })
    pass(HALF_LIFE_MS)
    expect(of('t')).toBeUndefined()
  })

  it('outlive a clock that is set back', () => {
    const { add, of, pass } = statsAt()
    add('t', [{}])
    pass(-10 * HALF_LIFE_MS)
    add('t', [{ ms: -5, firstByteMs: Number.NaN }])
    expect(of('t')).toMatchObject({ requests: 2, successShare: 1, totalMs: { p50: 1 } })
  })
})

describe('memory', () => {
  it('holds 5,000 series at most, one tenant a fifth of them, its own oldest going first', () => {
    const { stats, add, of } = statsAt()
    add('neighbour', [{}])
    for (let i = 0; i < 3_000; i++) add('greedy', [{ routeId: `p:${i}` }])
    expect(stats.size).toBe(1_001)
    expect(of('neighbour')).toMatchObject({ requests: 1 })
    expect(of('greedy', 'p:2999')).toMatchObject({ requests: 1 })
    expect(of('greedy', 'p:0')).toBeUndefined()
    for (let tenant = 0; tenant < 10; tenant++)
      for (let i = 0; i < 1_000; i++) add(`t${tenant}`, [{ routeId: `p:${i}` }])
    expect(stats.size).toBe(5_000)
  })
})

describe('the tenant next door', () => {
  it('sees nothing of it, whatever names both choose', () => {
    const word = fc.string({ maxLength: 6 })
    const call = fc.record({
      tenantId: fc.constantFrom('a', 'b', 'aa'),
      routeId: fc.oneof(fc.constantFrom('p:m', 'b p:m', 'a p p:m'), word),
    })
    fc.assert(
      fc.property(fc.array(call, { maxLength: 40 }), (calls) => {
        const { add, of } = statsAt()
        for (const { tenantId, routeId } of calls) add(tenantId, [{ routeId }])
        for (const tenantId of ['a', 'b', 'aa'])
          for (const routeId of new Set(calls.map((one) => one.routeId))) {
            const own = calls.filter((one) => one.tenantId === tenantId && one.routeId === routeId).length
            expect(of(tenantId, routeId)?.requests ?? 0).toBe(own)
          }
      }),
    )
  })
})

describe('quantiles', () => {
  it('are off by no more than the stated part, whatever the times, halved or merged', () => {
    const times = fc.array(
      fc.oneof(fc.integer({ min: 1, max: LONGEST_MS }), fc.double({ min: 1, max: LONGEST_MS, noNaN: true })),
      { minLength: 1, maxLength: 300 },
    )
    const q = fc.constantFrom(0.01, 0.5, 0.9, 0.95, 0.99, 1)
    const halvings = fc.integer({ min: 0, max: 20 })
    fc.assert(
      fc.property(times, times, q, halvings, (some, others, part, halved) => {
        const [histogram, other] = [new LatencyHistogram(), new LatencyHistogram()]
        for (const ms of some) histogram.add(ms)
        for (const ms of others) other.add(ms)
        histogram.addAll(other)
        histogram.scale(0.5 ** halved)
        const all = [...some, ...others].toSorted((a, b) => a - b)
        const exact = all[Math.ceil(part * all.length - 1e-9) - 1] ?? Number.NaN
        const estimated = histogram.quantile(part) ?? Number.NaN
        expect(Math.abs(estimated - exact) / exact).toBeLessThanOrEqual(RELATIVE_ERROR + 1e-9)
      }),
      { numRuns: 2_000 },
    )
  })

  it('count what is out of range at its ends', () => {
    const histogram = new LatencyHistogram()
    expect(histogram.quantile(0.5)).toBeUndefined()
    for (const ms of [0, 0.3, -1, Number.NaN]) histogram.add(ms)
    expect(histogram.quantile(1)).toBe(1)
    for (let i = 0; i < 9; i++) histogram.add(Number.POSITIVE_INFINITY)
    expect(Math.abs((histogram.quantile(0.95) ?? 0) / LONGEST_MS - 1)).toBeLessThanOrEqual(RELATIVE_ERROR)
  })
})
