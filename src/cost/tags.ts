import { GatewayError } from '../core/errors.ts'
import { isObject, type JsonValue } from '../core/json.ts'

/** What a caller calls a request's cost by: `{"team": "search"}`. */
export type Tags = Readonly<Record<string, string>>

export const MAX_TAGS = 10
export const TAG_KEY = /^[A-Za-z][A-Za-z0-9_.-]{0,31}$/
/** Without blanks and `@`, so that sentences and addresses of persons stay out of the ledger. */
export const TAG_VALUE = /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$/

export const NO_TAGS: Tags = Object.freeze({})

/**
 * The tags of a request: those of the header `x-beast-tags` (`team=search,feature=autocomplete`), or without one what
 * fits of the body's `metadata`. That is the provider's, so what does not fit there is left out and no error.
 * @throws GatewayError `invalid_header`
 */
export function tagsOf(header: string | null, body: JsonValue): Tags {
  if (header !== null) return fromHeader(header)
  const metadata = isObject(body) ? body.metadata : undefined
  return isObject(metadata) ? whatFits(metadata) : NO_TAGS
}

function fromHeader(header: string): Tags {
  const pairs = header.split(',').map((pair) => pair.trim())
  if (pairs.length > MAX_TAGS) throw invalid(`has more than ${MAX_TAGS} tags`)
  const tags = new Map<string, string>()
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const [key, value] = [pair.slice(0, Math.max(0, at)), pair.slice(at + 1)]
    if (!TAG_KEY.test(key)) throw invalid('has a tag without a valid name')
    // It is one by now, and may be shown.
    if (!TAG_VALUE.test(value)) throw invalid(`has no valid value for "${key}"`)
    if (tags.has(key)) throw invalid(`names "${key}" twice`)
    tags.set(key, value)
  }
  return Object.fromEntries(tags)
}

function whatFits(metadata: Readonly<Record<string, JsonValue>>): Tags {
  const fitting: [string, string][] = []
  for (const key in metadata) {
    const value = metadata[key]
    if (typeof value !== 'string' || !TAG_KEY.test(key) || !TAG_VALUE.test(value)) continue
    fitting.push([key, value])
    if (fitting.length === MAX_TAGS) break
  }
  return fitting.length === 0 ? NO_TAGS : Object.fromEntries(fitting)
}

const invalid = (problem: string) =>
  new GatewayError(
    'invalid_header',
    `The header x-beast-tags ${problem}.`,
    `Send up to ${MAX_TAGS} like team=search,feature=autocomplete: names of up to 32 letters, digits, "_", "." or "-", values of up to 64, also with ":" and "/".`,
    { param: 'x-beast-tags' },
  )
