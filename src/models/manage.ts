import { GatewayError } from '../core/errors.ts'
import { type ListedModel, WIRE_FORMATS, type WireFormat } from '../providers/adapter.ts'
import type { AddressPolicy } from '../providers/address-policy.ts'
import { upstreamName } from './custom-routes.ts'
import { keyHintOf } from './describe.ts'
import type { KeyBox } from './key-box.ts'
import { discover, type ProbeReport, type ProbeServices, type ProbeTarget, probe } from './probe.ts'
import {
  type CustomModel,
  MAX_DISCOVERING,
  MAX_MODELS,
  type ModelChange,
  type ModelConfig,
  type ModelStore,
  type NewModel,
} from './registry.ts'
import type { ChangeRequest, CreationRequest } from './requests.ts'

/** Whoever changes a tenant's models: the tenant itself, or the operator in its place. */
export interface Actor {
  readonly tenantId: string
  readonly isOperator: boolean
}

/** Seals and opens the keys of endpoints and providers. */
export type ProviderKeys = Pick<KeyBox, 'seal' | 'open' | 'rewrap'>

export interface ModelManagement extends ProbeServices {
  readonly store: ModelStore
  readonly keys: ProviderKeys
  readonly policy: AddressPolicy
  readonly newId: () => string
}

export interface Created {
  readonly model: CustomModel
  readonly discovered: readonly ListedModel[] | undefined
}

const TABLE = 'custom_models'

/** @throws GatewayError `invalid_request`, `address_refused`, `conflict` */
export async function createModel(
  services: ModelManagement,
  actor: Actor,
  request: CreationRequest,
): Promise<Created> {
  mayAsk(actor, request, undefined)
  const { tenantId } = actor
  const { model_id: modelId, api_key: apiKey = null } = request
  const endpointUrl = request.endpoint_url
    ? baseUrlOf(services.policy, request.endpoint_url, 'endpoint_url')
    : undefined
  if (!endpointUrl && !actor.isOperator) throw endpointMissing()
  const own = (await services.store.load(tenantId)).models.filter(isOf(tenantId))
  if (own.some((model) => model.modelId === modelId)) throw taken(modelId)
  if (own.length >= MAX_MODELS) throw tooMany()
  if (request.config?.discover) mayDiscover(own)
  const provider = request.provider ?? (endpointUrl ? 'openai-compatible' : 'operator')
  const format = request.wire_format ?? formatOf(provider)
  const discovered =
    endpointUrl && (await discover(services, { endpointUrl, format, apiKey: apiKey ?? undefined }))
  const id = services.newId()
  const model: NewModel = {
    id,
    tenantId,
    modelId,
    modelName: request.model_name ?? modelId,
    endpointUrl,
    provider,
    format,
    isActive: request.is_active ?? true,
    isPublic: request.is_public ?? false,
    userId: request.user_id ?? undefined,
    config: completed(request.config ?? {}, modelId, discovered || []),
    key:
      apiKey === null ? undefined : await services.keys.seal({ table: TABLE, rowId: id, tenantId }, apiKey),
    keyHint: apiKey === null ? undefined : keyHintOf(apiKey),
  }
  const created = await services.store.create(model)
  if (!created) throw taken(modelId)
  return { model: created, discovered: discovered || undefined }
}

/** @throws GatewayError `not_found`, `invalid_request`, `address_refused`, `conflict` */
export async function changeModel(
  services: ModelManagement,
  actor: Actor,
  modelId: string,
  request: ChangeRequest,
): Promise<CustomModel> {
  const seen = await services.store.find(actor.tenantId, modelId)
  if (!seen) throw noSuchModel()
  mayAsk(actor, request, seen)
  if (request.revision !== undefined && request.revision !== seen.revision) throw changedMeanwhile()
  if (request.config?.discover && !seen.config.discover)
    mayDiscover((await services.store.load(seen.tenantId)).models.filter(isOf(seen.tenantId)))
  const change: { -readonly [Field in keyof ModelChange]: ModelChange[Field] } = {}
  if (request.model_name !== undefined) change.modelName = request.model_name
  if (request.provider !== undefined) change.provider = request.provider
  if (request.wire_format !== undefined) change.format = request.wire_format
  if (request.is_active !== undefined) change.isActive = request.is_active
  if (request.is_public !== undefined) change.isPublic = request.is_public
  if (request.user_id !== undefined) change.userId = request.user_id ?? undefined
  if (request.config !== undefined) change.config = request.config
  if (request.endpoint_url !== undefined) {
    change.endpointUrl = endpointAfter(services.policy, actor, seen, request)
  }
  if (request.api_key !== undefined) {
    const { api_key: apiKey } = request
    const place = { table: TABLE, rowId: seen.id, tenantId: seen.tenantId }
    change.key = apiKey === null ? undefined : await services.keys.seal(place, apiKey)
    change.keyHint = apiKey === null ? undefined : keyHintOf(apiKey)
  }
  const changed = await services.store.update(seen, change)
  if (!changed) throw changedMeanwhile()
  return changed
}

/** @throws GatewayError `not_found`, `invalid_request`, `address_refused`, `key_unreadable` */
export async function testModel(
  services: ModelManagement,
  actor: Actor,
  modelId: string,
): Promise<{ report: ProbeReport; discovered: readonly ListedModel[] | undefined }> {
  const model = await services.store.find(actor.tenantId, modelId)
  if (!model) throw noSuchModel()
  const { id: rowId, tenantId, endpointUrl, format, key } = model
  if (endpointUrl === undefined) throw noEndpoint(modelId)
  services.policy.check(endpointUrl, 'endpoint_url')
  const apiKey = key && (await services.keys.open({ table: TABLE, rowId, tenantId }, key))
  const target: ProbeTarget = { endpointUrl, format, apiKey }
  const discovered = await discover(services, target)
  return { report: await probe(services, target, probed(model, discovered)), discovered }
}

