import type { ListPrice } from '../models/model.ts'
import type { Needs } from './needs.ts'
import type { Candidate, Strategy } from './strategy.ts'

/** Reckoned with where the caller names no maximum; it only compares models, and bills nobody. */
const TYPICAL_OUTPUT_TOKENS = 500
/** Prices that lie closer together than this are one price, so that speed may decide between them. */
const STEP = Math.log(1.1)
/** Below a millionth of a dollar a request is free; keeps ratios to a free model finite. */
const NOTHING_USD = 1e-6

interface Span {
  cheapest: number
  dearest: number
}

/**
 * Cheaper first within a rank, by what this request is likely to cost: 1 for the cheapest of the rank, less with
 * every tenth that a model costs more. A model without a price gets nothing: it may cost anything.
 */
export const cheaper: Strategy = {
  name: 'cost',
  apply: (candidates, { needs }) => {
    const spans = spansByRank(candidates, needs)
    return candidates.map((candidate) => {
      const cost = usableCost(candidate, needs)
      const span = spans.get(candidate.rank)
      if (cost === undefined || !span) return candidate
      const steps = stepsAbove(span.cheapest, cost)
      const isCheapest = steps === 0 && stepsAbove(span.cheapest, span.dearest) > 0
      const { model, rank, reasons } = candidate
      return {
        model,
        rank,
        score: candidate.score + 1 / (1 + steps / 10),
        reasons: isCheapest ? [...reasons, 'cheaper'] : reasons,
      }
    })
  },
}

/** @returns US dollars; undefined where the price is unknown or makes no sense */
export function estimatedCostUsd(price: ListPrice | undefined, needs: Needs): number | undefined {
  if (!price) return undefined
  const output = needs.outputTokens || TYPICAL_OUTPUT_TOKENS
  const cost = (needs.inputTokens * price.inputUsdPerMTok + output * price.outputUsdPerMTok) / 1e6
  return cost >= 0 && Number.isFinite(cost) ? cost : undefined
}

const usableCost = ({ model, excluded }: Candidate, needs: Needs): number | undefined =>
  excluded ? undefined : estimatedCostUsd(model.price, needs)

function spansByRank(candidates: readonly Candidate[], needs: Needs): ReadonlyMap<number, Span> {
  const spans = new Map<number, Span>()
  for (const candidate of candidates) {
    const cost = usableCost(candidate, needs)
    if (cost === undefined) continue
    const span = spans.get(candidate.rank)
    if (!span) spans.set(candidate.rank, { cheapest: cost, dearest: cost })
    else if (cost < span.cheapest) span.cheapest = cost
    else if (cost > span.dearest) span.dearest = cost
  }
  return spans
}

const stepsAbove = (cheapest: number, cost: number): number =>
  Math.floor(Math.log((cost + NOTHING_USD) / (cheapest + NOTHING_USD)) / STEP)
