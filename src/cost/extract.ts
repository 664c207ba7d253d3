import type { ArrayMatch, ExtractPath, UsageExtractor } from '@pydantic/genai-prices'
import { isObject } from '../core/json.ts'
import { matches } from './match.ts'

/** What an answer says of itself, not judged yet. */
export interface ReadUsage {
  readonly model: string | undefined
  /** Units to counts, as they stand there: also negative ones, and larger than can be true. */
  readonly said: Readonly<Record<string, number>>
}

/**
 * Reads an answer's usage by an extractor of the price table: a list of places and the unit that each counts towards.
 * Our own reader, because one count that makes no sense must not cost us the others.
 * @param partial whether what the format requires may be missing, as in the single reports of a stream
 * @returns undefined where the answer is not of the extractor's form
 */
export function readUsage(
  answer: unknown,
  extractor: UsageExtractor,
  partial = false,
): ReadUsage | undefined {
  if (!isObject(answer)) return undefined
  const root = at(answer, extractor.root)
  if (!isObject(root)) return undefined
  const said: Record<string, number> = {}
  for (const { path, dest, required } of extractor.mappings) {
    const value = at(root, path)
    if (typeof value === 'number') said[dest] = (said[dest] ?? 0) + value
    else if (required && !partial) return undefined
  }
  if (Object.keys(said).length === 0) return undefined
  const model = at(answer, extractor.model_path)
  return { model: typeof model === 'string' ? model : undefined, said }
}

function at(value: unknown, path: ExtractPath): unknown {
  let place = value
  for (const step of typeof path === 'string' ? [path] : path) {
    place = typeof step === 'string' ? member(place, step) : element(place, step)
  }
  return place
}

const member = (place: unknown, name: string): unknown =>
  isObject(place) && Object.hasOwn(place, name) ? place[name] : undefined

/** The first element whose field is what is looked for: Gemini lists its tokens by modality. */
function element(place: unknown, { field, match }: ArrayMatch): unknown {
  if (!Array.isArray(place)) return undefined
  return place.find((each) => {
    const name = member(each, field)
    return typeof name === 'string' && matches(match, name)
  })
}
