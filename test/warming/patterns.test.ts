import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../src/warming/calendar.ts'
import { packPatterns, unpackPatterns } from '../../src/warming/packed.ts'
import { advance, burstAt, newPatterns, observe } from '../../src/warming/patterns.ts'
import { planWarming } from '../../src/warming/plan.ts'
import { afterDays, at, MONDAY_MS, seen } from './weeks.ts'

describe('patterns', () => {
  it('count frequency, recency, hours, weekdays and days', () => {
    const { patterns, profile } = afterDays(35)
    expect(patterns.get('daily')).toMatchObject({
      total: 105,
      lastMs: at(34, 15),
      firstDay: MONDAY_MS / DAY_MS,
    })
    const hours = patterns.get('daily')?.hours ?? []
    expect(hours.flatMap((count, hour) => (count > 0 ? [hour] : []))).toEqual([9, 11, 15])
    const weekdays = patterns.get('weekend')?.weekdays ?? []
    expect(weekdays.flatMap((count, weekday) => (count > 0 ? [weekday] : []))).toEqual([5, 6])
    expect(profile[5 * 24 + 20]).toBeGreaterThan(0)
    expect(profile[4 * 24 + 20]).toBe(0)
  })

  it('feel a burst, and forget it within hours', () => {
    const known = newPatterns('acme')
    for (let n = 0; n < 40; n++) observe(known, seen('news', at(0, 9) + n * 60_000))
    const news = known.patterns.get('news')
    if (!news) throw new Error('not seen')
    expect(burstAt(news, at(0, 9) + 40 * 60_000)).toBeGreaterThan(25)
    expect(burstAt(news, at(0, 9) + 12 * HOUR_MS)).toBeLessThan(0.1)
  })

  it('stay within their bound, and keep what comes back', () => {
    const known = newPatterns('acme', 100)
    for (let day = 0; day < 30; day++) {
      for (let n = 0; n < 500; n++) observe(known, seen(`once ${day} ${n}`, at(day, 0) + n * 1_000))
      for (let n = 0; n < 20; n++) observe(known, seen(`regular ${n}`, at(day, 10)))
      expect(known.patterns.size).toBeLessThanOrEqual(110)
    }
    for (let n = 0; n < 20; n++) expect(known.patterns.get(`regular ${n}`)?.total).toBe(30)
    expect(packPatterns(known).length).toBeLessThan(110 * 600 + 10_000)
  })

  it('take no request of another tenant and none without a time', () => {
    const known = newPatterns('acme')
    expect(() => observe(known, seen('p', at(0, 9), { tenant: 'rival' }))).toThrow(RangeError)
    expect(() => observe(known, seen('p', Number.NaN))).toThrow(RangeError)
    expect(known.patterns.size).toBe(0)
  })

  it('price from calls that were made, and leave out what is no amount', () => {
    const known = newPatterns('acme')
    observe(known, seen('p', at(0, 9), { costUsd: 0.01, latencyMs: 1_000 }))
    observe(known, seen('p', at(0, 10), { hit: true, costUsd: 0, latencyMs: 5 }))
    observe(known, seen('p', at(0, 11), { costUsd: Number.NaN }))
    observe(known, seen('p', at(0, 12), { costUsd: -1 }))
    observe(known, seen('p', at(0, 12), { latencyMs: Number.POSITIVE_INFINITY }))
    expect(known.patterns.get('p')?.price).toEqual({ calls: 1, costUsd: 0.01, latencyMs: 1_000 })
    expect(known.patterns.get('p')?.total).toBe(5)
  })

  it('count what comes late for the running day, and outlive a year of silence', () => {
    const known = afterDays(14)
    observe(known, seen('daily', at(12, 9)))
    expect(known.day).toBe(at(14, 0) / DAY_MS)
    expect(known.patterns.get('daily')).toMatchObject({ today: 1, lastMs: at(13, 15) })
    advance(known, at(400, 0))
    expect(known.patterns.size).toBe(0)
    observe(known, seen('daily', at(400, 9)))
    expect(known.patterns.get('daily')?.total).toBe(1)
  })
})

describe('packed patterns', () => {
  const known = afterDays(20)
  const plan = (of = known) =>
    planWarming(
      of,
      [...known.patterns.keys()].map((promptHash) => ({ promptHash, expiresAtMs: 0 })),
      {
        nowMs: at(20, 0),
        everyMs: HOUR_MS,
        lifeMs: DAY_MS,
        usdPerSecond: 0.01,
        budget: { calls: 10, usd: 1, kvWrites: 10 },
      },
    ).warmings.map(({ promptHash, probability }) => [promptHash, probability.toFixed(3)])

  it('make the same plan once unpacked', () => {
    expect(plan().length).toBeGreaterThan(2)
    expect(plan(unpackPatterns(packPatterns(known), 'acme'))).toEqual(plan())
  })

  it('are no longer than their prompts ask for, and hold no text', () => {
    expect(packPatterns(known).length / known.patterns.size).toBeLessThan(600)
  })

  it.each([
    ['cut', (text: string) => text.slice(0, -10)],
    ['of another form', (text: string) => text.replace('"form":1', '"form":0')],
    ['of another tenant', (text: string) => text.replace('"tenant":"acme"', '"tenant":"rival"')],
    ['with a number gone wrong', (text: string) => text.replace('"total":60', '"total":null')],
    ['without weights', (text: string) => text.replace('"weights"', '"wights"')],
    ['null', () => 'null'],
    ['empty', () => ''],
  ])('that are %s are learnt anew', (_, damage) => {
    const damaged = damage(packPatterns(known))
    expect(damaged).not.toBe(packPatterns(known))
    const fresh = unpackPatterns(damaged, 'acme')
    expect(fresh).toEqual(newPatterns('acme'))
    observe(fresh, seen('p', at(21, 9)))
    expect(fresh.patterns.size).toBe(1)
  })
})
