import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { toParcel } from '../../src/feedback/outbox.ts'
import type { Accounts } from '../../src/routing/spending.ts'
import type { Limits, OwnedLimits } from '../../src/tenants/limits.ts'
import { workerClock } from '../../workers/clock.ts'
import { Account } from '../../workers/state/account.ts'
import { durableState } from '../state/durable-state.ts'
import { ask, question, results, routingGateway, streamed } from '../support/routing-gateway.ts'
import { inOrder, providerAt, type RoutingOptions } from '../support/routing-services.ts'
import { answer, startUpstream, type UpstreamFaults, well } from '../support/upstream-faults.ts'

// The gateway in front of a real account, with the clock held.

vi.mock('cloudflare:workers', () => ({
  DurableObject: class {
    readonly ctx: unknown
    readonly env: unknown
    constructor(ctx: unknown, env: unknown) {
      this.ctx = ctx
      this.env = env
    }
  },
}))

let a: UpstreamFaults
let b: UpstreamFaults
beforeAll(async () => {
  ;[a, b] = await Promise.all([startUpstream(), startUpstream()])
})
beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-21T12:00:00Z'), toFake: ['Date'] })
  for (const upstream of [a, b]) upstream.set(well('an answer'))
})
afterEach(() => vi.useRealTimers())
afterAll(() => Promise.all([a?.close(), b?.close()]))

const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 1 }
const later = (ms: number) => vi.setSystemTime(Date.now() + ms)
const sentBody = (upstream: UpstreamFaults) => JSON.parse(upstream.seen.at(-1)?.body ?? '{}')

/** @param more `isKnown: false`: the key's record is from before there were limits */
function gateway(
  limits: { readonly key?: Limits; readonly tenant?: Limits },
  more: Partial<RoutingOptions> & { readonly isKnown?: boolean; readonly isAway?: boolean } = {},
) {
  const { isKnown = true, isAway = false, ...options } = more
  const account = new Account(durableState('tenant').ctx, { TELEMETRY: { send: async () => {} } } as never)
  const owned: OwnedLimits[] = []
  if (limits.tenant) owned.push({ keyId: null, ...limits.tenant })
  if (limits.key) owned.push({ keyId: 'key', ...limits.key })
  account.setLimits(owned)
  const state = { isAway, asked: 0 }
  const accounts: Accounts = {
    maySpend: async (_tenantId, keyId, abandoned, ask) => {
      state.asked += 1
      if (state.isAway) throw new Error('Network connection lost')
      return account.maySpend(keyId, abandoned && toParcel({ kind: 'prediction', row: abandoned }), ask)
    },
  }
  const made = routingGateway({
    clock: workerClock,
    providers: [
      { ...providerAt('one', a.url), price },
      { ...providerAt('two', b.url), price },
    ],
    aliases: [inOrder('m', 'one:m', 'two:m')],
    accounts,
    ...(isKnown && { keyLimits: limits.key, tenantLimits: limits.tenant }),
    ...options,
  })
  return { made, account, state }
}

