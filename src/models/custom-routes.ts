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
 */
export function toModels(
  snapshot: ModelSnapshot,
  upstreamOf: (name: string | undefined) => Route | undefined,
): Model[] {
  const models = new Map<string, Model>()
  for (const custom of snapshot.models) {
    if (models.has(custom.modelId)) continue
    const route = routeOf(custom, upstreamOf)
    if (route) models.set(custom.modelId, toModel(custom, route))
  }
  return [...models.values()]
}

function routeOf(
  custom: CustomModel,
  upstreamOf: (name: string | undefined) => Route | undefined,
): Route | undefined {
  const { id: rowId, tenantId, modelId, endpointUrl, config } = custom
  const id = customRouteId(modelId)
  // The row's id too: a model that was deleted and made anew counts from 1 again.
  const revision = `${rowId}.${custom.revision}`
  if (endpointUrl === undefined) {
    const upstream = upstreamOf(config.upstream ?? undefined)
    return upstream && { ...upstream, id, revision: `${revision} ${upstream.id}@${upstream.revision}` }
  }
  const endpoint: Endpoint = {
    id: `custom:${rowId}`,
    baseUrl: endpointUrl,
    // Whoever uses another's model is not told where it is.
    host: custom.isPublic ? undefined : new URL(endpointUrl).host,
    credential: custom.key && { sealed: custom.key, place: { table: 'custom_models', rowId, tenantId } },
    weight: 1,
    isForeign: true,
  }
  const provider = {
    name: 'custom',
    format: custom.format,
    endpoints: [endpoint] as const,
    plans: PLANS,
    revision,
  }
  return { id, revision, provider, model: config.model ?? modelId }
}

function toModel(custom: CustomModel, route: Route): Model {
  const { config } = custom
  const { input_usd_per_mtok: inputUsdPerMTok, output_usd_per_mtok: outputUsdPerMTok } = config
  return {
    route,
    kind: 'custom',
    ownerId: custom.tenantId,
    isPublic: custom.isPublic,
    isActive: custom.isActive,
    // What serves it by default was not chosen for everybody: who may use that provider may use it.
    plans: custom.endpointUrl === undefined && !config.upstream ? route.provider.plans : PLANS,
    capabilities: {
      contextTokens: config.context_tokens,
      tools: config.tools,
      vision: config.vision,
      json: config.json,
    },
    suits: config.suits,
    price:
      inputUsdPerMTok !== undefined && outputUsdPerMTok !== undefined
        ? { inputUsdPerMTok, outputUsdPerMTok }
        : undefined,
  }
}
