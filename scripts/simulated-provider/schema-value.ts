type Schema = { readonly [key: string]: unknown }

const WORDS = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta']
const MAX_DEPTH = 8

/** A value that a JSON schema accepts (type, enum, const, properties, items, anyOf, bounds). */
export function schemaValue(schema: unknown, random: () => number, depth = 0): unknown {
  if (typeof schema !== 'object' || schema === null || depth > MAX_DEPTH) return null
  const s = schema as Schema
  if ('const' in s) return s.const
  if (Array.isArray(s.enum)) return pick(s.enum, random)
  const union = s.anyOf ?? s.oneOf
  if (Array.isArray(union)) return schemaValue(union[0], random, depth + 1)
  const type = Array.isArray(s.type) ? s.type[0] : (s.type ?? (s.properties ? 'object' : 'string'))
  switch (type) {
    case 'object':
      return Object.fromEntries(
        Object.entries((s.properties ?? {}) as Schema).map(([name, part]) => [
          name,
          schemaValue(part, random, depth + 1),
        ]),
      )
    case 'array':
      return Array.from({ length: Math.max(1, Number(s.minItems ?? 1)) }, () =>
        schemaValue(s.items ?? {}, random, depth + 1),
      )
    case 'integer':
    case 'number':
      return between(s, random)
    case 'boolean':
      return random() < 0.5
    case 'null':
      return null
    default:
      return pick(WORDS, random)
  }
}

function between(s: Schema, random: () => number): number {
  const low = Number(s.minimum ?? 0)
  const high = Number(s.maximum ?? low + 100)
  return Math.floor(low + random() * (high - low))
}

const pick = <T>(items: readonly T[], random: () => number): T =>
  items[Math.floor(random() * items.length)] as T