describe('a limit that is reached', () => {
  it('is told in OpenAI’s shape, asks no other model, and whoever waits as long as told gets through', async () => {
    const { made, state } = gateway({ key: { requestsPerMinute: 2 } })
    for (const ms of [0, 1_500]) {
      later(ms)
      expect((await ask(made, question())).status).toBe(200)
    }
    later(3_200)
    const calls = a.seen.length + b.seen.length
    const refused = await ask(made, question())
    expect(refused.status).toBe(429)
    expect(refused.error).toMatchObject({
      type: 'rate_limit_exceeded',
      code: 'rate_limit_exceeded',
      fault: 'caller',
      message: 'The limit of this API key is reached: 2 requests a minute.',
      context: { limit: 'requests', of: 'key' },
    })
    const { headers } = refused
    expect([headers.get('retry-after'), headers.get('retry-after-ms')]).toEqual(['56', '55300'])
    expect(headers.get('x-ratelimit-limit-requests')).toBe('2')
    expect(headers.get('x-ratelimit-remaining-requests')).toBe('0')
    expect(headers.get('x-ratelimit-reset-requests')).toBe('56.8s')
    expect(headers.get('x-should-retry')).toBeNull()
    expect([a.seen.length + b.seen.length, state.asked]).toEqual([calls, 3])
    expect(refused.event).toMatchObject({ outcome: 'client_error', attempts: [], announced: false })
    later(55_299)
    expect((await ask(made, question())).status).toBe(429)
    later(1)
    expect((await ask(made, question())).status).toBe(200)
  })

  it('of the provider is another matter: there the next model is asked', async () => {
    a.set(answer(429, '{"error":{"message":"slow down"}}', { 'retry-after': '7' }))
    const { made } = gateway({ tenant: { requestsPerMinute: 2 } })
    const told = await ask(made, question())
    expect([told.status, results(told)]).toEqual([200, ['one failed rate_limited', 'two answered']])
    // One request, whatever was tried for it.
    expect(told.headers.get('x-ratelimit-remaining-requests')).toBe('1')
  })

  it('of the tenant’s is told as such, before a hard budget is asked', async () => {
    const { made, account } = gateway({ tenant: { requestsPerMinute: 1 } }, { budget: 'hard' })
    account.setBudgets([{ keyId: null, period: 'day', limitNanoUsd: 1e9, isHard: true }], [])
    await ask(made, question())
    const refused = await ask(made, question())
    expect(refused.error).toMatchObject({
      context: { of: 'tenant' },
      message: expect.stringMatching(/your team/),
    })
  })

  it('is in force at once, where the key’s record does not know of it yet', async () => {
    const { made, state } = gateway({ key: { requestsPerMinute: 1 } }, { isKnown: false })
    const first = await ask(made, question())
    expect([first.status, state.asked, first.headers.get('x-ratelimit-remaining-requests')]).toEqual([
      200,
      2,
      '0',
    ])
    expect((await ask(made, question())).status).toBe(429)
  })
})

describe('answers of a key with limits', () => {
  it('say what is left, of the nearer limit; others say nothing', async () => {
    const { made } = gateway({
      key: { requestsPerMinute: 50, tokensPerMinute: 9_000 },
      tenant: { requestsPerMinute: 10, tokensPerMinute: 100_000 },
    })
    for (const body of [question({ max_tokens: 90 }), streamed({ max_tokens: 90 })]) {
      const { status, headers } = await ask(made, body)
      expect(status).toBe(200)
      expect(headers.get('x-ratelimit-limit-requests')).toBe('10')
      expect(headers.get('x-ratelimit-reset-requests')).toBe('1m0s')
      expect(headers.get('x-ratelimit-limit-tokens')).toBe('9000')
      expect(Number(headers.get('x-ratelimit-remaining-tokens'))).toBeGreaterThan(8_700)
    }
    const bad = await ask(made, question({ temperature: 9 }))
    expect([bad.status, bad.headers.get('x-ratelimit-remaining-requests')]).toEqual([400, '8'])
    const plain = await ask(gateway({}).made, question())
    expect([...plain.headers.keys()].filter((name) => /ratelimit|beast-limits/.test(name))).toEqual([])
  })
})

describe('answers from the cache', () => {
  it('are limited by the isolate’s own count, with an exact time, and ask no account', async () => {
    const { made, state } = gateway({ key: { requestsPerMinute: 3, tokensPerMinute: 10_000 } })
    const same = question({ max_tokens: 100 })
    const given = [await ask(made, same)]
    later(2_000)
    given.push(await ask(made, same), await ask(made, same))
    expect(given.map(({ headers }) => headers.get('x-ratelimit-remaining-requests'))).toEqual(['2', '1', '0'])
    expect(given[2]?.headers.get('x-ratelimit-remaining-tokens')).toBe(
      given[0]?.headers.get('x-ratelimit-remaining-tokens'),
    )
    expect(given[2]?.event.cache).toBe('hit')
    const refused = await ask(made, same)
    expect([refused.status, refused.headers.get('retry-after-ms'), state.asked]).toEqual([429, '58000', 1])
    expect(refused.event).toMatchObject({ cache: 'none', outcome: 'client_error' })
    later(57_999)
    expect((await ask(made, same)).status).toBe(429)
    later(1)
    expect([(await ask(made, same)).status, (await ask(made, same)).status]).toEqual([200, 429])
    // What was counted here alone leaves the account's count as it is.
    expect((await ask(made, question())).status).toBe(200)
  })
})

