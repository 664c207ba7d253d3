import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import type { RefusalHint, RefusalKind } from '../adapter.ts'
import { parse, textOf } from './read.ts'

/** What may be repeated of a provider's error: short, and without room for a key, an address or prose. */
const HARMLESS_CODE = /^(?:[a-zA-Z][a-zA-Z0-9_]{0,63}|[0-9]{3,6})$/
const HARMLESS_PARAM = /^[a-z][a-z0-9_.[\]]{0,63}$/

/** Wordings that many servers share, most of all those that speak OpenAI's format without its codes. */
const WORDINGS: readonly (readonly [RefusalKind, RegExp])[] = [
  [
    'context_too_long',
    /maximum context length|context (?:window|length|size)[^.]{0,60}exceed|exceeds? [^.]{0,60}(?:context (?:window|length|size|limit)|maximum number of tokens)|prompt is too long|too many input tokens/i,
  ],
  [
    'quota_exhausted',
    /credit balance is too low|insufficient (?:balance|credits|quota)|api usage limits|daily free allocation/i,
  ],
  [
    'content_filtered',
    /content (?:filtering|management) policy|flagged by (?:our|the) (?:content|safety|moderation)/i,
  ],
  [
    'model_missing',
    /^model: |\bmodel\b.{0,200}\b(?:not found|does not exist|not supported for generateContent)|no such model/i,
  ],
]

/** Longest part of a message that is looked at. */
const MAX_MESSAGE = 1_000

export interface Refusal {
  readonly message: JsonValue | undefined
  /** The provider's codes, the most telling first. */
  readonly codes: readonly (JsonValue | undefined)[]
  readonly param?: JsonValue | undefined
}

/**
 * @param find where the format keeps its error
 * @param kinds what its codes mean
 */
export function readRefusal(
  text: string,
  find: (value: JsonObject) => Refusal,
  kinds: Readonly<Record<string, RefusalKind>>,
): RefusalHint {
  const value = parse(text)
  const body = Array.isArray(value) ? value[0] : value
  if (!isObject(body)) return {}
  const { message, codes, param } = find(body)
  const words = codes.flatMap((code) => {
    const word = typeof code === 'number' ? String(code) : textOf(code)
    return HARMLESS_CODE.test(word) ? [word] : []
  })
  const telling = words.find((word) => Object.hasOwn(kinds, word))
  return {
    kind: (telling ? kinds[telling] : undefined) ?? kindOf(textOf(message)),
    code: telling ?? words[0],
    param: typeof param === 'string' && HARMLESS_PARAM.test(param) ? param : undefined,
  }
}

const kindOf = (message: string): RefusalKind | undefined =>
  WORDINGS.find(([, wording]) => wording.test(message.slice(0, MAX_MESSAGE)))?.[0]
