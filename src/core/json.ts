import { fromUtf8 } from './bytes.ts'
import { GatewayError } from './errors.ts'

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
export interface JsonObject {
  [key: string]: JsonValue
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Text of a body to its value: strict UTF-8 without a byte order mark, JSON as RFC 8259 has it.
 * Of duplicate keys the last counts. Depth, keys and strings are judged where the value is first walked
 * (`canonical`).
 * @throws GatewayError `invalid_encoding` or `invalid_json`
 */
export function parseJson(bytes: Uint8Array): JsonValue {
  let text: string
  try {
    text = fromUtf8(bytes)
  } catch (cause) {
    throw new GatewayError(
      'invalid_encoding',
      'The body is not valid UTF-8.',
      'Send the JSON encoded as UTF-8.',
      { cause },
    )
  }
  try {
    return JSON.parse(text) as JsonValue
  } catch (cause) {
    // The engine's message quotes the body, so it stays in the cause.
    throw new GatewayError(
      'invalid_json',
      text === '' ? 'The body is empty.' : 'The body is not valid JSON.',
      'Send one JSON object, for example {"model":"auto","messages":[{"role":"user","content":"Hello"}]}.',
      { cause },
    )
  }
}
