import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Budget } from '../../src/cost/budget.ts'
import { BudgetBook } from '../../src/cost/budget-book.ts'
import { NewsCourier } from '../../src/cost/budget-news.ts'
import { type BudgetNews, BudgetThresholds, THRESHOLDS } from '../../src/cost/budget-thresholds.ts'
import { sqlNewsShelf } from '../../workers/state/budget-news-shelf.ts'
import { sqlBudgetShelf } from '../../workers/state/budget-shelf.ts'
import { durableState } from '../state/durable-state.ts'

const NOON = Date.parse('2026-11-21T12:00:00Z')
const DAY_MS = 24 * 60 * 60_000
const budget = (limitNanoUsd: number, more: Partial<Budget> = {}): Budget => ({
  keyId: null,
  period: 'month',
  limitNanoUsd,
  isHard: false,
  ...more,
})

/** A tenant's book and thresholds on the tables that they have in its account. */
function account(...budgets: Budget[]) {
  const { sql } = durableState('tenant').ctx.storage
  const told: BudgetNews[] = []
  const clock = { nowMs: NOON }
  const open = () => {
    const thresholds = new BudgetThresholds({
      shelf: sqlNewsShelf(sql),
      owner: 'object',
      now: () => clock.nowMs,
      tell: (news) => void told.push(news),
    })
    const book = new BudgetBook(sqlBudgetShelf(sql), thresholds.spent.bind(thresholds))
    return { book, thresholds }
  }
  let parts = open()
  let number = 0
  const set = (...wanted: Budget[]) => {
    parts.book.setBudgets(wanted, [])
    parts.thresholds.changed(parts.book.states(clock.nowMs), 'acme')
  }
  set(...budgets)
  const reserve = (nanoUsd: number, atMs = clock.nowMs, keyId = 'key') => {
    const predictionId = `p${++number}`
    const call = { route: 'own:m', provider: 'own', model: 'm', endpoint: 'own' }
    const verdict = parts.book.reserve({ predictionId, attempt: 0, keyId, nanoUsd, atMs, call })
    if (verdict.kind === 'exceeded') parts.thresholds.refused(verdict.budget, nanoUsd, atMs)
    return predictionId
  }
  return {
    told,
    clock,
    set,
    reserve,
    settle: (id: string, nanoUsd: number) => parts.book.settle(id, [nanoUsd]),
    spend: (nanoUsd: number, atMs = clock.nowMs, keyId = 'key') =>
      parts.book.settle(reserve(nanoUsd, atMs, keyId), [nanoUsd]),
    restart: () => {
      parts = open()
    },
    percents: () => told.map(({ percent }) => percent),
  }
}

