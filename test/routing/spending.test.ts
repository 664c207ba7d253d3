import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SpendAsk, SpendVerdict } from '../../src/cost/spend.ts'
import type { PredictionRow } from '../../src/feedback/prediction.ts'
import type { Accounts } from '../../src/routing/spending.ts'
import { ask, question, results, routingGateway } from '../support/routing-gateway.ts'
import { inOrder, providerAt, type RoutingOptions } from '../support/routing-services.ts'
import { answer, blackHole, startUpstream, type UpstreamFaults, well } from '../support/upstream-faults.ts'

let a: UpstreamFaults
let b: UpstreamFaults
beforeAll(async () => {
  ;[a, b] = await Promise.all([startUpstream(), startUpstream()])
})
beforeEach(() => {
  for (const upstream of [a, b]) upstream.set(well('an answer'))
})
afterAll(() => Promise.all([a?.close(), b?.close()]))

const WATCHED: SpendVerdict = { kind: 'allowed', isWatched: true, isHard: true }
const UNWATCHED: SpendVerdict = { kind: 'allowed', isWatched: false, isHard: false }
const EXCEEDED: SpendVerdict = {
  kind: 'exceeded',
  budget: {
    keyId: 'key',
    period: 'day',
    limitNanoUsd: 2e9,
    isHard: true,
    spentNanoUsd: 1.5e9,
    reservedNanoUsd: 25e7,
    resetsAtMs: Date.parse('2026-11-22T00:00:00Z'),
  },
}

/** An account that says what the test wants, and remembers what it was asked. */
function account(says: (ask: SpendAsk | undefined, call: number) => SpendVerdict | Error | 'nothing') {
  const asked: (SpendAsk | undefined)[] = []
  const announced: (PredictionRow | undefined)[] = []
  const accounts: Accounts = {
    maySpend: async (_tenantId, _keyId, abandoned, ask) => {
      announced.push(abandoned)
      const verdict = says(ask, asked.push(ask))
      if (verdict instanceof Error) throw verdict
      return verdict === 'nothing' ? new Promise(() => {}) : verdict
    },
  }
  return { accounts, asked, announced }
}

const price = (usd: number) => ({ inputUsdPerMTok: usd, outputUsdPerMTok: usd })
const gateway = (accounts: Accounts, more: Partial<RoutingOptions> = {}) =>
  routingGateway({
    providers: [
      { ...providerAt('dear', a.url), price: price(50) },
      { ...providerAt('cheap', b.url), price: price(1) },
    ],
    aliases: [inOrder('m', 'dear:m', 'cheap:m')],
    accounts,
    ...more,
  })

describe('a request of a tenant without budgets', () => {
  it('asks once, whatever it tries, and has no bound worked out', async () => {
    a.set(answer(500, '{}'))
    const { accounts, asked, announced } = account(() => UNWATCHED)
    const told = await ask(gateway(accounts), question())
    expect(results(told)).toEqual(['dear failed failed', 'cheap answered'])
    expect(asked).toEqual([undefined])
    expect(announced[0]).toMatchObject({ error_code: 'abandoned' })
  })

  it('that has got one meanwhile asks again with a bound, and is announced with it', async () => {
    const { accounts, asked, announced } = account((ask) => (ask ? WATCHED : { kind: 'unasked' }))
    const told = await ask(gateway(accounts), question())
    expect(told.status).toBe(200)
    expect(asked).toEqual([undefined, expect.objectContaining({ attempt: 0 })])
    expect(announced.every((row) => row !== undefined)).toBe(true)
    expect(JSON.parse(a.seen[0]?.body ?? '').max_tokens).toBe(4_096)
  })
})

