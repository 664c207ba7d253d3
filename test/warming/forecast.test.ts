import { describe, expect, it } from 'vitest'
import { zipf } from '../../scripts/traces/kinds.ts'
import { DAY_MS } from '../../src/warming/calendar.ts'
import { forecaster } from '../../src/warming/forecast.ts'
import {
  advance,
  newPatterns,
  observe,
  type Pattern,
  type TenantPatterns,
} from '../../src/warming/patterns.ts'
import { afterDays, at, seen } from './weeks.ts'

const patternOf = (known: TenantPatterns, name: string): Pattern => {
  const pattern = known.patterns.get(name)
  if (!pattern) throw new Error(`${name} is not known`)
  return pattern
}

describe('the forecast', () => {
  // Day 35 is a Monday.
  const known = afterDays(35)
  const expected = forecaster(known, at(35, 0))
  const chance = (name: string, day = 35, from = 0, to = 24) =>
    expected(patternOf(known, name), at(day, from), at(day, to)).probability

  it('expects the daily, and not what came once', () => {
    expect(chance('daily')).toBeGreaterThan(0.9)
    expect(chance('once')).toBeLessThan(0.1)
    expect(chance('passer-by 30 0')).toBeLessThan(0.1)
  })

  // What comes on one weekday only is too rare in a small office to be sure of, but it is told from the others.
  it('knows the weekday', () => {
    expect(chance('monday', 35)).toBeGreaterThan(0.1)
    expect(chance('monday', 35)).toBeGreaterThan(50 * chance('monday', 36))
    expect(chance('weekend', 40)).toBeGreaterThan(0.5)
    expect(chance('weekend', 40)).toBeGreaterThan(5 * chance('weekend', 36))
  })

  it('knows the hour', () => {
    expect(chance('evening', 35, 20, 22)).toBeGreaterThan(5 * chance('evening', 35, 7, 9))
    expect(chance('daily', 35, 0, 6)).toBeLessThan(0.3)
  })

  it('follows what has changed', () => {
    expect(chance('new')).toBeGreaterThan(5 * chance('given_up'))
    expect(chance('new')).toBeGreaterThan(5 * chance('passer-by 34 0'))
    expect(chance('given_up')).toBeLessThan(0.05)
  })

  it('is sure of more over a longer time, and of nothing over none', () => {
    const daily = patternOf(known, 'evening')
    let before = 0
    for (const hours of [0, 6, 12, 20, 22, 24, 48]) {
      const { probability, requests } = expected(daily, at(35, 0), at(35, hours))
      expect(probability).toBeGreaterThanOrEqual(before)
      expect(probability).toBeLessThanOrEqual(1)
      expect(requests).toBeGreaterThanOrEqual(probability)
      before = probability
    }
    expect(expected(daily, at(36, 0), at(35, 0))).toEqual({ probability: 0, requests: 0 })
  })

  it('carries a burst on for some hours, not into the next day', () => {
    const bursting = afterDays(20)
    for (let n = 0; n < 30; n++) observe(bursting, seen('news', at(20, 9) + n * 60_000))
    const now = at(20, 10)
    const news = forecaster(bursting, now)
    const pattern = patternOf(bursting, 'news')
    expect(news(pattern, now, at(20, 11)).requests).toBeGreaterThan(5)
    expect(news(pattern, at(21, 0), at(21, 1)).requests).toBeLessThan(0.5)
  })

  it('says nothing mad of a tenant of whom nothing is known yet', () => {
    const young = newPatterns('acme')
    observe(young, seen('p', at(0, 9)))
    const { probability, requests } = forecaster(young, at(0, 10))(
      patternOf(young, 'p'),
      at(0, 10),
      at(1, 10),
    )
    expect(probability).toBeGreaterThan(0)
    expect(probability).toBeLessThan(1)
    expect(Number.isFinite(requests)).toBe(true)
  })
})

describe('probabilities that the forecast names', () => {
  it.each([11, 12])('come true as often as they say: zipf, seed %i', (seed) => {
    const { requests } = zipf(seed)
    const known = newPatterns('acme')
    let next = 0
    const groups = new Map<number, { foretold: number; came: number; count: number }>()
    for (let day = 14; day < 20; day++) {
      const nowMs = at(day, 0)
      for (; (requests[next]?.atMs ?? nowMs) < nowMs; next++) {
        const request = requests[next]
        if (request) observe(known, seen(request.prompt, request.atMs))
      }
      advance(known, nowMs)
      const expected = forecaster(known, nowMs)
      const coming = new Set(
        requests.filter(({ atMs }) => atMs >= nowMs && atMs < nowMs + DAY_MS).map(({ prompt }) => prompt),
      )
      for (const [name, pattern] of known.patterns) {
        const { probability } = expected(pattern, nowMs, nowMs + DAY_MS)
        const group = groups.get(Math.floor(probability * 5)) ?? { foretold: 0, came: 0, count: 0 }
        group.foretold += probability
        group.came += coming.has(name) ? 1 : 0
        group.count += 1
        groups.set(Math.floor(probability * 5), group)
      }
    }
    const all = [...groups.values()]
    for (const { foretold, came, count } of all) expect(Math.abs(foretold - came) / count).toBeLessThan(0.15)
    const error = all.reduce((sum, { foretold, came }) => sum + Math.abs(foretold - came), 0)
    expect(error / all.reduce((sum, { count }) => sum + count, 0)).toBeLessThan(0.04)
    expect(all.filter(({ count }) => count >= 100).length).toBeGreaterThanOrEqual(4)
  })
})
