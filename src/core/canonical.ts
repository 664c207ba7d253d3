import { GatewayError } from './errors.ts'
import type { JsonObject, JsonValue } from './json.ts'

export interface CanonicalLimits {
  readonly maxDepth: number
  /** Object keys in the whole value. */
  readonly maxKeys: number
}

export const LIMITS: CanonicalLimits = { maxDepth: 64, maxKeys: 100_000 }

/**
 * One text for one JSON value, whatever the order of its keys, and no other value with the same text: every
 * string carries its length, every list and object its count. The walk is also the door's judge of depth,
 * number of keys, well-formed strings and finite numbers, so that nothing is looked at twice.
 * @param omit names that are left out at the top level
 * @throws GatewayError `too_deep`, `too_many_keys`, `ill_formed_string`, `number_out_of_range`
 */
export function canonical(
  value: JsonValue,
  omit: ReadonlySet<string>,
  limits: CanonicalLimits = LIMITS,
): string {
  return new Walk(limits).object(value, omit)
}

class Walk {
  readonly #limits: CanonicalLimits
  #keys = 0

  constructor(limits: CanonicalLimits) {
    this.#limits = limits
  }

  object(value: JsonValue, omit: ReadonlySet<string>): string {
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? this.#object(value, 1, omit)
      : this.#any(value, 1)
  }

  #any(value: JsonValue, depth: number): string {
    switch (typeof value) {
      case 'string':
        return text(value)
      case 'number':
        return number(value)
      case 'boolean':
        return value ? 't' : 'f'
    }
    if (value === null) return 'n'
    if (depth > this.#limits.maxDepth) throw tooDeep(this.#limits.maxDepth)
    if (Array.isArray(value)) {
      let out = `a${value.length}:`
      for (const item of value) out += this.#any(item, depth + 1)
      return out
    }
    return this.#object(value, depth, undefined)
  }

  #object(value: JsonObject, depth: number, omit: ReadonlySet<string> | undefined): string {
    let keys = Object.keys(value)
    this.#keys += keys.length
    if (this.#keys > this.#limits.maxKeys) throw tooManyKeys(this.#limits.maxKeys)
    // What is left out of the text is judged all the same: it is sent upstream like the rest.
    if (omit) {
      for (const key of keys) if (omit.has(key)) this.#any(value[key] as JsonValue, depth + 1)
      keys = keys.filter((key) => !omit.has(key))
    }
    // By code unit, not by locale: the same everywhere.
    if (keys.length > 1) keys.sort()
    let out = `o${keys.length}:`
    for (const key of keys) out += text(key) + this.#any(value[key] as JsonValue, depth + 1)
    return out
  }
}

function text(value: string): string {
  // Two different lone surrogates would encode to the same UTF-8 and so to the same key.
  if (!value.isWellFormed()) {
    throw new GatewayError(
      'ill_formed_string',
      'A string in the body holds half of a surrogate pair, which is not valid Unicode.',
      'Remove or replace the broken character; it is often the result of cutting a string inside an emoji.',
    )
  }
  return `s${value.length}:${value}`
}

function number(value: number): string {
  if (!Number.isFinite(value)) {
    throw new GatewayError(
      'number_out_of_range',
      'A number in the body is too large to be represented.',
      'Send numbers within the range of a 64-bit float (about 1.8e308).',
    )
  }
  return `d${value};`
}

const tooDeep = (max: number) =>
  new GatewayError(
    'too_deep',
    `The body is nested deeper than ${max} levels.`,
    'Send a flatter body, or nested data as a string.',
  )

const tooManyKeys = (max: number) =>
  new GatewayError(
    'too_many_keys',
    `The body has more than ${max} keys.`,
    'Send less, or the data as a string.',
  )
