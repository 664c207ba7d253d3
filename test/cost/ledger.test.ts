import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { book, type ProviderCall, parseBaseline, priceCall, priceSaved } from '../../src/cost/ledger.ts'
import { listPrices } from '../../src/cost/list-prices.ts'
import { bundledTable } from '../../src/cost/price-table.ts'
import type { Prices } from '../../src/cost/prices.ts'

const AT = '2026-11-20T12:00:00.000Z'
const REQUEST = {
  prediction_id: 'p',
  tenant_id: 't',
  key_id: 'k',
  created_at: AT,
  settled_as: 'settled',
  tags: { team: 'search' },
} as const
const call = (more: Partial<ProviderCall> = {}): ProviderCall => ({
  route: 'openai:gpt-4o-mini',
  provider: 'openai',
  model: 'gpt-4o-mini',
  endpoint: 'openai',
  result: 'answered',
  ms: 12,
  mayBeBilled: true,
  sentBytes: 400,
  saidBytes: 40,
  usage: { inputTokens: 1_000, outputTokens: 100 },
  ...more,
})

let prices: Prices
beforeAll(async () => {
  prices = listPrices(await bundledTable())
})

const priced = (more: Partial<ProviderCall>) => priceCall(call(more), prices, Date.parse(AT))

describe('a call', () => {
  it("costs what its provider lists, cached tokens at their own price, and a team's own price before", () => {
    // $0.15 and $0.60 for a million; cached $0.075.
    expect(priced({})).toEqual({
      nanoUsd: 150_000 + 60_000,
      by: 'list',
      inputTokens: 1_000,
      outputTokens: 100,
      isEstimated: false,
    })
    expect(priced({ usage: { inputTokens: 1_000, outputTokens: 100, cachedTokens: 800 } }).nanoUsd).toBe(
      30_000 + 60_000 + 60_000,
    )
    expect(priced({ price: { inputUsdPerMTok: 1, outputUsdPerMTok: 2 } })).toMatchObject({
      nanoUsd: 1_200_000,
      by: 'own',
    })
    expect(priced({ price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } })).toMatchObject({
      nanoUsd: 0,
      by: 'own',
    })
  })

  it('of a model that nobody has a price for is flagged, and not called free', () => {
    expect(priced({ model: 'no-such-model' })).toMatchObject({
      nanoUsd: 0,
      by: 'unpriced',
      inputTokens: 1_000,
    })
    expect(priced({ provider: 'custom' })).toMatchObject({ by: 'unpriced' })
  })

  it('that cannot have been billed is free, whatever it told', () => {
    expect(priced({ mayBeBilled: false, result: 'failed' })).toMatchObject({ nanoUsd: 0, by: 'free' })
  })

  it('whose tokens nobody told is guessed from its bytes, and flagged', () => {
    expect(priced({ usage: undefined })).toEqual({
      nanoUsd: 100 * 150 + 10 * 600,
      by: 'list',
      inputTokens: 100,
      outputTokens: 10,
      isEstimated: true,
    })
  })

  it('that nobody told the end of costs the most that it may, where that was reserved', () => {
    const cut = { usage: undefined, result: 'cancelled', reservedNanoUsd: 5_000_000 } as const
    expect(priced(cut)).toEqual({
      nanoUsd: 5_000_000,
      by: 'list',
      inputTokens: null,
      outputTokens: null,
      isEstimated: true,
    })
    expect(priced({ ...cut, result: 'answered' }).nanoUsd).toBe(100 * 150 + 10 * 600)
    expect(priced({ ...cut, usage: { inputTokens: 1_000, outputTokens: 100 } }).nanoUsd).toBe(210_000)
    expect(priced({ ...cut, mayBeBilled: false }).nanoUsd).toBe(0)
  })

  it.each([-5, Number.NaN, 1e12, Number.POSITIVE_INFINITY, 1.5])(
    'of %s tokens costs something finite',
    (tokens) => {
      const { nanoUsd, inputTokens, isEstimated } = priced({
        usage: { inputTokens: tokens, outputTokens: tokens },
      })
      expect(Number.isSafeInteger(nanoUsd) && nanoUsd >= 0).toBe(true)
      expect(inputTokens).toBe(tokens === 1.5 ? 2 : 100)
      expect(isEstimated).toBe(tokens !== 1.5)
    },
  )

  it('never costs less than nothing, nor more than can be written down', () => {
    const tokens = fc.oneof(fc.integer(), fc.double(), fc.nat({ max: 200_000 }))
    const usage = fc.option(
      fc.record({ inputTokens: tokens, outputTokens: tokens, cachedTokens: tokens, reasoningTokens: tokens }),
      { nil: undefined },
    )
    fc.assert(
      fc.property(usage, fc.nat(), fc.nat(), (told, sentBytes, saidBytes) => {
        const { nanoUsd } = priced({ usage: told, sentBytes, saidBytes })
        expect(Number.isSafeInteger(nanoUsd) && nanoUsd >= 0).toBe(true)
      }),
    )
  })
})

