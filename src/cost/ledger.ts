import type { ListPrice } from '../models/provider.ts'
import { addNanoUsd, type NanoUsd, toUsd } from './nano-usd.ts'
import { firstPriced, ownPrices, type Prices } from './prices.ts'
import type { Tags } from './tags.ts'
import { guessTokens, judgeUsage, type UsageCounts } from './usage.ts'

/** Tokens as a provider's answer told them. */
export interface ToldUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens?: number | undefined
  readonly reasoningTokens?: number | undefined
}

/** Tokens of one model, and by whose price they count. */
export interface PricedTokens {
  /** Whose list of prices. */
  readonly provider: string
  /** The model's name there. */
  readonly model: string
  /** What whoever added the model says it costs. */
  readonly price?: ListPrice | undefined
  readonly usage?: ToldUsage | undefined
}

/** One call to a provider, as far as its price and its row want to know it. */
export interface ProviderCall extends PricedTokens {
  /** As in the catalogue: `openai:gpt-4o`. */
  readonly route: string
  readonly endpoint: string
  readonly result: 'answered' | 'failed' | 'abandoned' | 'cancelled'
  readonly failure?: string | undefined
  readonly ms: number
  readonly mayBeBilled: boolean
  /** Of the request and of what was said, bytes at least: what tokens are guessed from where nobody told them. */
  readonly sentBytes: number
  readonly saidBytes: number
  /** The most that it may cost, where a budget held that back. */
  readonly reservedNanoUsd?: number | undefined
  /** It failed on this side: no provider heard of it. */
  readonly wasNeverSent?: boolean | undefined
}

/** `free`: nothing can have been charged. `unpriced`: no price is known; it counts as nothing, and is to be seen to. */
export type PricedBy = 'own' | 'list' | 'free' | 'unpriced'

export interface Priced {
  readonly nanoUsd: NanoUsd
  readonly by: PricedBy
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  /** Whether tokens are our guess. */
  readonly isEstimated: boolean
}

/**
 * What one call cost, at the prices of that moment. Never negative and never endless, whatever the provider told; where
 * it told nothing of a call that did not end well, the most that it may have cost.
 */
export function priceCall(call: ProviderCall, list: Prices, atMs: number): Priced {
  if (!call.mayBeBilled)
    return { nanoUsd: 0, by: 'free', inputTokens: null, outputTokens: null, isEstimated: false }
  const { usage, sentBytes, saidBytes, reservedNanoUsd } = call
  if (!usage && call.result !== 'answered' && reservedNanoUsd !== undefined)
    return {
      nanoUsd: reservedNanoUsd,
      by: call.price ? 'own' : 'list',
      inputTokens: null,
      outputTokens: null,
      isEstimated: true,
    }
  const guess = { input_tokens: guessTokens(sentBytes), output_tokens: guessTokens(saidBytes) }
  const { counts, estimated } = judgeUsage(usage && told(usage), guess)
  const price = pricesOf(call, list).priceOf(counts, call.provider, call.model, atMs)
  return {
    nanoUsd: price?.totalNanoUsd ?? 0,
    by: price?.source ?? 'unpriced',
    inputTokens: counts.input_tokens ?? null,
    outputTokens: counts.output_tokens ?? null,
    isEstimated: estimated,
  }
}

/** What a hit saved: what its answer cost when it was made, at today's prices. Nothing where no price is known. */
export function priceSaved(tokens: PricedTokens, list: Prices, atMs: number): NanoUsd {
  if (!tokens.usage) return 0
  const { counts } = judgeUsage(told(tokens.usage), { input_tokens: 0, output_tokens: 0 })
  return pricesOf(tokens, list).priceOf(counts, tokens.provider, tokens.model, atMs)?.totalNanoUsd ?? 0
}

/** Rows of `ledger` and `ledger_attempts`, column by column. */
export interface LedgerRow {
  readonly prediction_id: string
  readonly tenant_id: string
  readonly key_id: string | null
  readonly created_at: string
  /** `abandoned`: nobody told how it ended. */
  readonly settled_as: 'settled' | 'abandoned'
  readonly cost_usd: number
  readonly unpriced: boolean
  readonly tags: Tags
  /** What the same tokens would have cost there; null where none was named, or either has no price. */
  readonly baseline_model: string | null
  readonly baseline_usd: number | null
}

