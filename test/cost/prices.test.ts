import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { listPrices } from '../../src/cost/list-prices.ts'
import { addNanoUsd, toNanoUsd, toNanoUsdUp, toUsd } from '../../src/cost/nano-usd.ts'
import { bundledTable, faultInTable } from '../../src/cost/price-table.ts'
import { firstPriced, inBatch, ownPrices } from '../../src/cost/prices.ts'
import { UNITS } from '../../src/cost/usage.ts'
import { TABLE } from './fixtures.ts'

const AT = Date.parse('2025-11-06T12:00:00Z')
const list = listPrices(TABLE)
const M = 1_000_000

describe('money', () => {
  it('is whole billionths of a dollar', () => {
    expect(toNanoUsd(0.0000375)).toBe(37_500)
    expect(toNanoUsd(1.4e-9)).toBe(1)
    expect(toNanoUsdUp(1.1e-9)).toBe(2)
    expect(toUsd(1_500_000_000)).toBe(1.5)
  })

  it('takes neither a negative sum nor none for free', () => {
    for (const usd of [-1, Number.NaN]) expect(() => toNanoUsd(usd)).toThrow(RangeError)
  })

  it('stays a safe integer', () => {
    expect(toNanoUsd(1e300)).toBe(Number.MAX_SAFE_INTEGER)
    expect(addNanoUsd(Number.MAX_SAFE_INTEGER, 5)).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('list prices', () => {
  it('takes the tier that the whole input lies in', () => {
    const at = (input_tokens: number) => list.priceOf({ input_tokens }, 'acme', 'tiered-1', AT)?.inputNanoUsd
    expect([at(1_000), at(1_001)]).toEqual([1_000_000, 3_003_000])
  })

  it('gives cached tokens and paid tools their own price', () => {
    const usage = {
      input_tokens: 1_000,
      cache_read_tokens: 600,
      cache_write_tokens: 100,
      output_tokens: 10,
      web_searches: 2,
    }
    expect(list.priceOf(usage, 'acme', 'cached-v2', AT)).toEqual({
      inputNanoUsd: 300 * 2_000 + 600 * 200 + 100 * 2_500,
      outputNanoUsd: 80_000,
      otherNanoUsd: 20_000_000,
      totalNanoUsd: 970_000 + 80_000 + 20_000_000,
      source: 'list',
      modelId: 'cached',
      contradictory: false,
    })
  })

  it('holds the price of the day and of the hour', () => {
    const at = (model: string, instant: string) =>
      list.priceOf({ input_tokens: M }, 'acme', model, Date.parse(instant))?.inputNanoUsd
    expect(at('x-2025-11-05', '2025-12-31T23:59:59Z')).toBe(4e9)
    expect(at('x-2025-11-05', '2026-01-01T00:00:00Z')).toBe(2e9)
    expect(at('x-20251105', '2026-01-01T00:00:00Z')).toBe(2e9)
    expect(at('nightly', '2026-01-01T21:59:59Z')).toBe(6e9)
    expect(at('nightly', '2026-01-01T02:00:00Z')).toBe(3e9)
  })

  it('looks through the providers that one resells, its own models first', () => {
    const at = (model: string) => list.priceOf({ input_tokens: M }, 'reseller', model, AT)
    expect(at('tiered-1')).toMatchObject({
      modelId: 'own-tiered',
      inputNanoUsd: 7e9,
      otherNanoUsd: 5_000_000,
    })
    expect(at('cached')).toMatchObject({ modelId: 'cached', inputNanoUsd: 2e9 })
  })

  it('knows no price for what it does not list, which is not the same as free', () => {
    expect(list.priceOf({ input_tokens: 5 }, 'acme', 'unheard-of', AT)).toBeUndefined()
    expect(list.priceOf({ input_tokens: 5 }, 'nobody', 'cached', AT)).toBeUndefined()
    expect(list.priceOf({ input_tokens: 5 }, 'constructor', 'cached', AT)).toBeUndefined()
  })

  it('prices parts that contradict their total the dearer way, and says so', () => {
    const price = list.priceOf(
      { input_tokens: 10, cache_read_tokens: 100, output_tokens: 1 },
      'acme',
      'cached',
      AT,
    )
    expect(price).toMatchObject({ inputNanoUsd: 100 * 200, contradictory: true })
    const both = { input_tokens: 100, cache_read_tokens: 80, cache_write_tokens: 80, output_tokens: 1 }
    expect(list.priceOf(both, 'acme', 'cached', AT)).toMatchObject({
      inputNanoUsd: 200_000,
      contradictory: true,
    })
  })

  it('has a price that is finite and not negative for any usage of a listed model', async () => {
    const table = await bundledTable()
    const bundled = listPrices(table)
    const models = table.flatMap(({ id, models: all }) => all.map((model) => [id, model.id] as const))
    const usage = fc.dictionary(fc.constantFrom(...UNITS), fc.nat(2_000_000))
    let priced = 0
    fc.assert(
      fc.property(fc.constantFrom(...models), usage, ([provider, model], counts) => {
        const price = bundled.priceOf(counts, provider, model, AT)
        if (!price) return
        priced++
        expect(Number.isSafeInteger(price.totalNanoUsd) && price.totalNanoUsd >= 0).toBe(true)
        expect(price.totalNanoUsd).toBe(price.inputNanoUsd + price.outputNanoUsd + price.otherNanoUsd)
      }),
      { numRuns: 1_000 },
    )
    expect(priced).toBeGreaterThan(900)
  })
})

describe('a table from outside', () => {
  it('is judged whole', async () => {
    expect(faultInTable(TABLE)).toBeUndefined()
    expect(faultInTable(await bundledTable())).toBeUndefined()
  })

  it.each([
    ['no table', {}, /whole/],
    ['no providers', [], /whole/],
    [
      'a price below zero',
      [{ id: 'a', models: [{ id: 'm', match: { equals: 'm' }, prices: { input_mtok: -1 } }] }],
      /0\.models\.0\.prices/,
    ],
    [
      'a rule that is no rule',
      [{ id: 'a', models: [{ id: 'm', match: { like: 'm' }, prices: {} }] }],
      /0\.models\.0\.match/,
    ],
    [
      'a pattern that does not parse',
      [{ id: 'a', models: [{ id: 'm', match: { regex: '(' }, prices: {} }] }],
      /match/,
    ],
    [
      'a day that is none',
      [
        {
          id: 'a',
          models: [
            {
              id: 'm',
              match: { equals: 'm' },
              prices: [{ constraint: { start_date: '2026-13-01' }, prices: {} }],
            },
          ],
        },
      ],
      /prices/,
    ],
  ])('is refused with %s', (_, table, place) => {
    expect(faultInTable(table)).toMatch(place)
  })
})

describe("a team's own prices", () => {
  const own = ownPrices([
    {
      providerId: 'acme',
      model: 'cached',
      inputUsdPerMTok: 1,
      outputUsdPerMTok: 5,
      cacheReadUsdPerMTok: 0.1,
    },
    {
      providerId: 'acme',
      model: 'cached',
      inputUsdPerMTok: 3,
      outputUsdPerMTok: 5,
      fromMs: AT,
      requestUsd: 0.01,
    },
  ])
  const prices = firstPriced(own, list)

  it('come before the list, the latest that holds', () => {
    const usage = { input_tokens: 1_000, cache_read_tokens: 400, output_tokens: 100 }
    expect(prices.priceOf(usage, 'acme', 'cached', AT - 1)).toMatchObject({
      inputNanoUsd: 640_000,
      outputNanoUsd: 500_000,
      otherNanoUsd: 0,
      source: 'own',
    })
    expect(prices.priceOf(usage, 'acme', 'cached', AT)).toMatchObject({
      inputNanoUsd: 3_000_000,
      totalNanoUsd: 13_500_000,
    })
  })

  it('leave to the list what they do not name', () => {
    expect(prices.priceOf({ input_tokens: 5 }, 'acme', 'tiered', AT)?.source).toBe('list')
  })

  it('mend a contradiction the dearer way', () => {
    const price = own.priceOf(
      { input_tokens: 1, cache_read_tokens: 1_000, output_tokens: 0 },
      'acme',
      'cached',
      AT - 1,
    )
    expect(price).toMatchObject({ inputNanoUsd: 100_000, contradictory: true })
  })

  it('know the most that a token costs', () => {
    expect(own.boundOf('acme', 'cached', AT)).toEqual({
      inputUsdPerMTok: 3,
      outputUsdPerMTok: 5,
      requestUsd: 0.01,
    })
    expect(own.boundOf('acme', 'tiered', AT)).toBeUndefined()
  })
})

it('halves the list price of a batch where the provider is known to, and never an own price', async () => {
  const usage = { input_tokens: 1_000, output_tokens: 0 }
  const price = listPrices(await bundledTable()).priceOf(usage, 'openai', 'gpt-4o', AT)
  if (!price) throw new Error('gpt-4o is not listed')
  expect(inBatch(price, 'openai').totalNanoUsd).toBe(price.totalNanoUsd / 2)
  expect(inBatch(price, 'acme')).toEqual(price)
  expect(inBatch({ ...price, source: 'own' }, 'openai').totalNanoUsd).toBe(price.totalNanoUsd)
})
