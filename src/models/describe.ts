import type { ListedModel } from '../providers/adapter.ts'
import { customRouteId } from './custom-routes.ts'
import type { CustomModel, ModelAlias, ProviderKey } from './registry.ts'

/** A model as its tenant reads it: everything but its key. */
export const describeOwn = (model: CustomModel) => ({
  id: customRouteId(model.modelId),
  owned: true,
  model_id: model.modelId,
  model_name: model.modelName,
  endpoint_url: model.endpointUrl ?? null,
  provider: model.provider,
  wire_format: model.format,
  is_active: model.isActive,
  is_public: model.isPublic,
  user_id: model.userId ?? null,
  config: model.config,
  api_key_hint: hintOf(model.key !== undefined, model.keyHint),
  revision: model.revision,
  created_at: model.createdAt,
  updated_at: model.updatedAt,
})

/** Another's public model: what it can do, not where it is or whose. */
export const describePublic = ({ modelId, modelName, isActive, config }: CustomModel) => ({
  id: customRouteId(modelId),
  owned: false,
  model_id: modelId,
  model_name: modelName,
  is_active: isActive,
  is_public: true,
  config: {
    context_tokens: config.context_tokens,
    tools: config.tools,
    vision: config.vision,
    json: config.json,
    suits: config.suits,
  },
})

export const describeAlias = ({ name, kind, targets, revision, updatedAt }: ModelAlias) => ({
  name,
  kind,
  targets,
  revision,
  updated_at: updatedAt,
})

export const describeProviderKey = (key: ProviderKey) => ({
  provider: key.provider,
  base_url: key.baseUrl,
  wire_format: key.format,
  api_key_hint: hintOf(true, key.keyHint),
  revision: key.revision,
  updated_at: key.updatedAt,
})

export const describeListed = (models: readonly ListedModel[] | undefined) =>
  (models ?? []).map(({ id, contextTokens }) => ({ id, context_tokens: contextTokens ?? null }))

/** null: no key. */
const hintOf = (present: boolean, hint: string | undefined): string | null =>
  present ? `...${hint ?? ''}` : null

const SHORTEST_WITH_HINT = 20

/** The last four characters, where that gives away little of the whole. */
export const keyHintOf = (apiKey: string): string | undefined =>
  apiKey.length >= SHORTEST_WITH_HINT ? apiKey.slice(-4) : undefined
