import * as z from 'zod/mini'
import { GatewayError } from '../core/errors.ts'
import { isObject, type JsonObject, type JsonValue } from '../core/json.ts'
import { judge, tipIn } from '../core/schema.ts'

/** More tokens than any model answers with; beyond it a number is a mistake. */
const MAX_TOKENS = 10_000_000
const MAX_MODEL_LENGTH = 256
const ROLES = ['developer', 'system', 'user', 'assistant', 'tool', 'function'] as const

const tokens = z.nullish(z.int().check(z.gte(1), z.lte(MAX_TOKENS)))
const penalty = z.nullish(z.number().check(z.gte(-2), z.lte(2)))

const message = z.looseObject({
  role: z.enum(ROLES),
  content: z.nullish(z.union([z.string(), z.array(z.looseObject({ type: z.string() }))])),
  name: z.optional(z.string()),
  tool_calls: z.nullish(z.array(z.looseObject({ id: z.optional(z.string()), type: z.optional(z.string()) }))),
  tool_call_id: z.optional(z.string()),
})

/** The fields we know of POST /v1/chat/completions; every other passes through as it came. */
export const schema = z.looseObject({
  model: z.string().check(z.minLength(1), z.maxLength(MAX_MODEL_LENGTH)),
  messages: z.array(message).check(z.minLength(1)),
  stream: z.nullish(z.boolean()),
  stream_options: z.nullish(z.looseObject({ include_usage: z.optional(z.boolean()) })),
  temperature: z.nullish(z.number().check(z.gte(0), z.lte(2))),
  top_p: z.nullish(z.number().check(z.gte(0), z.lte(1))),
  n: z.nullish(z.int().check(z.gte(1), z.lte(128))),
  max_tokens: tokens,
  max_completion_tokens: tokens,
  presence_penalty: penalty,
  frequency_penalty: penalty,
  stop: z.nullish(z.union([z.string(), z.array(z.string()).check(z.maxLength(64))])),
  seed: z.nullish(z.int()),
  logprobs: z.nullish(z.boolean()),
  top_logprobs: z.nullish(z.int().check(z.gte(0), z.lte(20))),
  logit_bias: z.nullish(z.record(z.string(), z.number().check(z.gte(-100), z.lte(100)))),
  response_format: z.nullish(z.looseObject({ type: z.string() })),
  tools: z.nullish(z.array(z.looseObject({ type: z.string() })).check(z.maxLength(1_024))),
  tool_choice: z.nullish(z.union([z.string(), z.looseObject({ type: z.string() })])),
  parallel_tool_calls: z.nullish(z.boolean()),
  user: z.nullish(z.string()),
})

/** A request that passed the door: the parsed body itself, whose known fields have the types stated here. */
export type ChatRequest = Omit<JsonObject, 'stream_options'> & {
  readonly model: string
  readonly messages: JsonObject[]
  readonly stream?: boolean | null
  readonly stream_options?: { readonly include_usage?: boolean } | null
  readonly temperature?: number | null
}

/**
 * Judges the body against the schema. The body is returned as it is, unknown fields included.
 * @throws GatewayError `invalid_request`, with the path of the first field at fault
 */
export function checkChatRequest(body: JsonValue): ChatRequest {
  if (!isObject(body)) {
    throw new GatewayError(
      'invalid_request',
      'The body is not a JSON object.',
      'Send an object with "model" and "messages".',
    )
  }
  if (!isPlain(body)) judge(schema, body, tipFor)
  return body as ChatRequest
}

const PLAIN_ROLES: ReadonlySet<unknown> = new Set(ROLES)

/**
 * Whether the body holds nothing but what nearly every request does, and that as the schema wants it: such a body is
 * spared the schema, which takes a twelfth of a whole cache hit. Where this says no, the schema has the word.
 */
export function isPlain(body: JsonObject): boolean {
  for (const field in body) if (!isPlainField(field, body[field])) return false
  return body.model !== undefined && body.messages !== undefined
}

function isPlainField(field: string, value: JsonValue | undefined): boolean {
  switch (field) {
    case 'model':
      return typeof value === 'string' && value.length > 0 && value.length <= MAX_MODEL_LENGTH
    case 'messages':
      return Array.isArray(value) && value.length > 0 && value.every(isPlainMessage)
    case 'stream':
      return typeof value === 'boolean'
    case 'temperature':
      return typeof value === 'number' && value >= 0 && value <= 2
    case 'max_tokens':
    case 'max_completion_tokens':
      return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_TOKENS
    case 'seed':
      return Number.isSafeInteger(value)
    case 'user':
      return typeof value === 'string'
    default:
      return false
  }
}

function isPlainMessage(message: JsonValue): boolean {
  if (!isObject(message)) return false
  for (const field in message) if (field !== 'role' && field !== 'content') return false
  return PLAIN_ROLES.has(message.role) && typeof message.content === 'string'
}

const TIPS: Readonly<Record<string, string>> = {
  model: 'Name a model from GET /v1/models, or "auto".',
  messages: 'Send at least one message, for example [{"role":"user","content":"Hello"}].',
  n: 'Leave "n" out for one answer, or ask for 1 to 128.',
  max_tokens: "Leave it out for the model's own limit, or send a whole number of at least 1.",
}

const tipFor = (param: string): string =>
  tipIn(TIPS, param) ??
  (param
    ? `Correct "${param}" or leave it out; see the OpenAI chat completions reference.`
    : (TIPS.messages as string))
