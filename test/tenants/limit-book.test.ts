import { describe, expect, it } from 'vitest'
import { LimitBook } from '../../src/tenants/limit-book.ts'
import type { Limits } from '../../src/tenants/limits.ts'
import { memoryLimitShelf, needs } from '../support/limits.ts'

const NOON = Date.parse('2026-11-21T12:00:00Z')

function bench(tenant: Limits | undefined, key?: Limits) {
  const shelf = memoryLimitShelf()
  const book = new LimitBook(shelf)
  book.setLimits([
    ...(tenant ? [{ keyId: null, ...tenant }] : []),
    ...(key ? [{ keyId: 'key', ...key }] : []),
  ])
  let asked = 0
  return {
    shelf,
    book,
    /** @returns the refusal; undefined where it passed */
    ask: (ask = needs(10), nowMs = NOON, keyId = 'key', of = book) => {
      const refusal = of.refusal(keyId, ask, nowMs)
      if (!refusal) of.take(`p${++asked}`, keyId, ask, nowMs)
      return refusal
    },
  }
}

describe('requests a minute', () => {
  it('are refused beyond the limit, with the time after which the next one passes', () => {
    const { ask } = bench({ requestsPerMinute: 2 })
    expect([ask(undefined, NOON), ask(undefined, NOON + 10_400)]).toEqual([undefined, undefined])
    expect(ask(undefined, NOON + 20_000)).toMatchObject({
      kind: 'limited',
      of: 'tenant',
      by: 'requests',
      limit: 2,
      retryAfterMs: 40_000,
      rates: [{ of: 'tenant', kind: 'requests', limit: 2, remaining: 0, resetMs: 50_400 }],
    })
    expect(ask(undefined, NOON + 59_999)).toBeDefined()
    expect(ask(undefined, NOON + 60_000)).toBeUndefined()
  })

  it('of one key leave the others alone, and all count for the tenant', () => {
    const { ask } = bench({ requestsPerMinute: 3 }, { requestsPerMinute: 1 })
    expect(ask()).toBeUndefined()
    expect(ask()).toMatchObject({ of: 'key', limit: 1 })
    expect([ask(needs(1), NOON, 'other'), ask(needs(1), NOON, 'third')]).toEqual([undefined, undefined])
    expect(ask(needs(1), NOON, 'other')).toMatchObject({ of: 'tenant', limit: 3 })
  })

  it('are counted on where the object was away', () => {
    const { ask, shelf } = bench({ requestsPerMinute: 2 })
    ask()
    ask()
    const anew = new LimitBook(shelf)
    expect(ask(undefined, NOON + 59_999, 'key', anew)).toMatchObject({ retryAfterMs: 1 })
    expect(ask(undefined, NOON + 60_000, 'key', anew)).toBeUndefined()
    // What counts no more does not lie about.
    expect(shelf.rows()).toBe(1)
  })
})

describe('tokens a minute', () => {
  it('are held back as estimated, and corrected when it is known what was used', () => {
    const { ask, book } = bench({ tokensPerMinute: 1_000 })
    expect(ask(needs(100, 500))).toBeUndefined()
    expect(ask(needs(100, 400))).toMatchObject({ by: 'tokens', limit: 1_000, retryAfterMs: 60_000 })
    book.settle('p1', 150, NOON + 1_000)
    expect(book.states(NOON)).toMatchObject([{ tokensUsed: 150, inFlight: 0 }])
    expect(ask(needs(100, 400))).toBeUndefined()
    // More than was held back counts from when it is known.
    book.settle('p2', 900, NOON + 30_000)
    expect(book.states(NOON + 30_000)).toMatchObject([{ tokensUsed: 1_050 }])
    expect(ask(needs(100, 400), NOON + 30_000)).toMatchObject({ retryAfterMs: 30_000 })
    expect(ask(needs(100, 400), NOON + 60_000)).toBeUndefined()
  })

  it('that nobody told stay as estimated, and no word is heard twice', () => {
    const { ask, book } = bench({ tokensPerMinute: 1_000 })
    ask(needs(100, 500))
    book.settle('p1', undefined, NOON)
    book.settle('p1', 5, NOON)
    expect(book.states(NOON)).toMatchObject([{ tokensUsed: 600 }])
  })

  it('refuse for good what alone is more than a whole minute’s', () => {
    const { ask } = bench(undefined, { tokensPerMinute: 1_000 })
    expect(ask(needs(600, 200, 3))).toMatchObject({
      kind: 'oversized',
      of: 'key',
      by: 'tokens',
      asked: 1_200,
    })
    // A guess at what nobody named refuses nothing: it has the minute to itself.
    expect(ask(needs(900))).toBeUndefined()
    expect(ask(needs(1))).toMatchObject({ kind: 'limited', retryAfterMs: 60_000 })
    expect(ask(needs(1), NOON + 60_000)).toBeUndefined()
  })
})

describe('requests at the same time', () => {
  it('are free again when one is over, or was given up', () => {
    const { ask, book, shelf } = bench({ concurrency: 3 }, { concurrency: 2 })
    expect([ask(), ask()]).toEqual([undefined, undefined])
    expect(ask()).toMatchObject({ by: 'concurrency', of: 'key', limit: 2, retryAfterMs: 1_000 })
    expect(ask(needs(1), NOON, 'other')).toBeUndefined()
    expect(ask(needs(1), NOON, 'other')).toMatchObject({ by: 'concurrency', of: 'tenant', limit: 3 })
    book.settle('p1', undefined, NOON)
    expect(ask(needs(1), NOON + 5)).toBeUndefined()
    const anew = new LimitBook(shelf)
    expect(anew.refusal('key', needs(1), NOON)).toMatchObject({ by: 'concurrency' })
    anew.expire(NOON + 1)
    expect(anew.states(NOON)).toMatchObject([{ inFlight: 1 }, { keyId: 'key', inFlight: 1 }])
  })
})

it('a maximum that is too large is refused by name, and the smaller of two is sent', () => {
  const { ask, book } = bench({ maxTokens: 400 }, { maxTokens: 300 })
  expect(ask(needs(1, 301))).toMatchObject({ kind: 'oversized', of: 'key', by: 'max_tokens', limit: 300 })
  expect(ask(needs(1, 500), NOON, 'other')).toMatchObject({ of: 'tenant', limit: 400 })
  expect(book.take('p', 'key', needs(1), NOON)).toEqual({ maxTokens: 300, rates: [] })
})

it('of several limits that are reached it names the one that lasts longest', () => {
  const { ask } = bench({ requestsPerMinute: 1, concurrency: 1 }, { tokensPerMinute: 1_000 })
  ask(needs(10, 900))
  expect(ask(needs(10, 900), NOON + 59_500)).toMatchObject({ by: 'concurrency', retryAfterMs: 1_000 })
  expect(ask(needs(10, 900), NOON + 1_000)).toMatchObject({ by: 'requests', retryAfterMs: 59_000 })
})

it('what is no longer limited is forgotten, and counts anew when it is limited again', () => {
  const { ask, book, shelf } = bench({ requestsPerMinute: 1 })
  ask()
  book.setLimits([])
  expect([book.isLimiting, shelf.rows(), ask()]).toEqual([false, 0, undefined])
  book.setLimits([{ keyId: null, requestsPerMinute: 1 }])
  expect(ask()).toBeUndefined()
  expect(ask()).toBeDefined()
  book.clear()
  expect([book.isLimiting, shelf.rows()]).toEqual([false, 0])
})
