import { canonical } from '../../src/core/canonical.ts'
import { type JsonValue, parseJson } from '../../src/core/json.ts'
import { readBody } from './body.ts'

const MAX_BYTES = 32_000
/** A correction of 256 kB with every character escaped twice over, or a batch. */
const MAX_FEEDBACK_BYTES = 1_000_000
const NOTHING: ReadonlySet<string> = new Set()

/**
 * A small JSON body, its depth, keys and strings judged.
 * @throws GatewayError what `readBody`, `parseJson` and `canonical` throw
 */
export async function readSmallJson(request: Request): Promise<JsonValue> {
  const value = parseJson(await readBody(request, MAX_BYTES))
  canonical(value, NOTHING)
  return value
}

/**
 * The JSON body of ratings. Their schema is strict and flat, so that it judges depth, keys, strings and numbers.
 * @throws GatewayError what `readBody` and `parseJson` throw
 */
export const readFeedbackJson = async (request: Request): Promise<JsonValue> =>
  parseJson(await readBody(request, MAX_FEEDBACK_BYTES))
