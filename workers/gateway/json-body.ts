import { canonical } from '../../src/core/canonical.ts'
import { type JsonValue, parseJson } from '../../src/core/json.ts'
import { readBody } from './body.ts'

const MAX_BYTES = 32_000
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
