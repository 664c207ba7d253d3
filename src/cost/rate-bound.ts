import type { MatchLogic, ModelInfo, ModelPrice, Provider } from '@pydantic/genai-prices'

/** The most that a model may charge, whatever kind of token it is, at whatever hour and tier. */
export interface RateBound {
  readonly inputUsdPerMTok: number
  readonly outputUsdPerMTok: number
  /** For the request itself. */
  readonly requestUsd: number
}

/** A model's rule and its bound, short enough to be carried by the gateway. */
export type BoundRow = readonly [
  rule: MatchLogic | string,
  inputUsdPerMTok: number,
  outputUsdPerMTok: number,
  requestUsd?: number,
]

const SIDE_KEY = /^(input|cache|output)_.*_?mtok$/

/** The rows of one provider, in the order of its models: the first that fits counts. */
export const boundRows = ({ models }: Provider): readonly BoundRow[] =>
  models.map((model): BoundRow => {
    const { inputUsdPerMTok, outputUsdPerMTok, requestUsd } = boundOfModel(model)
    const rule = 'equals' in model.match ? model.match.equals.toLowerCase() : model.match
    // Models keep their place, also those that answer no chat: the first that fits counts.
    return requestUsd > 0
      ? [rule, inputUsdPerMTok, outputUsdPerMTok, requestUsd]
      : [rule, inputUsdPerMTok, outputUsdPerMTok]
  })

export function boundOfModel(model: ModelInfo): RateBound {
  let [input, output, request] = [0, 0, 0]
  for (const prices of allPrices(model)) {
    for (const [key, value = 0] of Object.entries(prices)) {
      const price =
        typeof value === 'number' ? value : Math.max(value.base, ...value.tiers.map((tier) => tier.price))
      if (key === 'requests_kcount') request = Math.max(request, price / 1_000)
      else if (!SIDE_KEY.test(key)) continue
      else if (key.startsWith('output_')) output = Math.max(output, price)
      else input = Math.max(input, price)
    }
  }
  return { inputUsdPerMTok: input, outputUsdPerMTok: output, requestUsd: request }
}

const allPrices = ({ prices }: ModelInfo): readonly ModelPrice[] =>
  Array.isArray(prices) ? prices.map((each) => each.prices) : [prices]
