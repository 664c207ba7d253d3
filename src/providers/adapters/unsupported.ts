import { GatewayError } from '../../core/errors.ts'
import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'

export const unsupported = (param: string): GatewayError =>
  new GatewayError(
    'unsupported_by_model',
    `The provider of this model has no way to be asked for "${param}" as it was sent.`,
    'Leave the field out, or choose a model whose provider supports it.',
    { param },
  )

export const invalid = (param: string, must: string): GatewayError =>
  new GatewayError('invalid_request', `The field "${param}" ${must}.`, `Correct "${param}".`, { param })

/**
 * The text of a request. Arguments of calls come as text, which the door does not look into.
 * @throws GatewayError `too_deep`
 */
export function bodyOf(request: JsonObject): string {
  try {
    return JSON.stringify(request)
  } catch (cause) {
    throw new GatewayError(
      'too_deep',
      'The arguments of a tool call are nested too deep.',
      'Send flatter arguments, or nested data as a string.',
      { cause },
    )
  }
}

const never = () => false
const zero = (value: JsonValue) => value === 0

/** What each field may hold without any effect on the answer. Absent and null never have one. */
const NEUTRAL = {
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  top_logprobs: zero,
  logit_bias: (value) => isObject(value) && Object.keys(value).length === 0,
  presence_penalty: zero,
  frequency_penalty: zero,
  seed: never,
  audio: never,
  modalities: (value) => Array.isArray(value) && value.every((one) => one === 'text'),
  functions: (value) => Array.isArray(value) && value.length === 0,
  function_call: never,
  web_search_options: never,
  verbosity: (value) => value === 'medium',
  parallel_tool_calls: (value) => value === true,
  tool_choice: (value) => value === 'auto',
} as const satisfies Record<string, (value: JsonValue) => boolean>

/**
 * For the fields that a format has no word for: what would change the answer is refused, never dropped.
 * @throws GatewayError `unsupported_by_model`
 */
export function refuse(chat: JsonObject, fields: readonly (keyof typeof NEUTRAL)[]): void {
  for (const field of fields) {
    const value = chat[field]
    if (value !== undefined && value !== null && !NEUTRAL[field](value)) throw unsupported(field)
  }
}