describe('a maximum of tokens', () => {
  it('refuses more, is sent where none is given, and the caller’s own is kept', async () => {
    const { made } = gateway({ key: { maxTokens: 200 }, tenant: { maxTokens: 300 } })
    const refused = await ask(made, question({ max_tokens: 201 }))
    expect([refused.status, refused.error?.code, refused.error?.param]).toEqual([
      400,
      'over_token_limit',
      'max_tokens',
    ])
    expect(refused.error).toMatchObject({ tip: expect.stringContaining('200'), context: { of: 'key' } })
    await ask(made, question({ max_completion_tokens: 50 }))
    expect(sentBody(a).max_completion_tokens).toBe(50)
    expect(sentBody(a).max_tokens).toBeUndefined()
    await ask(made, question({ max_tokens: null }))
    expect(sentBody(a).max_tokens).toBe(200)
    a.set(answer(500, '{}'))
    const other = await ask(made, question())
    expect(results(other).at(-1)).toBe('two answered')
    expect(sentBody(b).max_tokens).toBe(200)
  })

  it('under a hard budget the smaller of both is sent', async () => {
    for (const [maxTokens, sent] of [
      [200, 200],
      [9_000, 4_096],
    ] as const) {
      const { made, account } = gateway({ key: { maxTokens } }, { budget: 'hard' })
      account.setBudgets([{ keyId: null, period: 'day', limitNanoUsd: 1e9, isHard: true }], [])
      expect((await ask(made, question())).status).toBe(200)
      expect(sentBody(a).max_tokens).toBe(sent)
    }
  })

  it('that may have cut an answer keeps it out of the cache, which other keys read', async () => {
    const stored = async (maxTokens: number, more: object = {}) => {
      const { made } = gateway({ key: { maxTokens } })
      await ask(made, question(more))
      return made.stored.length
    }
    const { outputTokens } = (await ask(gateway({}).made, question())).event.usage ?? { outputTokens: 0 }
    expect(outputTokens).toBeGreaterThan(0)
    expect(await stored(outputTokens)).toBe(0)
    expect(await stored(outputTokens + 1)).toBe(1)
    expect(await stored(outputTokens, { max_tokens: outputTokens })).toBe(1)
  })

  it('a minute’s tokens refuse what alone is more', async () => {
    const { made } = gateway({ tenant: { tokensPerMinute: 500 } })
    const refused = await ask(made, question({ max_tokens: 600 }))
    expect([refused.status, refused.error?.code]).toEqual([400, 'over_token_limit'])
    expect(refused.headers.get('retry-after')).toBeNull()
  })
})

describe('an account that does not answer', () => {
  it('lets pass what the isolate’s own count allows, and the answer says so', async () => {
    const { made, state } = gateway({ key: { requestsPerMinute: 2, maxTokens: 100 } }, { isAway: true })
    for (let i = 0; i < 2; i++) {
      const { status, headers } = await ask(made, question())
      expect([status, headers.get('x-beast-limits')]).toEqual([200, 'unchecked'])
      expect(headers.get('x-ratelimit-remaining-requests')).toBe(String(1 - i))
    }
    expect(sentBody(a).max_tokens).toBe(100)
    const refused = await ask(made, question())
    expect([refused.status, refused.headers.get('retry-after-ms')]).toEqual([429, '60000'])
    expect((await ask(made, question({ max_tokens: 101 }))).error?.code).toBe('over_token_limit')
    state.isAway = false
    const back = await ask(made, question())
    expect([back.status, back.headers.get('x-beast-limits')]).toEqual([200, null])
  })

  it('under a hard budget refuses, as ever', async () => {
    const { made } = gateway({ key: { requestsPerMinute: 2 } }, { isAway: true, budget: 'hard' })
    expect((await ask(made, question())).error?.code).toBe('store_unavailable')
  })
})
