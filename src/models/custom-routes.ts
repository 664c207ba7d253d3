import { PLANS } from '../tenants/tenant.ts'
import type { Model } from './model.ts'
import type { Endpoint, Route } from './provider.ts'
import type { CustomModel } from './registry.ts'
import type { ModelSnapshot } from './registry-cache.ts'

/** `custom:{modelId}`: what callers name it by. */
export const customRouteId = (modelId: string): string => `custom:${modelId}`

/**
 * The models of a snapshot as selection knows them, the tenant's own first; where two have one name, only the first.
 * @param upstreamOf the operator's model of this name, or the default one for undefined; a model that is served by
 *   one that does not exist is left out
 * @param isEndpointOnly whether a row stands for its endpoint and is no model itself; the name is taken all the same
 */
export function toModels(
  snapshot: ModelSnapshot,
  upstreamOf: (name: string | undefined) => Route | undefined,
  isEndpointOnly: (custom: CustomModel) => boolean = () => false,
): Model[] {
  const taken = new Set<string>()
  return snapshot.models.flatMap((custom) => {
    if (taken.has(custom.modelId)) return []
    taken.add(custom.modelId)
    const route = isEndpointOnly(custom) ? undefined : routeOf(custom, upstreamOf)
    return route ? [toModel(custom, route)] : []
  })
}

/** The model that a row itself stands for, as its endpoint calls it. */
export const upstreamName = ({ config, modelId }: CustomModel): string => config.model ?? modelId

/** Where a custom model lies; undefined: with the operator's own provider. */
export function endpointOf(custom: CustomModel): Endpoint | undefined {
  const { id: rowId, tenantId, endpointUrl, key, isPublic } = custom
  if (endpointUrl === undefined) return undefined
  return {
    id: `custom:${rowId}`,
    baseUrl: endpointUrl,
    // Whoever uses another's model is not told where it is.
    host: isPublic ? undefined : new URL(endpointUrl).host,
    credential: key && { sealed: key, place: { table: 'custom_models', rowId, tenantId } },
    weight: 1,
    isForeign: true,
  }
}

function routeOf(
  custom: CustomModel,
  upstreamOf: (name: string | undefined) => Route | undefined,
): Route | undefined {
  const { modelId, config } = custom
  const id = customRouteId(modelId)
  // The row's id too: a model that was deleted and made anew counts from 1 again.
  const revision = `${custom.id}.${custom.revision}`
  const endpoint = endpointOf(custom)
  if (!endpoint) {
    const upstream = upstreamOf(config.upstream ?? undefined)
    return upstream && { ...upstream, id, revision: `${revision} ${upstream.id}@${upstream.revision}` }
  }
  const provider = {
    name: 'custom',
    format: custom.format,
    endpoints: [endpoint] as const,
    plans: PLANS,
    revision,
  }
  return { id, revision, provider, model: upstreamName(custom) }
}

function toModel(custom: CustomModel, route: Route): Model {
  const { config } = custom
  const { input_usd_per_mtok: inputUsdPerMTok, output_usd_per_mtok: outputUsdPerMTok } = config
  const price =
    inputUsdPerMTok !== undefined && outputUsdPerMTok !== undefined
      ? { inputUsdPerMTok, outputUsdPerMTok }
      : undefined
  return {
    route: price ? { ...route, price } : route,
    kind: 'custom',
    ownerId: custom.tenantId,
    isPublic: custom.isPublic,
    isActive: custom.isActive,
    plans: route.provider.plans,
    isOnPlan: custom.endpointUrl === undefined,
    capabilities: {
      contextTokens: config.context_tokens,
      tools: config.tools,
      vision: config.vision,
      json: config.json,
    },
    suits: config.suits,
    price,
  }
}
