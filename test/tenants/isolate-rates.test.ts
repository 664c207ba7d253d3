import { describe, expect, it } from 'vitest'
import { IsolateRates } from '../../src/tenants/isolate-rates.ts'
import type { Limits } from '../../src/tenants/limits.ts'
import { duration, rateHeaders } from '../../src/tenants/rate-headers.ts'
import type { Caller } from '../../src/tenants/tenant.ts'

const NOON = Date.parse('2026-11-21T12:00:00Z')

const caller = (keyId: string, tenantId: string, limits?: Limits, tenantLimits?: Limits): Caller => ({
  keyId,
  expiresAtMs: null,
  limits,
  tenant: {
    id: tenantId,
    name: tenantId,
    plan: 'free',
    epoch: 1,
    cachePolicy: 'all',
    cacheByUser: true,
    keepsText: false,
    budget: 'none',
    limits: tenantLimits,
  },
})

describe('an isolate’s own count', () => {
  it('is apart for each key and tenant, and a tenant’s is that of all its keys', () => {
    const rates = new IsolateRates()
    const [one, two] = ['one', 'two'].map((key) =>
      caller(key, 'a', { requestsPerMinute: 2 }, { requestsPerMinute: 3 }),
    )
    const other = caller('one', 'b', undefined, { requestsPerMinute: 1 })
    const take = (who: Caller | undefined, nowMs = NOON) => who && rates.take(who, nowMs)
    take(one)
    take(one)
    expect(() => take(one)).toThrow(/this API key .* 2 requests a minute/)
    take(two)
    expect(() => take(two)).toThrow(/your team .* 3 requests a minute/)
    take(other)
    expect(() => take(other)).toThrow(/: 1 request a minute/)
    take(one, NOON + 60_000)
  })

  it('does not count what it refuses', () => {
    const rates = new IsolateRates()
    const who = caller('key', 'a', { requestsPerMinute: 1 })
    rates.take(who, NOON)
    for (let ms = 1; ms < 60_000; ms += 1_000) expect(() => rates.take(who, NOON + ms)).toThrow()
    expect(() => rates.take(who, NOON + 60_000)).not.toThrow()
  })

  it('repeats the account’s word on tokens for as long as it is true', () => {
    const rates = new IsolateRates()
    const who = caller('key', 'a', { tokensPerMinute: 1_000 })
    const tokens = { of: 'key', kind: 'tokens', limit: 1_000, remaining: 10, resetMs: 30_000 } as const
    rates.note(who, [tokens], NOON)
    expect(rates.states(who, NOON + 10_000)).toEqual([{ ...tokens, resetMs: 20_000 }])
    expect(rates.states(who, NOON + 30_000)).toEqual([{ ...tokens, remaining: 1_000, resetMs: 0 }])
  })
})

describe('the headers', () => {
  it.each([
    [0, '0s'],
    [17, '17ms'],
    [1_000, '1s'],
    [8_640, '8.64s'],
    [60_000, '1m0s'],
    [360_500, '6m0.5s'],
  ])('write %d ms as %s', (ms, text) => expect(duration(ms)).toBe(text))

  it('show the limit with less left, and nothing of what is not limited', () => {
    const rate = { kind: 'requests', resetMs: 500 } as const
    expect(
      rateHeaders([
        { ...rate, of: 'tenant', limit: 100, remaining: 60 },
        { ...rate, of: 'key', limit: 70, remaining: 61 },
      ]),
    ).toEqual({
      'x-ratelimit-limit-requests': '100',
      'x-ratelimit-remaining-requests': '60',
      'x-ratelimit-reset-requests': '500ms',
    })
    expect(rateHeaders([])).toEqual({})
  })
})