/** The model that costs are compared with: whose list of prices, and its name there. */
export type Baseline = Pick<PricedTokens, 'provider' | 'model'>

export interface LedgerAttemptRow {
  readonly prediction_id: string
  /** From 1. */
  readonly attempt: number
  readonly tenant_id: string
  readonly created_at: string
  readonly model: string
  readonly provider: string
  readonly endpoint: string
  readonly result: ProviderCall['result']
  readonly failure: string | null
  readonly total_ms: number
  readonly input_tokens: number | null
  readonly output_tokens: number | null
  readonly tokens_estimated: boolean
  readonly cost_usd: number
  readonly priced_by: PricedBy
}

/** The prediction that was paid for. */
export type PaidRequest = Pick<
  LedgerRow,
  'prediction_id' | 'tenant_id' | 'key_id' | 'created_at' | 'settled_as' | 'tags'
>

/**
 * One row for a request that reached a provider, and one for each of its calls that may have been charged for.
 * @param calls in the order in which they were made
 * @param baseline what the tokens of the call that answered are priced by as well
 * @returns undefined where no provider was called
 */
export function book(
  request: PaidRequest,
  calls: readonly ProviderCall[],
  list: Prices,
  baseline?: Baseline,
):
  | {
      readonly ledger: LedgerRow
      readonly attempts: readonly LedgerAttemptRow[]
      readonly isEstimated: boolean
    }
  | undefined {
  if (calls.every(({ wasNeverSent }) => wasNeverSent)) return undefined
  const { prediction_id, tenant_id, created_at } = request
  const atMs = Date.parse(created_at)
  const priced = calls.map((call) => priceCall(call, list, atMs))
  const unpriced = priced.some(({ by }) => by === 'unpriced')
  return {
    ledger: {
      ...request,
      cost_usd: toUsd(addNanoUsd(...priced.map(({ nanoUsd }) => nanoUsd))),
      unpriced,
      ...compared(unpriced ? undefined : baseline, calls, list, atMs),
    },
    attempts: calls.flatMap(({ route, provider, endpoint, result, failure, ms, mayBeBilled }, index) => {
      if (!mayBeBilled) return []
      const { nanoUsd, by, inputTokens, outputTokens, isEstimated } = priced[index] as Priced
      return {
        prediction_id,
        attempt: index + 1,
        tenant_id,
        created_at,
        model: route,
        provider,
        endpoint,
        result,
        failure: failure ?? null,
        total_ms: Math.max(0, ms),
        input_tokens: inputTokens,
        output_tokens: outputTokens,
        tokens_estimated: isEstimated,
        cost_usd: toUsd(nanoUsd),
        priced_by: by,
      }
    }),
    isEstimated: priced.some(({ isEstimated }) => isEstimated),
  }
}

function compared(
  baseline: Baseline | undefined,
  calls: readonly ProviderCall[],
  list: Prices,
  atMs: number,
): Pick<LedgerRow, 'baseline_model' | 'baseline_usd'> {
  const answered = calls.find(({ result }) => result === 'answered')
  const there = baseline && answered && priceCall({ ...answered, ...baseline, price: undefined }, list, atMs)
  return there?.by === 'list'
    ? { baseline_model: `${baseline?.provider}:${baseline?.model}`, baseline_usd: toUsd(there.nanoUsd) }
    : { baseline_model: null, baseline_usd: null }
}

/**
 * @param name as `openai:gpt-4o`
 * @returns undefined where it is none: then nothing is compared, and everything is booked all the same
 */
export function parseBaseline(name: string | undefined): Baseline | undefined {
  const [, provider, model] = name?.match(/^([^:]{1,128}):(.{1,256})$/) ?? []
  return provider && model ? { provider, model } : undefined
}

const told = ({ inputTokens, outputTokens, cachedTokens, reasoningTokens }: ToldUsage): UsageCounts => ({
  input_tokens: inputTokens,
  output_tokens: outputTokens,
  ...(cachedTokens !== undefined && { cache_read_tokens: cachedTokens }),
  ...(reasoningTokens !== undefined && { output_reasoning_tokens: reasoningTokens }),
})

const pricesOf = ({ provider, model, price }: PricedTokens, list: Prices): Prices =>
  price ? firstPriced(ownPrices([{ ...price, providerId: provider, model }]), list) : list
