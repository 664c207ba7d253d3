import type { WireFormat } from '../providers/adapter.ts'
import type { SealedKey } from './key-box.ts'

/** The tenant that owns the system's models. */
export const SYSTEM_TENANT_ID = '00000000-0000-4000-a000-000000000000'

/** As many as the database lets a tenant have. */
export const MAX_MODELS = 100
export const MAX_ALIASES = 100
export const MAX_PROVIDER_KEYS = 20
/** Endpoints that offer all they list: each is asked for its list once a minute. */
export const MAX_DISCOVERING = 5

/** What a model's owner says of it, named as in the API. What is not said is unknown. */
export interface ModelConfig {
  /** Its name at the endpoint; absent = the `modelId`. */
  readonly model?: string | undefined
  /** Where there is no endpoint: `{provider}:{model}` of the operator's; null = the first there is. */
  readonly upstream?: string | null | undefined
  /** Whether everything that the endpoint lists is offered, as `custom:{modelId}/{name}`. */
  readonly discover?: boolean | undefined
  readonly context_tokens?: number | undefined
  readonly tools?: boolean | undefined
  readonly vision?: boolean | undefined
  readonly json?: boolean | undefined
  /** Tasks and programming languages that it is good at. */
  readonly suits?: readonly string[] | undefined
  readonly input_usd_per_mtok?: number | undefined
  readonly output_usd_per_mtok?: number | undefined
}

/** A model that a tenant added, or one of the system's. */
export interface CustomModel {
  readonly id: string
  readonly tenantId: string
  /** Called as `custom:{modelId}`. */
  readonly modelId: string
  readonly modelName: string
  /** Undefined: served by the operator's own provider, see `config.upstream`. */
  readonly endpointUrl: string | undefined
  readonly provider: string
  readonly format: WireFormat
  readonly isActive: boolean
  readonly isPublic: boolean
  readonly userId: string | undefined
  readonly config: ModelConfig
  readonly key: SealedKey | undefined
  readonly keyHint: string | undefined
  readonly revision: number
  readonly createdAt: string
  readonly updatedAt: string
}

export interface AliasTarget {
  readonly model: string
  /** Share among the weights of all; means nothing in a fallback list. */
  readonly weight: number
}

/** A tenant's own name for a set of models: one of them by weight, or each in turn until one answers. */
export interface ModelAlias {
  readonly id: string
  readonly tenantId: string
  readonly name: string
  readonly kind: 'weighted' | 'fallback'
  readonly targets: readonly AliasTarget[]
  readonly revision: number
  readonly updatedAt: string
}

/** A tenant's own key for a provider, which needs no paid plan. */
export interface ProviderKey {
  readonly id: string
  readonly tenantId: string
  readonly provider: string
  readonly baseUrl: string
  readonly format: WireFormat
  readonly key: SealedKey
  readonly keyHint: string | undefined
  readonly revision: number
  readonly updatedAt: string
}

export type NewModel = Omit<CustomModel, 'revision' | 'createdAt' | 'updatedAt'>
export type ModelChange = Partial<
  Omit<CustomModel, 'id' | 'tenantId' | 'modelId' | 'revision' | 'createdAt' | 'updatedAt'>
>
export type NewAlias = Omit<ModelAlias, 'id' | 'revision' | 'updatedAt'>
export type NewProviderKey = Omit<ProviderKey, 'revision' | 'updatedAt'>

/** A row that does not say what it must. */
export interface BadRow {
  readonly table: 'custom_models' | 'model_aliases' | 'provider_keys'
  readonly id: string
}

/** Everything that a tenant's requests need to know of models: its own rows and the public ones. */
export interface LoadedRegistry {
  /** Its own first. */
  readonly models: readonly CustomModel[]
  readonly aliases: readonly ModelAlias[]
  readonly providerKeys: readonly ProviderKey[]
  /** Left out of the above. */
  readonly bad: readonly BadRow[]
}

/** The truth about models. Every call is for one tenant; another's rows are as if they were not there. */
export interface ModelStore {
  /** @throws when the answer as a whole cannot be trusted */
  load(tenantId: string): Promise<LoadedRegistry>
  /** The tenant's own. */
  find(tenantId: string, modelId: string): Promise<CustomModel | undefined>
  findPublic(modelId: string): Promise<CustomModel | undefined>
  /** @returns undefined when the name is taken */
  create(model: NewModel): Promise<CustomModel | undefined>
  /**
   * @param seen what the change was decided on
   * @returns undefined when it is no longer as it was seen: its revision, and whether it is public
   */
  update(seen: CustomModel, change: ModelChange): Promise<CustomModel | undefined>
  /** @returns whether there was one */
  remove(tenantId: string, modelId: string): Promise<boolean>
  /** Makes it, or takes the place of the one with its name. */
  putAlias(alias: NewAlias): Promise<ModelAlias>
  removeAlias(tenantId: string, name: string): Promise<boolean>
  putProviderKey(key: NewProviderKey): Promise<ProviderKey>
  removeProviderKey(tenantId: string, provider: string): Promise<boolean>
}
