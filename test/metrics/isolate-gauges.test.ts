import { describe, expect, it } from 'vitest'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { type BudgetUse, BudgetUses } from '../../src/metrics/budget-use.ts'
import { Pools } from '../../src/metrics/pools.ts'
import type { RequestFacts, Sink } from '../../src/metrics/request-facts.ts'
import { countChecks, countRating } from '../../src/metrics/request-metrics-quality.ts'
import { fakeClock } from '../support/fake-clock.ts'

function counting() {
  const tally = new Tally(1_000)
  const sink: Sink = {
    count: (series, amount = 1) => tally.count(series, amount),
    observe: (series, value, bounds) => tally.observe(series, value, bounds),
    sketch: () => {},
    gauge: () => {},
    exemplar: () => {},
  }
  return { sink, amounts: () => tally.amounts() }
}

describe('pools', () => {
  it('count a call while it waits, whatever becomes of it', async () => {
    const pools = new Pools()
    const [good, bad] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
    const held = [pools.hold('redis', good.promise), pools.hold('redis', bad.promise)]
    const inUse = () => pools.gauges(1)['pool_connections{pool="redis",state="in_use"}']
    expect(inUse()).toBe(2)
    expect(pools.gauges(1)).toMatchObject({
      'pool_connections{pool="redis",state="idle"}': 4,
      'pool_connections{pool="kv",state="in_use"}': 0,
      'pool_max_connections{pool="redis"}': 6,
    })
    expect(pools.gauges(3)['pool_max_connections{pool="kv"}']).toBe(18)
    expect(pools.gauges(0)['pool_max_connections{pool="kv"}']).toBe(6)
    good.resolve('good')
    bad.reject(new Error('bad'))
    await expect(held[0]).resolves.toBe('good')
    await expect(held[1]).rejects.toThrow('bad')
    expect(inUse()).toBe(0)
  })
})

describe('quality', () => {
  it('is that of the checks, with a warning where it is low', () => {
    const { sink, amounts } = counting()
    countChecks(sink, '2', { score: 1, truncated: false })
    expect(amounts().counters).toEqual({})
    countChecks(sink, '2', { score: 0.75, truncated: false })
    countChecks(sink, '2', { score: 2 / 3, truncated: true })
    const { counters, histograms } = amounts()
    expect(counters).toEqual({
      'warnings_total{type="low_quality"}': 2,
      'warnings_total{type="truncated"}': 1,
    })
    expect(histograms['quality_score_ratio{mode="2"}']?.sum).toBeCloseTo(1 + 0.75 + 2 / 3)
  })

  it('is what ratings say, stars before thumbs', () => {
    const { sink, amounts } = counting()
    const rate = (thumbs: 'up' | 'down' | null, rating: number | null) =>
      countRating(sink, { source: 'user', thumbs, rating })
    rate('up', null)
    rate('down', null)
    rate('up', 2)
    rate(null, 3)
    // A correction alone: no word on how good it was.
    rate(null, null)
    const { counters, histograms } = amounts()
    expect(counters).toEqual({
      'ratings_total{source="user",verdict="good"}': 1,
      'ratings_total{source="user",verdict="bad"}': 2,
      'ratings_total{source="user",verdict="neutral"}': 1,
      'ratings_total{source="user",verdict="none"}': 1,
    })
    for (const name of ['satisfaction_ratio', 'quality_score_ratio'])
      expect(histograms[`${name}{mode="none"}`]?.sum).toBeCloseTo(1 + 0 + 0.25 + 0.5)
  })
})

describe('budgets', () => {
  const facts = (more: Partial<RequestFacts> = {}): RequestFacts => ({
    predictionId: '01a1fdd6-45ba-7d39-bc9e-9c6660f4d2e7',
    outcome: 'success',
    errorCode: undefined,
    tenantId: 't1',
    routeId: 'a:b',
    stream: false,
    cache: 'miss',
    tier: undefined,
    receivedAtMs: 0,
    totalMs: 1,
    upstreamMs: 1,
    attempts: [
      {
        routeId: 'a:b',
        startedAtMs: 0,
        ms: 1,
        firstByteMs: 1,
        result: 'answered',
        failure: undefined,
        usage: undefined,
        reservedNanoUsd: 5,
      },
    ],
    ...more,
  })

  function setUp() {
    const clock = fakeClock()
    const { sink, amounts } = counting()
    const loaded: string[] = []
    let states: readonly BudgetUse[] = []
    const uses = new BudgetUses({
      now: clock.now,
      sink,
      tenantLabel: (id) => (id === 't1' ? 'acme' : 'other'),
      load: async (id) => {
        loaded.push(id)
        return states
      },
    })
    const settle = async (more?: Partial<RequestFacts>) => {
      const pending: Promise<unknown>[] = []
      uses.settled(facts(more), (work) => pending.push(work))
      await Promise.all(pending)
    }
    const set = (...used: readonly [spent: number, limit: number, lifeMs: number][]) => {
      states = used.map(([spentNanoUsd, limitNanoUsd, lifeMs]) => ({
        spentNanoUsd,
        limitNanoUsd,
        resetsAtMs: clock.now() + lifeMs,
      }))
    }
    return { clock, uses, settle, set, loaded, warnings: () => amounts().counters }
  }
  const ACME = 'tenant_budget_utilization_ratio{tenant="acme"}'

  it('are asked for once a minute, of tenants for whom money is held back', async () => {
    const { clock, uses, settle, set, loaded } = setUp()
    await settle({ cache: 'hit', attempts: [] })
    await settle({ tenantId: undefined })
    expect(loaded).toEqual([])
    expect(uses.gauges()).toEqual({})
    set([10, 100, 86_400_000], [30, 50, 86_400_000])
    for (let i = 0; i < 5; i++) await settle()
    expect(loaded).toEqual(['t1'])
    expect(uses.gauges()).toEqual({ [ACME]: 0.6 })
    await clock.advance(60_000)
    await settle({ outcome: 'client_error', errorCode: 'budget_exceeded', attempts: [] })
    expect(loaded).toEqual(['t1', 't1'])
  })

  it('are no more told of once they begin anew, and warn when they are nearly used', async () => {
    const { clock, uses, settle, set, warnings } = setUp()
    set([90, 100, 30_000])
    await settle()
    expect(warnings()).toEqual({})
    await settle()
    expect(warnings()).toEqual({ 'warnings_total{type="budget_near"}': 1 })
    expect(uses.gauges()).toEqual({ [ACME]: 0.9 })
    await clock.advance(30_000)
    expect(uses.gauges()).toEqual({})
    await settle()
    expect(warnings()).toEqual({ 'warnings_total{type="budget_near"}': 1 })
  })

  it('are those of the fullest where tenants share a label', async () => {
    const { uses, settle, set } = setUp()
    set([80, 100, 1_000])
    await settle({ tenantId: 'x' })
    set([20, 100, 1_000])
    await settle({ tenantId: 'y' })
    expect(uses.gauges()).toEqual({ 'tenant_budget_utilization_ratio{tenant="other"}': 0.8 })
  })
})
