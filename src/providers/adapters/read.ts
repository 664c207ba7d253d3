import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { count } from '../completion.ts'

/** @returns undefined for text that is no JSON */
export function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
}

export const objectOf = (value: JsonValue | undefined): JsonObject => (isObject(value) ? value : {})

export const objectsOf = (value: JsonValue | undefined): JsonObject[] =>
  Array.isArray(value) ? value.filter(isObject) : []

export const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '')

/** @returns undefined unless the text says something */
export const wordOf = (value: JsonValue | undefined): string | undefined => textOf(value) || undefined

/** A place in a list: from 0, and not so large that it could only be a mistake. */
export const indexOf = (value: JsonValue | undefined): number | undefined => {
  const index = count(value)
  return index !== undefined && index < 1_024 ? index : undefined
}

/**
 * JSON.parse takes any depth, JSON.stringify does not: what is nested too deep to be written again is no answer.
 * @returns undefined for it
 */
export function unlessTooDeep<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof RangeError) return undefined
    throw thrown
  }
}

/** The sum of counts of which each may be absent. @returns undefined when one cannot be believed */
export function sumOf(...values: readonly (JsonValue | undefined)[]): number | undefined {
  let sum = 0
  for (const value of values) {
    if (value === undefined || value === null) continue
    const counted = count(value)
    if (counted === undefined) return undefined
    sum += counted
  }
  return count(sum)
}