it('a request is one row, and one for each of its calls that may be billed, whose costs add up', () => {
  const calls = [
    call({ result: 'failed', failure: 'rate_limited', mayBeBilled: false }),
    call(),
    call({ model: '?' }),
  ]
  const booked = book(REQUEST, calls, prices)
  expect(booked?.ledger).toEqual({
    ...REQUEST,
    cost_usd: 0.00021,
    unpriced: true,
    baseline_model: null,
    baseline_usd: null,
  })
  expect(
    booked?.attempts.map(({ attempt, result, failure, cost_usd, priced_by }) => [
      attempt,
      result,
      failure,
      cost_usd,
      priced_by,
    ]),
  ).toEqual([
    [2, 'answered', null, 0.00021, 'list'],
    [3, 'answered', null, 0, 'unpriced'],
  ])
  expect(book(REQUEST, [], prices)).toBeUndefined()
  const unsent = call({ result: 'failed', mayBeBilled: false, wasNeverSent: true })
  expect(book(REQUEST, [unsent], prices)).toBeUndefined()
  expect(book(REQUEST, [unsent, calls[0] as ProviderCall], prices)).toMatchObject({
    ledger: { cost_usd: 0 },
    attempts: [],
  })
})

it('a hit saved what its answer cost', () => {
  const tokens = {
    provider: 'openai',
    model: 'gpt-4o-mini',
    usage: { inputTokens: 1_000, outputTokens: 100 },
  }
  expect(priceSaved(tokens, prices, Date.parse(AT))).toBe(210_000)
  expect(priceSaved({ ...tokens, usage: undefined }, prices, Date.parse(AT))).toBe(0)
  expect(priceSaved({ ...tokens, model: '?' }, prices, Date.parse(AT))).toBe(0)
})

it('is compared with what its tokens cost on the named model, where both have a price', () => {
  const compared = (baseline: string | undefined, calls = [call()]) => {
    const { baseline_model, baseline_usd } =
      book(REQUEST, calls, prices, parseBaseline(baseline))?.ledger ?? {}
    return [baseline_model, baseline_usd]
  }
  // $2.50 and $10 for a million.
  expect(compared('openai:gpt-4o')).toEqual(['openai:gpt-4o', 0.0035])
  // What failed before it would have failed there, too.
  const failed = call({ result: 'failed', failure: 'timeout' })
  expect(compared('openai:gpt-4o', [failed, call()])).toEqual(['openai:gpt-4o', 0.0035])
  // A team's own price is of its own model.
  const own = call({ price: { inputUsdPerMTok: 9, outputUsdPerMTok: 9 } })
  expect(compared('openai:gpt-4o', [own])).toEqual(['openai:gpt-4o', 0.0035])
  for (const name of [undefined, '', 'gpt-4o', 'openai:', ':gpt-4o', 'nobody:nothing'])
    expect(compared(name)).toEqual([null, null])
  expect(compared('openai:gpt-4o', [failed])).toEqual([null, null])
  expect(compared('openai:gpt-4o', [call({ model: '?' })])).toEqual([null, null])
})
