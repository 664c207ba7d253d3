import { GatewayError } from '../../core/errors.ts'
import { isObject, type JsonObject, type JsonValue, parseJson } from '../../core/json.ts'
import { DamagedArtefactError } from './damaged.ts'

export interface JsonLimits {
  readonly maxDepth: number
  /** Object keys in the whole value. */
  readonly maxKeys: number
}

/** More keys than the door lets in: a table of training data has a key for every cell. */
export const JSON_LIMITS: JsonLimits = { maxDepth: 64, maxKeys: 1_000_000 }

/** @throws DamagedArtefactError for what is not JSON, or is JSON that may not be used */
export function artefactJson(name: string, bytes: Uint8Array, limits = JSON_LIMITS): JsonValue {
  let value: JsonValue
  try {
    value = parseJson(bytes)
  } catch (cause) {
    if (!(cause instanceof GatewayError)) throw cause
    throw new DamagedArtefactError(name, 'is not JSON in strict UTF-8', { cause })
  }
  const fault = faultOf(value, limits)
  if (fault) throw new DamagedArtefactError(name, fault)
  return value
}

/**
 * Judges a value before anybody walks it by recursion or copies its keys. The door's judge (`canonical`) writes the
 * whole value down as well: measured on 24 MB of features, 9 times as long and 167 MB more, over an isolate's 128.
 * @returns what is wrong, as the end of the sentence "The artefact ..."; undefined when nothing is
 */
export function faultOf(
  value: JsonValue,
  { maxDepth, maxKeys }: JsonLimits = JSON_LIMITS,
): string | undefined {
  // Level by level instead of by recursion, which a deep value would end.
  let keys = 0
  let below: (JsonValue[] | JsonObject)[] = []
  const look = (item: JsonValue): string | undefined => {
    if (typeof item === 'object' && item !== null) below.push(item)
    return faultOfOne(item)
  }
  let fault = look(value)
  for (let depth = 1; below.length > 0 && !fault; depth++) {
    if (depth > maxDepth) return `is nested deeper than ${maxDepth} levels`
    const level = below
    below = []
    for (const container of level) {
      const list = Array.isArray(container)
      if (!list) keys += Object.keys(container).length
      if (keys > maxKeys) return `has more than ${maxKeys} keys`
      for (const item of list ? container : Object.values(container)) fault ??= look(item)
    }
  }
  return fault
}

function faultOfOne(item: unknown): string | undefined {
  switch (typeof item) {
    case 'string':
      return item.isWellFormed() ? undefined : 'holds half of a surrogate pair, which is not valid Unicode'
    case 'number':
      return Number.isFinite(item) ? undefined : 'holds a number that JSON cannot carry'
    case 'boolean':
      return undefined
    case 'object':
      return item !== null && !Array.isArray(item) ? faultOfKeys(item) : undefined
    default:
      return `holds a value of type ${typeof item}, which JSON does not have`
  }
}

/** `JSON.parse` makes harmless properties of these; whoever copies them key by key changes every object there is. */
function faultOfKeys(item: object): string | undefined {
  for (const key of Object.keys(item)) {
    if (key === '__proto__') return 'has the key __proto__'
    if (!key.isWellFormed()) return 'has a key that is not valid Unicode'
  }
  const { constructor: made } = item
  return Object.hasOwn(item, 'constructor') && isObject(made) && Object.hasOwn(made, 'prototype')
    ? 'has the keys constructor.prototype'
    : undefined
}
