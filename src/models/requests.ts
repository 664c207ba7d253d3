import * as z from 'zod/mini'
import { GatewayError } from '../core/errors.ts'
import type { JsonValue } from '../core/json.ts'
import { judge, tipIn } from '../core/schema.ts'
import { aliasKind, aliasTargets, CONFIG_FIELDS, SLUG, wireFormat } from './rows.ts'

/** Routes of ours lie where a model of this name would, and `auto` is a choice among models. */
const RESERVED: readonly string[] = ['auto', 'monitoring', 'test', 'custom']

const slug = z.string().check(z.regex(SLUG))
/** No control characters: it is shown to people, and Postgres keeps no NUL. */
const name = z.string().check(z.maxLength(120), z.regex(/^\P{Cc}+$/u))
const apiKey = z.string().check(z.maxLength(8_192), z.regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/))
const address = z.string().check(z.minLength(8), z.maxLength(2_048))
const config = z.strictObject(CONFIG_FIELDS)
const userId = z.string().check(z.regex(/^[\x21-\x7e]{1,128}$/))

/** What is said of a model when it is added, and may be changed later. */
const MODEL_FIELDS = {
  model_name: z.optional(name),
  endpoint_url: z.nullish(address),
  provider: z.optional(slug),
  wire_format: z.optional(wireFormat),
  is_active: z.optional(z.boolean()),
  is_public: z.optional(z.boolean()),
  user_id: z.nullish(userId),
  config: z.optional(config),
  api_key: z.nullish(apiKey),
}
const creation = z.strictObject({
  model_id: slug,
  ...MODEL_FIELDS,
})
const change = z.strictObject({
  ...MODEL_FIELDS,
  /** The revision that the change was decided on. */
  revision: z.optional(z.int()),
})
const alias = z.strictObject({ kind: aliasKind, targets: aliasTargets })
const providerKey = z.strictObject({
  api_key: apiKey,
  base_url: z.optional(address),
  wire_format: z.optional(wireFormat),
})

export type CreationRequest = z.infer<typeof creation>
export type ChangeRequest = z.infer<typeof change>
export type AliasRequest = z.infer<typeof alias>
export type ProviderKeyRequest = z.infer<typeof providerKey>

/** @throws GatewayError `invalid_request`; so below */
export function readCreation(body: JsonValue): CreationRequest {
  const request = judge(creation, body, tipFor)
  checkName(request.model_id, 'model_id')
  return request
}

export const readChange = (body: JsonValue): ChangeRequest => judge(change, body, tipFor)

export function readAlias(aliasName: string, body: JsonValue): AliasRequest {
  checkName(aliasName, 'name')
  return judge(alias, body, tipFor)
}

export function readProviderKey(provider: string, body: JsonValue): ProviderKeyRequest {
  checkName(provider, 'provider')
  return judge(providerKey, body, tipFor)
}

function checkName(text: string, param: string): void {
  if (!SLUG.test(text))
    throw new GatewayError('invalid_request', `The name in "${param}" is not valid.`, SLUG_TIP, { param })
  if (!RESERVED.includes(text)) return
  const tip = `Choose another name than ${RESERVED.join(', ')}.`
  throw new GatewayError('invalid_request', `The name "${text}" is reserved.`, tip, { param })
}

const SLUG_TIP = 'Use 1 to 63 small letters, digits, "-", "_" or ".", beginning with a letter or digit.'
const TIPS: Readonly<Record<string, string>> = {
  '': 'Send a JSON object; docs/models.md lists its fields.',
  model_id: SLUG_TIP,
  provider: SLUG_TIP,
  model_name: 'Send 1 to 120 characters without line breaks.',
  endpoint_url: 'Send the base URL, for example https://llm.example.com/v1.',
  base_url: 'Send the base URL, for example https://llm.example.com/v1.',
  api_key: 'Send the key as the provider gave it: printable characters, no line break at its end.',
  'config.suits':
    'Send at most 16 names of tasks (code_generation, chat, refactoring, testing, documentation) or languages (python, cpp).',
  user_id: 'Send 1 to 128 printable characters without spaces.',
  kind: 'Use "weighted" to spread requests over the targets, "fallback" to try them in their order.',
  targets: 'Send 1 to 16 targets, for example [{"model":"custom:mine","weight":3},{"model":"openai:gpt-5"}].',
}

const tipFor = (param: string): string =>
  tipIn(TIPS, param.replace(/\[\d+\]$/, '')) ??
  `Correct "${param}" or leave it out; docs/models.md lists the fields.`