/** Where a row only stands for its endpoint, any model there says whether it answers. */
function probed(model: CustomModel, discovered: readonly ListedModel[] = []): string {
  const name = upstreamName(model)
  const { discover: all, model: chosen } = model.config
  const isThere = !all || chosen !== undefined || discovered.some(({ id }) => id === name)
  return isThere ? name : (discovered[0]?.id ?? name)
}

/**
 * The base URL of an endpoint, ready for a path to follow.
 * @throws GatewayError `address_refused`, `invalid_request`
 */
export function baseUrlOf(policy: AddressPolicy, text: string, param: string): string {
  const url = policy.check(text, param)
  if (url.search !== '')
    throw new GatewayError(
      'invalid_request',
      `The address in "${param}" has a query, which no path can follow.`,
      'Send the base URL without "?" and what follows it.',
      { param },
    )
  return url.href.replace(/\/+$/, '')
}

/** The wire format that a provider's name says. */
export const formatOf = (provider: string): WireFormat =>
  WIRE_FORMATS.find((format) => format === provider) ?? 'openai'

/** What only the operator may ask, and what the operator's word for a public model protects. */
function mayAsk(actor: Actor, request: ChangeRequest, seen: CustomModel | undefined): void {
  if (actor.isOperator) return
  const operatorsOnly = (param: string) =>
    new GatewayError(
      'invalid_request',
      `The field "${param}" is for whoever runs this gateway to set.`,
      `Leave "${param}" out, or ask whoever runs this gateway.`,
      { param },
    )
  if (request.is_public !== undefined && request.is_public !== (seen?.isPublic ?? false))
    throw operatorsOnly('is_public')
  if (request.config?.upstream !== undefined) throw operatorsOnly('config.upstream')
  const { endpoint_url, provider, wire_format, config, api_key } = request
  const steers = [endpoint_url, provider, wire_format, config, api_key].some((field) => field !== undefined)
  if (!seen?.isPublic || !steers) return
  throw new GatewayError(
    'conflict',
    'This model is public: what others rely on cannot be changed by its tenant alone.',
    'Ask whoever runs this gateway to make the change, or to unpublish the model first.',
  )
}

const isOf =
  (tenantId: string) =>
  (model: CustomModel): boolean =>
    model.tenantId === tenantId

function mayDiscover(own: readonly CustomModel[]): void {
  if (own.filter(({ config }) => config.discover).length < MAX_DISCOVERING) return
  throw new GatewayError(
    'conflict',
    `There are ${MAX_DISCOVERING} endpoints already that offer all their models.`,
    'Add the models one by one, or set "config.discover" to false at one of the others.',
    { param: 'config.discover' },
  )
}

function endpointAfter(
  policy: AddressPolicy,
  actor: Actor,
  seen: CustomModel,
  { endpoint_url: text, api_key: apiKey }: ChangeRequest,
): string | undefined {
  if (!text && !actor.isOperator) throw endpointMissing()
  const endpointUrl = text ? baseUrlOf(policy, text, 'endpoint_url') : undefined
  // Otherwise whoever may change the address could have the stored key sent to a place of their own.
  if (seen.key && apiKey === undefined && endpointUrl !== seen.endpointUrl)
    throw new GatewayError(
      'invalid_request',
      'A stored key does not follow its model to another address.',
      'Send "api_key" together with "endpoint_url", or null for none.',
      { param: 'api_key' },
    )
  return endpointUrl
}

/** What the endpoint's own list adds: the only model there is, and how much it takes. */
function completed(config: ModelConfig, modelId: string, listed: readonly ListedModel[]): ModelConfig {
  const only = listed.length === 1 && listed[0]?.id !== modelId ? listed[0]?.id : undefined
  const model = config.model ?? only
  const contextTokens =
    config.context_tokens ?? listed.find(({ id }) => id === (model ?? modelId))?.contextTokens
  return {
    ...config,
    ...(model !== undefined && { model }),
    ...(contextTokens !== undefined && { context_tokens: contextTokens }),
  }
}

export const noSuchModel = () =>
  new GatewayError(
    'not_found',
    'There is no model of this name among yours.',
    'List them with GET /api/models/custom.',
  )

const taken = (modelId: string) =>
  new GatewayError(
    'conflict',
    `There is a model "${modelId}" already.`,
    'Change it with PATCH, or choose another name.',
  )

const tooMany = () =>
  new GatewayError('conflict', `There are ${MAX_MODELS} models already.`, 'Delete one that is not used.')

const changedMeanwhile = () =>
  new GatewayError(
    'conflict',
    'The model was changed meanwhile.',
    'Read it again, and repeat the change if it still fits.',
  )

const endpointMissing = () =>
  new GatewayError(
    'invalid_request',
    'The field "endpoint_url" is missing.',
    'Send the base URL of your model, for example https://llm.example.com/v1.',
    { param: 'endpoint_url' },
  )

const noEndpoint = (modelId: string) =>
  new GatewayError(
    'invalid_request',
    `The model "${modelId}" has no endpoint of its own: a provider of the operator serves it.`,
    `Ask it something: POST /v1/chat/completions with "model": "custom:${modelId}".`,
  )
