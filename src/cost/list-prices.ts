import { calcPrice, type Provider } from '@pydantic/genai-prices'
import { listedName } from './names.ts'
import { addNanoUsd, toNanoUsd } from './nano-usd.ts'
import type { PriceTable } from './price-table.ts'
import type { Price, Prices } from './prices.ts'
import { reconcile, type UsageCounts, withoutParts } from './usage.ts'

/** As the table gives it, before it is rounded to what is booked. */
export interface ListedPrice {
  readonly inputUsd: number
  readonly outputUsd: number
  readonly totalUsd: number
  readonly modelId: string
  readonly contradictory: boolean
}

export interface ListPrices extends Prices {
  listed(usage: UsageCounts, providerId: string, model: string, atMs: number): ListedPrice | undefined
}

/** List prices: dated, tiered, cached tokens at their own price. Holds no state but the table. */
export function listPrices(table: PriceTable): ListPrices {
  const providers = new Map(table.map((provider) => [provider.id, withFallbacks(provider, table)]))
  const listed: ListPrices['listed'] = (usage, providerId, model, atMs) => {
    const provider = providers.get(listedName(providerId))
    return provider && priceAt(provider, usage, model, atMs)
  }
  return {
    listed,
    priceOf(usage, providerId, model, atMs) {
      const price = listed(usage, providerId, model, atMs)
      return price && booked(price)
    },
  }
}

/** A provider that resells others' models at their price looks through those too; its own come first. */
export function withFallbacks(provider: Provider, table: PriceTable): Provider {
  const names = provider.fallback_model_providers ?? []
  const more = names.flatMap((id) => table.find((each) => each.id === id)?.models ?? [])
  return more.length === 0 ? provider : { ...provider, models: [...provider.models, ...more] }
}

/** The calculation refuses parts that contradict their total: they are mended then, or else left out. */
function priceAt(
  provider: Provider,
  usage: UsageCounts,
  model: string,
  atMs: number,
): ListedPrice | undefined {
  const timestamp = new Date(atMs)
  for (const mend of [(counts: UsageCounts) => counts, reconcile, withoutParts]) {
    try {
      const price = calcPrice({ ...mend(usage) }, model, { provider, timestamp })
      if (!price) return undefined
      return {
        inputUsd: price.input_price,
        outputUsd: price.output_price,
        totalUsd: price.total_price,
        modelId: price.model.id,
        contradictory: mend === reconcile || mend === withoutParts,
      }
    } catch {
      // The next way of mending may do; where none does, no price is known.
    }
  }
  return undefined
}

function booked({ inputUsd, outputUsd, totalUsd, modelId, contradictory }: ListedPrice): Price {
  const inputNanoUsd = toNanoUsd(inputUsd)
  const outputNanoUsd = toNanoUsd(outputUsd)
  const otherNanoUsd = toNanoUsd(Math.max(0, totalUsd - inputUsd - outputUsd))
  return {
    inputNanoUsd,
    outputNanoUsd,
    otherNanoUsd,
    totalNanoUsd: addNanoUsd(inputNanoUsd, outputNanoUsd, otherNanoUsd),
    source: 'list',
    modelId,
    contradictory,
  }
}
