import { HALF_LIFE_MS, type ModelFigures, type Quantiles } from '../metrics/model-stats.ts'
import type { Model } from './model.ts'
import type { ListPrice } from './provider.ts'
import { SYSTEM_TENANT_ID } from './registry.ts'

/** A model as its caller compares it with others. null is unknown. */
export interface ComparedModel {
  readonly id: string
  /** `own`: added by the tenant, or at a provider on its own key. */
  readonly source: 'own' | 'public' | 'provider'
  readonly is_active: boolean
  /** Whether requests are sent to it at the moment. */
  readonly available: boolean
  readonly capabilities: {
    readonly tools: boolean | null
    readonly vision: boolean | null
    readonly json: boolean | null
  }
  readonly context_tokens: number | null
  readonly price: { readonly input_usd_per_mtok: number; readonly output_usd_per_mtok: number } | null
  /** Of rated answers; none are rated yet. */
  readonly quality: number | null
  readonly observed: Observed
}

/** What one isolate saw of the tenant's own requests. */
export interface Observed {
  readonly since: string | null
  readonly requests: number
  readonly success_share: number | null
  /** Until an answer began. */
  readonly latency_ms: Quantiles | null
  readonly total_ms: Quantiles | null
  /** At today's list price. */
  readonly cost_usd_per_1k_requests: number | null
}

/** Of what a list of them speaks. */
export const OBSERVED_BY = { scope: 'isolate', half_life_seconds: HALF_LIFE_MS / 1_000 } as const

export function compareModel(
  model: Model,
  tenantId: string,
  available: boolean,
  figures: ModelFigures | undefined,
): ComparedModel {
  const { route, kind, ownerId, isActive, capabilities } = model
  const price = priceFor(model, tenantId)
  return {
    id: route.id,
    source: ownerId === tenantId ? 'own' : kind === 'custom' ? 'public' : 'provider',
    is_active: isActive,
    available: isActive && available,
    capabilities: {
      tools: capabilities.tools ?? null,
      vision: capabilities.vision ?? null,
      json: capabilities.json ?? null,
    },
    context_tokens: capabilities.contextTokens ?? null,
    price: price
      ? { input_usd_per_mtok: price.inputUsdPerMTok, output_usd_per_mtok: price.outputUsdPerMTok }
      : null,
    quality: null,
    observed: observed(figures, price),
  }
}

/** What another tenant pays for the model that it shares is its own affair. */
const priceFor = ({ price, kind, ownerId }: Model, tenantId: string): ListPrice | undefined =>
  kind === 'provider' || ownerId === tenantId || ownerId === SYSTEM_TENANT_ID ? price : undefined

function observed(figures: ModelFigures | undefined, price: ListPrice | undefined): Observed {
  return {
    since: figures ? new Date(figures.sinceMs).toISOString() : null,
    requests: Math.round(figures?.requests ?? 0),
    success_share: figures?.successShare === undefined ? null : rounded(figures.successShare),
    latency_ms: wholeMs(figures?.firstByteMs),
    total_ms: wholeMs(figures?.totalMs),
    cost_usd_per_1k_requests: costPerThousand(figures, price),
  }
}

const rounded = (share: number): number => Math.round(share * 1_000) / 1_000

const wholeMs = (quantiles: Quantiles | undefined): Quantiles | null =>
  quantiles ? { p50: Math.round(quantiles.p50), p95: Math.round(quantiles.p95) } : null

function costPerThousand(figures: ModelFigures | undefined, price: ListPrice | undefined): number | null {
  if (!figures || !price || figures.counted.requests <= 0) return null
  const { requests, inputTokens, outputTokens } = figures.counted
  const usd = (inputTokens * price.inputUsdPerMTok + outputTokens * price.outputUsdPerMTok) / 1e6
  return Number(((usd / requests) * 1_000).toPrecision(6))
}

export const SORTS = ['latency', 'success', 'cost'] as const
export type Sort = (typeof SORTS)[number]

/** Best first; what is not known comes last, in the order in which it was. */
export function sorted(models: readonly ComparedModel[], by: Sort): ComparedModel[] {
  return models.toSorted((a, b) => {
    const [x, y] = [worse(a, by), worse(b, by)]
    return x === y ? 0 : x - y
  })
}

/** The larger, the later. */
function worse(
  { observed: { latency_ms, success_share, cost_usd_per_1k_requests } }: ComparedModel,
  by: Sort,
) {
  const value = {
    latency: latency_ms?.p50,
    success: success_share === null ? undefined : -success_share,
    cost: cost_usd_per_1k_requests ?? undefined,
  }[by]
  return value ?? Number.POSITIVE_INFINITY
}