describe('a budget', () => {
  it('is told of at 50, 80 and 100 %, to the last billionth, and not again', () => {
    for (const limit of [7, 100, 1_000_000_000_000_000]) {
      const { spend, percents, restart } = account(budget(limit))
      const half = Math.ceil(limit / 2)
      spend(half - 1)
      expect(percents()).toEqual([])
      spend(1)
      expect(percents()).toEqual([50])
      restart()
      spend(limit - half - 1)
      expect(percents()).toEqual([50, 80])
      spend(1)
      restart()
      spend(limit)
      expect(percents()).toEqual([50, 80, 100])
    }
  })

  it('tells every threshold that one request crosses, with what was spent and until when', () => {
    const { spend, told } = account(budget(100, { keyId: 'key', period: 'day', isHard: true }))
    spend(81)
    expect(told).toMatchObject([{ percent: 50 }, { percent: 80 }])
    expect(told[1]).toEqual({
      id: 'object key 2026-11-21 80',
      tenant: 'acme',
      keyId: 'key',
      period: 'day',
      periodName: '2026-11-21',
      percent: 80,
      isHard: true,
      limitNanoUsd: 100,
      spentNanoUsd: 81,
      resetsAtMs: Date.parse('2026-11-22T00:00:00Z'),
      atMs: NOON,
    })
  })

  it('of another key is not touched; tenant, key, day and month count each for themselves', () => {
    const { spend, told } = account(
      budget(100),
      budget(100, { period: 'day' }),
      budget(40, { keyId: 'key' }),
      budget(40, { keyId: 'other' }),
    )
    spend(20)
    expect(told.map(({ id }) => id)).toEqual(['object key 2026-11 50'])
    spend(30)
    expect(told.map(({ id }) => id).slice(1)).toEqual([
      'object tenant 2026-11 50',
      'object tenant 2026-11-21 50',
      'object key 2026-11 80',
      'object key 2026-11 100',
    ])
  })

  it('begins anew with its period; what is settled after midnight is told of the day before', () => {
    const { spend, reserve, settle, told, clock } = account(budget(100, { period: 'day' }))
    spend(60)
    const late = reserve(30)
    clock.nowMs += DAY_MS
    spend(50)
    settle(late, 30)
    expect(told.map(({ percent, periodName }) => `${periodName} ${percent}`)).toEqual([
      '2026-11-21 50',
      '2026-11-22 50',
      '2026-11-21 80',
    ])
    clock.nowMs += 90 * DAY_MS
    spend(50)
    expect(told).toHaveLength(4)
  })

  it('set below what is spent tells the highest threshold only; the same again tells nothing', () => {
    const { spend, set, percents } = account(budget(1_000))
    spend(90)
    set(budget(100))
    set(budget(100))
    expect(percents()).toEqual([80])
    set()
    set(budget(100))
    expect(percents()).toEqual([80])
    set(budget(90))
    expect(percents()).toEqual([80, 100])
  })

  it('that is raised tells again what is crossed again, under another id, and nothing else', () => {
    const { spend, set, told, restart } = account(budget(100))
    spend(85)
    set(budget(150))
    restart()
    expect(told).toHaveLength(2)
    spend(34)
    expect(told).toHaveLength(2)
    spend(1)
    expect(told.map(({ id }) => id)).toEqual([
      'object tenant 2026-11 50',
      'object tenant 2026-11 80',
      'object tenant 2026-11 80 1',
    ])
    set(budget(160))
    expect(told).toHaveLength(3)
  })

  it('that is hard counts as used up once nothing fits, and not because much is under way', () => {
    const { spend, reserve, percents, set } = account(budget(100, { isHard: true }))
    reserve(101)
    spend(79)
    reserve(90)
    expect(percents()).toEqual([50])
    spend(1)
    const underWay = reserve(15)
    reserve(10)
    expect([underWay, percents()]).toEqual(['p5', [50, 80]])
    for (let i = 0; i < 20; i++) reserve(21)
    expect(percents()).toEqual([50, 80, 100])
    set(budget(100, { isHard: true }))
    reserve(21)
    expect(percents()).toEqual([50, 80, 100])
  })

  it('of nothing is not told of', () => {
    const { spend, reserve, percents, set } = account(budget(0))
    spend(5)
    set(budget(0, { isHard: true }))
    reserve(5)
    expect(percents()).toEqual([])
  })

  it('in any order of requests, restarts and days tells each threshold once, when it is true', () => {
    const seed = Date.now() & 0xffff
    console.log(`seed ${seed}`)
    const random = seededRandom(seed)
    const { spend, restart, told, clock } = account(budget(5_000), budget(700, { period: 'day' }))
    const days = new Map<string, number>()
    for (let i = 0; i < 2_000; i++) {
      const nanoUsd = Math.floor(random() * 10)
      const day = new Date(clock.nowMs).toISOString().slice(0, 10)
      days.set(day, (days.get(day) ?? 0) + nanoUsd)
      spend(nanoUsd)
      if (random() < 0.02) restart()
      if (random() < 0.01) clock.nowMs += DAY_MS
    }
    const sums = new Map(days)
    for (const [day, nanoUsd] of days) {
      const month = day.slice(0, 7)
      sums.set(month, (sums.get(month) ?? 0) + nanoUsd)
    }
    const expected = [...sums].flatMap(([name, spent]) =>
      THRESHOLDS.filter((each) => spent * 100 >= each * (name.length === 7 ? 5_000 : 700)).map(
        (each) => `object tenant ${name} ${each}`,
      ),
    )
    expect(expected.length).toBeGreaterThan(5)
    expect(told.map(({ id }) => id).sort()).toEqual(expected.sort())
    for (const { spentNanoUsd, limitNanoUsd, percent } of told)
      expect(spentNanoUsd * 100).toBeGreaterThanOrEqual(limitNanoUsd * percent)
  })
})

describe('news', () => {
  it('wait until they are taken, over a restart too, and go in their order', async () => {
    const { sql } = durableState('tenant').ctx.storage
    const clock = { nowMs: NOON }
    const sent: string[][] = []
    let isDown = true
    const open = () =>
      new NewsCourier({
        shelf: sqlNewsShelf(sql),
        now: () => clock.nowMs,
        random: () => 1,
        send: async (news) => {
          sent.push(news.map(({ id }) => id))
          if (isDown) throw new Error('away')
        },
      })
    let courier = open()
    expect(courier.nextMs).toBe(Number.POSITIVE_INFINITY)
    const { told, spend } = account(budget(100))
    spend(85)
    for (const news of [...told, ...told]) courier.add(news)
    const ids = told.map(({ id }) => id)
    await courier.deliver()
    expect(courier.nextMs).toBe(NOON + 1_000)
    // Not before its time.
    await courier.deliver()
    expect(sent).toEqual([ids])
    clock.nowMs = courier.nextMs
    await courier.deliver()
    expect(courier.nextMs).toBe(NOON + 3_000)
    courier = open()
    isDown = false
    await courier.deliver()
    expect(sent).toEqual([ids, ids, ids])
    expect(courier.nextMs).toBe(Number.POSITIVE_INFINITY)
    expect(open().nextMs).toBe(Number.POSITIVE_INFINITY)
  })
})
