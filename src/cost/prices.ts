import type { ListPrice } from '../models/provider.ts'
import { addNanoUsd, type NanoUsd, toNanoUsd } from './nano-usd.ts'
import type { RateBound } from './rate-bound.ts'
import { reconcile, type UsageCounts } from './usage.ts'

export interface Price {
  readonly inputNanoUsd: NanoUsd
  readonly outputNanoUsd: NanoUsd
  /** For the request itself and for paid tools. */
  readonly otherNanoUsd: NanoUsd
  readonly totalNanoUsd: NanoUsd
  readonly source: 'own' | 'list'
  /** The row that it was reckoned by. */
  readonly modelId: string
  /** The parts of the usage contradicted its totals, and were mended or left out. */
  readonly contradictory: boolean
}

/** What usage costs. */
export interface Prices {
  /** @returns undefined where no price is known: unpriced, which is to be flagged and is never the same as free */
  priceOf(usage: UsageCounts, providerId: string, model: string, atMs: number): Price | undefined
}

/** The most that a token may cost. */
export interface Bounds {
  /** @returns undefined where no price is known */
  boundOf(providerId: string, model: string, atMs: number): RateBound | undefined
}

/** A price that a team stated: its own contract, or its own model. */
export interface OwnPrice extends ListPrice {
  readonly providerId: string
  readonly model: string
  /** Where absent, cached tokens cost what others do. */
  readonly cacheReadUsdPerMTok?: number | undefined
  readonly cacheWriteUsdPerMTok?: number | undefined
  /** For each request, on top. */
  readonly requestUsd?: number | undefined
  /** From when on it holds; always, where absent. Of several the latest holds. */
  readonly fromMs?: number | undefined
}

/** A team's own prices, by exact name. */
export function ownPrices(rows: readonly OwnPrice[]): Prices & Bounds {
  const find = (providerId: string, model: string, atMs: number): OwnPrice | undefined =>
    rows
      .filter((row) => row.providerId === providerId && row.model === model && from(row) <= atMs)
      .reduce<OwnPrice | undefined>((best, row) => (best && from(best) >= from(row) ? best : row), undefined)
  return {
    priceOf(usage, providerId, model, atMs) {
      const row = find(providerId, model, atMs)
      return row && priceByRow(row, usage)
    },
    boundOf(providerId, model, atMs) {
      const row = find(providerId, model, atMs)
      if (!row) return undefined
      const { inputUsdPerMTok: input, cacheReadUsdPerMTok: read = 0, cacheWriteUsdPerMTok: write = 0 } = row
      return {
        inputUsdPerMTok: Math.max(input, read, write),
        outputUsdPerMTok: row.outputUsdPerMTok,
        requestUsd: row.requestUsd ?? 0,
      }
    },
  }
}

/** The first that knows a price has the word: a team's own before the list. */
export const firstPriced = (...all: readonly Prices[]): Prices => ({
  priceOf(usage, providerId, model, atMs) {
    for (const each of all) {
      const price = each.priceOf(usage, providerId, model, atMs)
      if (price) return price
    }
    return undefined
  },
})

export const firstBounded = (...all: readonly Bounds[]): Bounds => ({
  boundOf(providerId, model, atMs) {
    for (const each of all) {
      const bound = each.boundOf(providerId, model, atMs)
      if (bound) return bound
    }
    return undefined
  },
})

/** What providers take of their list price for a batch. The list has no batch prices of its own. */
const BATCH_SHARES: ReadonlyMap<string, number> = new Map([
  ['openai', 0.5],
  ['anthropic', 0.5],
  ['google', 0.5],
  ['gemini', 0.5],
  ['mistral', 0.5],
  ['groq', 0.5],
])

/** The price of the same answer given in a batch; the full one where no discount is known, and for a team's own. */
export function inBatch(price: Price, providerId: string): Price {
  const share = price.source === 'list' ? (BATCH_SHARES.get(providerId) ?? 1) : 1
  const inputNanoUsd = Math.ceil(price.inputNanoUsd * share)
  const outputNanoUsd = Math.ceil(price.outputNanoUsd * share)
  const totalNanoUsd = addNanoUsd(inputNanoUsd, outputNanoUsd, price.otherNanoUsd)
  return { ...price, inputNanoUsd, outputNanoUsd, totalNanoUsd }
}

const from = (row: OwnPrice): number => row.fromMs ?? Number.NEGATIVE_INFINITY

function priceByRow(row: OwnPrice, usage: UsageCounts): Price {
  const { cache_read_tokens: read = 0, cache_write_tokens: write = 0 } = usage
  const mended = reconcile(usage)
  const input = Math.max(mended.input_tokens ?? 0, read + write)
  const {
    inputUsdPerMTok,
    cacheReadUsdPerMTok = inputUsdPerMTok,
    cacheWriteUsdPerMTok = inputUsdPerMTok,
  } = row
  const inputUsd =
    (input - read - write) * inputUsdPerMTok + read * cacheReadUsdPerMTok + write * cacheWriteUsdPerMTok
  const inputNanoUsd = toNanoUsd(inputUsd / 1e6)
  const outputNanoUsd = toNanoUsd(((mended.output_tokens ?? 0) * row.outputUsdPerMTok) / 1e6)
  const otherNanoUsd = toNanoUsd(row.requestUsd ?? 0)
  return {
    inputNanoUsd,
    outputNanoUsd,
    otherNanoUsd,
    totalNanoUsd: addNanoUsd(inputNanoUsd, outputNanoUsd, otherNanoUsd),
    source: 'own',
    modelId: row.model,
    contradictory: input !== (usage.input_tokens ?? 0) || mended.output_tokens !== (usage.output_tokens ?? 0),
  }
}