describe('a request under a budget', () => {
  it('asks before each call, whose place and bound it names, and reserves what it sends', async () => {
    a.set(answer(500, '{}'))
    const { accounts, asked, announced } = account(() => WATCHED)
    const told = await ask(gateway(accounts, { budget: 'hard' }), question({ max_tokens: 10 }))
    expect(asked.map((each) => [each?.attempt, each?.call.route])).toEqual([
      [0, 'dear:m'],
      [1, 'cheap:m'],
    ])
    expect(announced.map((row) => row !== undefined)).toEqual([true, false])
    expect(told.event.attempts.map(({ reservedNanoUsd }) => reservedNanoUsd)).toEqual(
      asked.map((each) => each?.nanoUsd),
    )
    expect(asked[0]?.nanoUsd).toBeGreaterThan(40 * (asked[1]?.nanoUsd ?? Number.NaN))
    expect(JSON.parse(b.seen[0]?.body ?? '').max_tokens).toBe(10)
  })

  it('tries a cheaper model where the dearer does not fit, and no breaker minds', async () => {
    const { accounts, announced } = account(({ call } = {} as SpendAsk) =>
      call.route === 'dear:m' ? EXCEEDED : WATCHED,
    )
    const made = gateway(accounts, { budget: 'hard' })
    for (let i = 0; i < 10; i++) {
      const told = await ask(made, question())
      expect([told.status, results(told)]).toEqual([200, ['cheap answered']])
    }
    expect(a.seen).toHaveLength(0)
    expect(announced.every((row) => row !== undefined)).toBe(true)
  })

  it('is told whose budget it is, how far it is used, and until when', async () => {
    const { accounts, asked } = account(() => EXCEEDED)
    const told = await ask(gateway(accounts, { budget: 'hard' }), question())
    expect([told.status, told.error?.code]).toEqual([402, 'budget_exceeded'])
    expect(told.error?.message).toMatch(/this API key for this day.* \$2\.0000, \$1\.5000 .*\$0\.2500 /)
    expect(told.error?.tip).toContain('2026-11-22T00:00:00.000Z')
    expect(told.event).toMatchObject({ outcome: 'client_error', attempts: [], announced: true })
    expect(asked).toHaveLength(2)
  })

  it('asks no more for what costs as much as was refused', async () => {
    const { accounts, asked } = account(() => EXCEEDED)
    await ask(gateway(accounts, { budget: 'hard', aliases: [inOrder('m', 'cheap:m', 'dear:m')] }), question())
    expect(asked).toHaveLength(1)
  })

  it('that has no bound is refused by name, and where the model has no price', async () => {
    const { accounts, asked } = account(() => ({ kind: 'unbounded' }))
    const told = await ask(gateway(accounts, { budget: 'hard' }), question({ web_search_options: {} }))
    expect([told.status, told.error?.code, told.error?.param]).toEqual([
      422,
      'cost_unbounded',
      'web_search_options',
    ])
    expect(asked).toEqual([expect.objectContaining({ nanoUsd: undefined })])
    const unpriced = gateway(accounts, { budget: 'hard', providers: [providerAt('own', a.url)], aliases: [] })
    expect((await ask(unpriced, question({ model: 'own:m' }))).error?.tip).toMatch(/price/)
  })

  it('counts what the model’s own name asks for, whatever it was called', async () => {
    const { accounts, asked } = account(() => ({ kind: 'unbounded' }))
    const searching = { ...providerAt('own', a.url), models: ['m:online'], price: price(1) }
    const made = gateway(accounts, {
      budget: 'hard',
      providers: [searching],
      aliases: [inOrder('m', 'own:m:online')],
    })
    const told = await ask(made, question())
    expect([told.error?.code, told.error?.param]).toEqual(['cost_unbounded', 'model'])
    expect(asked).toEqual([expect.objectContaining({ nanoUsd: undefined })])
  })

  it('with a revoked key ends at once', async () => {
    const { accounts, asked } = account(() => ({ kind: 'revoked' }))
    const told = await ask(gateway(accounts), question())
    expect([told.status, asked.length, a.seen.length + b.seen.length]).toEqual([401, 1, 0])
  })

  it('reserves for a hedge too, and goes without one that does not fit', async () => {
    a.set(blackHole)
    const yes = account(() => WATCHED)
    const hedged = await ask(gateway(yes.accounts, { budget: 'hard', hedgeAfterMs: 20 }), question())
    expect(results(hedged)).toEqual(['dear abandoned', 'cheap answered'])
    expect(yes.asked.map((each) => each?.attempt)).toEqual([0, 1])
    const gate = Promise.withResolvers<void>()
    a.set(async (exchange) => {
      await gate.promise
      await well('late')(exchange)
    })
    const no = account((_ask, call) => {
      if (call === 1) return WATCHED
      gate.resolve()
      return EXCEEDED
    })
    const alone = await ask(gateway(no.accounts, { budget: 'hard', hedgeAfterMs: 20 }), question())
    expect(results(alone)).toEqual(['dear answered'])
  })
})

describe('an account that does not answer', () => {
  it.each([['in time', 'nothing'] as const, ['at all', new Error('Network connection lost')] as const])(
    '%s: a hard budget refuses, a soft one passes',
    async (_how, says) => {
      const { accounts } = account(() => says)
      const refused = await ask(gateway(accounts, { budget: 'hard' }), question())
      expect([refused.status, refused.error?.code]).toEqual([503, 'store_unavailable'])
      expect(refused.headers.get('retry-after')).toBe('5')
      expect(a.seen.length + b.seen.length).toBe(0)
      for (const budget of ['soft', 'none'] as const)
        expect((await ask(gateway(accounts, { budget }), question())).status).toBe(200)
    },
  )

  it('once it has told of a budget is not passed by', async () => {
    const { accounts, asked } = account((ask) =>
      ask ? new Error('Network connection lost') : { kind: 'unasked' },
    )
    const told = await ask(gateway(accounts), question())
    expect([told.status, told.error?.code, asked.length]).toEqual([503, 'store_unavailable', 2])
    expect(a.seen.length + b.seen.length).toBe(0)
  })

  it('in the middle of a request ends it under a hard budget, also where that was not known before', async () => {
    a.set(answer(500, '{}'))
    const { accounts } = account((ask, call) => {
      if (!ask) return { kind: 'unasked' }
      return call <= 2 ? WATCHED : new Error('Network connection lost')
    })
    const told = await ask(gateway(accounts), question())
    expect([told.status, results(told)]).toEqual([503, ['dear failed failed']])
    expect(told.headers.get('x-should-retry')).toBe('false')
  })
})
