import type { ListedModel } from '../providers/adapter.ts'
import { PLANS } from '../tenants/tenant.ts'
import { customRouteId, endpointOf } from './custom-routes.ts'
import type { Model } from './model.ts'
import type { Endpoint, Provider } from './provider.ts'
import { type CustomModel, MAX_DISCOVERING, type ProviderKey } from './registry.ts'
import type { ModelSnapshot } from './registry-cache.ts'

/** Whatever says itself which models it has: a provider, or a tenant's own endpoint that is to offer all of them. */
export interface Source {
  readonly provider: Provider
  /** Stands before each model's own name: `openai:`, `custom:lab/`. */
  readonly prefix: string
  readonly kind: Model['kind']
  /** The custom model that stands for the endpoint. */
  readonly row?: CustomModel
}

/** The longest name that a request may give. */
const MAX_NAME = 256
/** Of one endpoint, and of one provider on a tenant's own key; the operator's own are not counted. */
const MAX_AT_ENDPOINT = 200
const MAX_AT_PROVIDER = 1_000
const NAME = /^[\x21-\x7e]+$/

/** What a tenant's own endpoints and keys open. */
export const ownSources = (tenantId: string, { models, providerKeys }: ModelSnapshot): readonly Source[] => [
  ...models
    .filter((row) => row.tenantId === tenantId && row.isActive && row.config.discover === true)
    .slice(0, MAX_DISCOVERING)
    .flatMap(discovered),
  ...providerKeys.map((key) => provided(ownProvider(key))),
]

/** Those of its models that can be called by their names, and no more than a tenant's own source may have. */
export function nameable({ prefix, kind, provider }: Source, models: readonly ListedModel[]): ListedModel[] {
  const named = models.filter(({ id }) => NAME.test(id) && prefix.length + id.length <= MAX_NAME)
  if (provider.ownerId === undefined) return named
  return named.slice(0, kind === 'custom' ? MAX_AT_ENDPOINT : MAX_AT_PROVIDER)
}

/** A model as its source lists it, or as a caller names it where the source has not said yet what it has. */
export function modelAt({ provider, prefix, kind }: Source, { id, contextTokens }: ListedModel): Model {
  const { revision, plans, ownerId, price } = provider
  return {
    route: { id: prefix + id, revision, provider, model: id, price },
    kind,
    ownerId,
    // What its tenant published is the one model, not whatever its server will have one day.
    isPublic: false,
    isActive: true,
    plans,
    capabilities: { contextTokens },
    price,
  }
}

export const provided = (provider: Provider): Source => ({
  provider,
  prefix: `${provider.name}:`,
  kind: 'provider',
})

function discovered(row: CustomModel): Source[] {
  const endpoint = endpointOf(row)
  if (!endpoint) return []
  const { id, tenantId, modelId, format, revision } = row
  const provider: Provider = {
    name: 'custom',
    format,
    endpoints: [endpoint],
    plans: PLANS,
    revision: `${id}.${revision}`,
    ownerId: tenantId,
  }
  return [{ provider, prefix: `${customRouteId(modelId)}/`, kind: 'custom', row }]
}

function ownProvider({ id, tenantId, provider, baseUrl, format, key, revision }: ProviderKey): Provider {
  const endpoint: Endpoint = {
    id: `own:${id}`,
    baseUrl,
    host: new URL(baseUrl).host,
    credential: { sealed: key, place: { table: 'provider_keys', rowId: id, tenantId } },
    weight: 1,
    isForeign: true,
  }
  return {
    name: provider,
    format,
    endpoints: [endpoint],
    plans: PLANS,
    revision: `${id}.${revision}`,
    ownerId: tenantId,
  }
}
