import type { ListPrice } from '../models/provider.ts'
import type { Needs } from './needs.ts'
import type { Candidate, Strategy } from './strategy.ts'

/** Reckoned with where the caller names no maximum; it only compares models, and bills nobody. */
const TYPICAL_OUTPUT_TOKENS = 500
/** What costs at most so many times the cheapest is as cheap, so that speed may decide between them. */
const AS_CHEAP = 1.1
/** Below a millionth of a dollar a request is free; keeps ratios to a free model finite. */
const NOTHING_USD = 1e-6

/** What is known of the prices of one rank. */
interface Span {
  readonly rank: number
  cheapest: number
  dearest: number
}

/**
 * Cheaper first within a rank, by what this request is likely to cost: 1 for the cheapest of the rank, a half for
 * what costs twice as much. A model without a price gets nothing: it may cost anything.
 */
export const cheaper: Strategy = {
  name: 'cost',
  order: (candidates, { needs }) => {
    const spans = spansOf(candidates, needs)
    if (spans.length === 0) return candidates
    return candidates.map((candidate) => {
      const { model, rank, score, reasons, excluded } = candidate
      const cost = estimatedCostUsd(model.price, needs)
      const span = spanOf(spans, rank)
      if (!span || Number.isNaN(cost)) return candidate
      const share = shareOf(span.cheapest, cost)
      const stands = share === 1 && shareOf(span.cheapest, span.dearest) < 1
      return {
        model,
        rank,
        score: score + share,
        reasons: stands ? [...reasons, 'cheaper'] : reasons,
        excluded,
      }
    })
  },
}

/** @returns US dollars; NaN where the price is unknown or makes no sense */
export function estimatedCostUsd(price: ListPrice | undefined, needs: Needs): number {
  if (!price) return Number.NaN
  const output = needs.outputTokens || TYPICAL_OUTPUT_TOKENS
  const cost = (needs.inputTokens * price.inputUsdPerMTok + output * price.outputUsdPerMTok) / 1e6
  return cost >= 0 && cost < Number.POSITIVE_INFINITY ? cost : Number.NaN
}

function spansOf(candidates: readonly Candidate[], needs: Needs): readonly Span[] {
  const spans: Span[] = []
  for (const { model, rank } of candidates) {
    const cost = estimatedCostUsd(model.price, needs)
    if (Number.isNaN(cost)) continue
    const span = spanOf(spans, rank)
    if (!span) spans.push({ rank, cheapest: cost, dearest: cost })
    else if (cost < span.cheapest) span.cheapest = cost
    else if (cost > span.dearest) span.dearest = cost
  }
  return spans
}

/** There are four ranks: walking them is quicker than any map. */
function spanOf(spans: readonly Span[], rank: number): Span | undefined {
  for (const span of spans) if (span.rank === rank) return span
  return undefined
}

function shareOf(cheapest: number, cost: number): number {
  const times = (cost + NOTHING_USD) / (cheapest + NOTHING_USD)
  return times <= AS_CHEAP ? 1 : 1 / times
}
