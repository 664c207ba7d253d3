import type { SupabaseClient } from '@supabase/supabase-js'
import { isObject, type JsonObject } from '../core/json.ts'
import type {
  BadRow,
  CustomModel,
  LoadedRegistry,
  ModelAlias,
  ModelChange,
  ModelStore,
  NewAlias,
  NewModel,
  NewProviderKey,
  ProviderKey,
} from './registry.ts'
import { toAlias, toModel, toProviderKey } from './rows.ts'

/** More public models than a gateway shows; beyond it something is wrong. */
const MAX_PUBLIC = 1_000

/** Models, aliases and provider keys in Supabase. Every query names the tenant. */
export class SupabaseModels implements ModelStore {
  readonly #connect: () => SupabaseClient
  readonly #now: () => number

  constructor(connect: () => SupabaseClient, now: () => number) {
    this.#connect = connect
    this.#now = now
  }

  async load(tenantId: string): Promise<LoadedRegistry> {
    const connection = this.#connect()
    const [own, shared] = await Promise.all([
      connection
        .from('tenants')
        .select('custom_models (*), model_aliases (*), provider_keys (*)')
        .eq('id', tenantId)
        .maybeSingle<Record<BadRow['table'], unknown>>()
        .throwOnError(),
      connection
        .from('custom_models')
        .select()
        .eq('is_public', true)
        .neq('tenant_id', tenantId)
        .order('created_at')
        .order('model_id')
        .order('id')
        .limit(MAX_PUBLIC)
        .throwOnError(),
    ])
    // Whoever asks has a key of this tenant: an answer without it is not the truth.
    if (!own.data) throw new Error('the tenant did not come')
    const { custom_models: models, model_aliases: aliases, provider_keys: keys } = own.data
    const bad: BadRow[] = []
    return {
      models: [
        ...validRows('custom_models', models, toModel, bad).sort(byAge),
        ...validRows('custom_models', shared.data, toModel, bad),
      ],
      aliases: validRows('model_aliases', aliases, toAlias, bad),
      providerKeys: validRows('provider_keys', keys, toProviderKey, bad),
      bad,
    }
  }

  async find(tenantId: string, modelId: string): Promise<CustomModel | undefined> {
    const { data } = await this.#connect()
      .from('custom_models')
      .select()
      .eq('tenant_id', tenantId)
      .eq('model_id', modelId)
      .maybeSingle()
      .throwOnError()
    return data ? valid(data, toModel) : undefined
  }

  async findPublic(modelId: string): Promise<CustomModel | undefined> {
    const { data } = await this.#connect()
      .from('custom_models')
      .select()
      .eq('model_id', modelId)
      .eq('is_public', true)
      .order('created_at')
      .order('id')
      .limit(1)
      .throwOnError()
    return data?.[0] ? valid(data[0], toModel) : undefined
  }

  async create(model: NewModel): Promise<CustomModel | undefined> {
    const row = { id: model.id, tenant_id: model.tenantId, model_id: model.modelId, ...modelColumns(model) }
    // As an upsert that changes nothing: a name that is taken is an answer, not an error.
    const { data } = await this.#connect()
      .from('custom_models')
      .upsert(row, { onConflict: 'tenant_id,model_id', ignoreDuplicates: true })
      .select()
      .throwOnError()
    return data?.[0] ? valid(data[0], toModel) : undefined
  }

  async update(seen: CustomModel, change: ModelChange): Promise<CustomModel | undefined> {
    const { data } = await this.#connect()
      .from('custom_models')
      .update({ ...modelColumns(change), updated_at: this.#timestamp() })
      .eq('id', seen.id)
      .eq('tenant_id', seen.tenantId)
      .eq('revision', seen.revision)
      .eq('is_public', seen.isPublic)
      .select()
      .maybeSingle()
      .throwOnError()
    return data ? valid(data, toModel) : undefined
  }

  remove(tenantId: string, modelId: string): Promise<boolean> {
    return this.#remove('custom_models', tenantId, 'model_id', modelId)
  }

  async putAlias({ tenantId, name, kind, targets }: NewAlias): Promise<ModelAlias> {
    const row = { tenant_id: tenantId, name, kind, targets, updated_at: this.#timestamp() }
    return this.#put('model_aliases', 'tenant_id,name', row, toAlias)
  }

  removeAlias(tenantId: string, name: string): Promise<boolean> {
    return this.#remove('model_aliases', tenantId, 'name', name)
  }

  async putProviderKey(key: NewProviderKey): Promise<ProviderKey> {
    const row = {
      // A new identity with each key, in one statement with the text that is bound to it.
      id: key.id,
      tenant_id: key.tenantId,
      provider: key.provider,
      base_url: key.baseUrl,
      wire_format: key.format,
      api_key_encrypted: key.key.encrypted,
      api_key_iv: key.key.iv,
      api_key_hint: key.keyHint ?? null,
      updated_at: this.#timestamp(),
    }
    return this.#put('provider_keys', 'tenant_id,provider', row, toProviderKey)
  }

  removeProviderKey(tenantId: string, provider: string): Promise<boolean> {
    return this.#remove('provider_keys', tenantId, 'provider', provider)
  }

  async #put<T>(
    table: BadRow['table'],
    onConflict: string,
    row: object,
    read: (row: unknown) => T | undefined,
  ): Promise<T> {
    const { data } = await this.#connect()
      .from(table)
      .upsert(row, { onConflict })
      .select()
      .single()
      .throwOnError()
    return valid(data, read)
  }

  async #remove(table: BadRow['table'], tenantId: string, column: string, value: string): Promise<boolean> {
    const { data } = await this.#connect()
      .from(table)
      .delete()
      .eq('tenant_id', tenantId)
      .eq(column, value)
      .select('id')
      .throwOnError()
    return (data ?? []).length > 0
  }

  #timestamp(): string {
    return new Date(this.#now()).toISOString()
  }
}

/** The columns that a change names; what it does not name stays as it is. */
function modelColumns(change: ModelChange): JsonObject {
  const columns: Record<string, unknown> = {}
  const set = (field: keyof ModelChange, column: string) => {
    if (field in change) columns[column] = change[field] ?? null
  }
  set('modelName', 'model_name')
  set('endpointUrl', 'endpoint_url')
  set('provider', 'provider')
  set('format', 'wire_format')
  set('isActive', 'is_active')
  set('isPublic', 'is_public')
  set('userId', 'user_id')
  set('config', 'config')
  set('keyHint', 'api_key_hint')
  if ('key' in change) {
    columns.api_key_encrypted = change.key?.encrypted ?? null
    columns.api_key_iv = change.key?.iv ?? null
  }
  return columns as JsonObject
}

const byAge = (a: CustomModel, b: CustomModel): number =>
  a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.modelId < b.modelId) ? -1 : 1

function valid<T>(row: unknown, read: (row: unknown) => T | undefined): T {
  const value = read(row)
  if (value === undefined) throw new Error('a stored row is malformed')
  return value
}

/** The rows that are as they must be. @throws when a bad one cannot even be named */
function validRows<T>(
  table: BadRow['table'],
  rows: unknown,
  read: (row: unknown) => T | undefined,
  bad: BadRow[],
): T[] {
  if (!Array.isArray(rows)) throw new Error(`${table} did not come as a list`)
  return rows.flatMap((row: unknown) => {
    const value = read(row)
    if (value !== undefined) return [value]
    if (!isObject(row) || typeof row.id !== 'string') throw new Error(`a row of ${table} has no id`)
    bad.push({ table, id: row.id })
    return []
  })
}
