import { describe, expect, it } from 'vitest'
import { replay } from '../../scripts/replay/replay.ts'
import { drift } from '../../scripts/traces/kinds.ts'
import { DAY_MS, HOUR_MS } from '../../src/warming/calendar.ts'
import { newPatterns, observe } from '../../src/warming/patterns.ts'
import {
  planWarming,
  STRATEGIES,
  type WarmingBudget,
  type WarmingPlan,
  type WarmingTerms,
} from '../../src/warming/plan.ts'
import { afterDays, at, OFFICE, seen } from './weeks.ts'

const known = afterDays(35)
const AMPLE: WarmingBudget = { calls: 100, usd: 100, kvWrites: 100 }
const terms = (more: Partial<WarmingTerms> = {}): WarmingTerms => ({
  nowMs: at(35, 0),
  everyMs: HOUR_MS,
  lifeMs: 0.95 * DAY_MS,
  usdPerSecond: 0.01,
  budget: AMPLE,
  ...more,
})
/** Every prompt, with an entry that died long ago. */
const dead = [...known.patterns.keys()].map((promptHash) => ({ promptHash, expiresAtMs: 0 }))
const names = ({ warmings }: WarmingPlan) => warmings.map(({ promptHash }) => promptHash)
const withBudget = (budget: Partial<WarmingBudget>) => terms({ budget: { ...AMPLE, ...budget } })

describe('a plan', () => {
  it('takes what is worth it, best first, and nothing else', () => {
    const plan = planWarming(known, dead, terms())
    expect(names(plan).slice(0, 2).sort()).toEqual(['daily', 'evening'])
    expect(names(plan)).not.toContain('given_up')
    expect(names(plan).filter((name) => name.startsWith('passer-by'))).toEqual([])
    const worth = plan.warmings.map(({ worthUsd }) => worthUsd)
    expect(worth).toEqual(worth.toSorted((a, b) => b - a))
    expect(Math.min(...worth)).toBeGreaterThan(0)
  })

  it('is worth the saved call and the saved wait times their probability, less the call', () => {
    for (const { probability, costUsd, worthUsd } of planWarming(known, dead, terms()).warmings) {
      expect(costUsd).toBeCloseTo(0.002)
      expect(worthUsd).toBeCloseTo(probability * (0.002 + 2 * 0.01) - 0.002)
    }
    // Without a worth of waiting nothing pays: a warm call saves one call at most.
    expect(names(planWarming(known, dead, terms({ usdPerSecond: 0 })))).toEqual([])
  })

  it('keeps each of its bounds', () => {
    expect(names(planWarming(known, dead, withBudget({ calls: 1 })))).toHaveLength(1)
    expect(names(planWarming(known, dead, withBudget({ calls: 0 })))).toEqual([])
    expect(names(planWarming(known, dead, withBudget({ usd: 0 })))).toEqual([])
    const money = planWarming(known, dead, withBudget({ usd: 0.005 }))
    expect(names(money)).toHaveLength(2)
    expect(money.costUsd).toBeLessThanOrEqual(0.005)
  })

  it('writes KV where two requests are expected within its hour, within the budget', () => {
    const busy = newPatterns('acme')
    for (const name of ['a', 'b', 'c', 'd'])
      for (let n = 0; n < 60; n++) observe(busy, seen(name, at(0, 9) + n * 50_000, { hit: n > 0 }))
    const candidates = ['a', 'b', 'c', 'd'].map((promptHash) => ({ promptHash, expiresAtMs: 0 }))
    const plan = (kvWrites: number, nowMs = at(0, 10)) =>
      planWarming(busy, candidates, { ...withBudget({ kvWrites }), nowMs }, STRATEGIES.frequent)
    expect(plan(100)).toMatchObject({ kvWrites: 4, warmings: { length: 4 } })
    expect(plan(3)).toMatchObject({ kvWrites: 3, warmings: { length: 4 } })
    expect(plan(100, at(0, 22))).toMatchObject({ kvWrites: 0, warmings: { length: 4 } })
  })

  it('leaves a living entry alone until the plan before its end', () => {
    const living = (expiresAtMs: number) =>
      names(planWarming(known, [{ promptHash: 'daily', expiresAtMs }], terms()))
    expect(living(at(35, 2))).toEqual([])
    expect(living(at(35, 1))).toEqual(['daily'])
    expect(living(at(34, 9))).toEqual(['daily'])
  })

  it('leaves out what it does not know', () => {
    expect(names(planWarming(known, [{ promptHash: 'foreign', expiresAtMs: 0 }], terms()))).toEqual([])
    expect(names(planWarming(newPatterns('acme'), dead, terms()))).toEqual([])
  })

  it('has baselines in the same form', () => {
    const first = (strategy: keyof typeof STRATEGIES) =>
      names(planWarming(known, dead, withBudget({ calls: 3 }), STRATEGIES[strategy]))
    expect(first('none')).toEqual([])
    expect(first('frequent').slice(0, 2)).toEqual(['daily', 'given_up'])
    expect(first('recent')[0]).toBe('evening')
  })

  it('does not depend on the order of its candidates', () => {
    const plan = planWarming(known, dead, terms())
    expect(planWarming(known, dead.toReversed(), terms())).toEqual(plan)
  })

  it('of one tenant is untouched by what another asks', () => {
    const rival = newPatterns('rival')
    for (const name of Object.keys(OFFICE)) observe(rival, seen(name, at(0, 9), { tenant: 'rival' }))
    expect(planWarming(afterDays(35), dead, terms())).toEqual(planWarming(known, dead, terms()))
    expect(rival.patterns.get('daily')?.total).toBe(1)
  })
})

describe('no look-ahead', () => {
  it.each(['forecast', 'frequent', 'recent'] as const)(
    '%s: another future leaves every plan until then as it was',
    async (warm) => {
      const whole = drift(5)
      const requests = whole.requests.filter(({ atMs }) => atMs < at(16, 12))
      const turnMs = at(15, 12)
      const other = requests.map((request) =>
        request.atMs < turnMs ? request : { ...request, prompt: `another future: ${request.prompt}` },
      )
      const plansOf = async (of: typeof requests) => {
        const plans: [number, WarmingPlan][] = []
        const onPlan = (_: string, nowMs: number, plan: WarmingPlan) => plans.push([nowMs, plan])
        await replay({ ...whole, requests: of }, { warm, budget: 150, seed: 5, onPlan })
        return plans
      }
      const [first, second] = [await plansOf(requests), await plansOf(other)]
      const until = (plans: typeof first) => plans.filter(([nowMs]) => nowMs <= turnMs)
      expect(until(first).flatMap(([, { warmings }]) => warmings).length).toBeGreaterThan(100)
      expect(until(second)).toEqual(until(first))
      expect(second).not.toEqual(first)
    },
  )
})
