import * as z from 'zod/mini'
import { WIRE_FORMATS } from '../providers/adapter.ts'
import type { CustomModel, ModelAlias, ProviderKey } from './registry.ts'

/** What a name may look like, in the database and at the door. */
export const SLUG = /^[a-z0-9][a-z0-9._-]{0,62}$/
/** One word as models are named anywhere: printable ASCII. */
export const MODEL_WORD = /^[\x21-\x7e]{1,256}$/
const MAX_TOKENS = 100_000_000
const MAX_USD = 1_000_000

const slug = z.string().check(z.regex(SLUG))
const word = z.string().check(z.regex(MODEL_WORD))
const price = z.optional(z.number().check(z.gte(0), z.lte(MAX_USD)))
const flag = z.optional(z.boolean())
/** A task or a programming language, as selection names them. */
const suit = z.string().check(z.regex(/^[a-z][a-z0-9_+#.-]{0,31}$/))

/** The fields of `config` that mean something. */
export const CONFIG_FIELDS = {
  model: z.optional(word),
  upstream: z.nullish(word),
  discover: flag,
  context_tokens: z.optional(z.int().check(z.gte(1), z.lte(MAX_TOKENS))),
  tools: flag,
  vision: flag,
  json: flag,
  suits: z.optional(z.array(suit).check(z.maxLength(16))),
  input_usd_per_mtok: price,
  output_usd_per_mtok: price,
}

export const MAX_TARGETS = 16
export const aliasTargets = z
  .array(
    z.strictObject({
      model: word,
      weight: z._default(z.number().check(z.gt(0), z.lte(1_000)), 1),
    }),
  )
  .check(z.minLength(1), z.maxLength(MAX_TARGETS))
export const aliasKind = z.enum(['weighted', 'fallback'])
export const wireFormat = z.enum(WIRE_FORMATS)

const sealed = { api_key_encrypted: z.string(), api_key_iv: z.string() }
const time = z.string().check(z.refine((text) => !Number.isNaN(Date.parse(text))))
const every = {
  id: z.uuid(),
  tenant_id: z.uuid(),
  revision: z.int().check(z.gte(1)),
  updated_at: time,
}

const modelRow = z.object({
  ...every,
  model_id: slug,
  model_name: z.string(),
  endpoint_url: z.nullable(z.url()),
  provider: slug,
  wire_format: wireFormat,
  is_active: z.boolean(),
  is_public: z.boolean(),
  user_id: z.nullable(z.string()),
  config: z.object(CONFIG_FIELDS),
  api_key_encrypted: z.nullable(z.string()),
  api_key_iv: z.nullable(z.string()),
  api_key_hint: z.nullable(z.string()),
  created_at: time,
})
const aliasRow = z.object({ ...every, name: slug, kind: aliasKind, targets: aliasTargets })
const keyRow = z.object({
  ...every,
  ...sealed,
  provider: slug,
  base_url: z.url(),
  wire_format: wireFormat,
  api_key_hint: z.nullable(z.string()),
})

/** One form of a time, whichever way it came. */
const isoTime = (text: string): string => new Date(text).toISOString()

/** @returns undefined for a row that is not as it must be; so below */
export function toModel(row: unknown): CustomModel | undefined {
  const { success, data } = modelRow.safeParse(row)
  if (!success) return undefined
  const { api_key_encrypted: encrypted, api_key_iv: iv } = data
  return {
    id: data.id,
    tenantId: data.tenant_id,
    modelId: data.model_id,
    modelName: data.model_name,
    endpointUrl: data.endpoint_url ?? undefined,
    provider: data.provider,
    format: data.wire_format,
    isActive: data.is_active,
    isPublic: data.is_public,
    userId: data.user_id ?? undefined,
    config: data.config,
    key: encrypted !== null && iv !== null ? { encrypted, iv } : undefined,
    keyHint: data.api_key_hint ?? undefined,
    revision: data.revision,
    createdAt: isoTime(data.created_at),
    updatedAt: isoTime(data.updated_at),
  }
}

export function toAlias(row: unknown): ModelAlias | undefined {
  const { success, data } = aliasRow.safeParse(row)
  if (!success) return undefined
  const { id, tenant_id: tenantId, name, kind, targets, revision, updated_at } = data
  return { id, tenantId, name, kind, targets, revision, updatedAt: isoTime(updated_at) }
}

export function toProviderKey(row: unknown): ProviderKey | undefined {
  const { success, data } = keyRow.safeParse(row)
  if (!success) return undefined
  return {
    id: data.id,
    tenantId: data.tenant_id,
    provider: data.provider,
    baseUrl: data.base_url,
    format: data.wire_format,
    key: { encrypted: data.api_key_encrypted, iv: data.api_key_iv },
    keyHint: data.api_key_hint ?? undefined,
    revision: data.revision,
    updatedAt: isoTime(data.updated_at),
  }
}
