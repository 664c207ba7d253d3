import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import type { RefusalHint, RefusalKind } from '../adapter.ts'
import { parse, textOf } from './read.ts'

/**
 * What may be repeated of a provider's error: written as words are, in snake_case, CAPITALS or CamelCase, or a short
 * number. Some put the key that they refuse there: keys mix letters with digits, or capitals with small ones.
 */
const HARMLESS_CODE =
  /^(?:[a-z]+(?:_[a-z]+){0,9}|[A-Z]+(?:_[A-Z]+){0,9}|[A-Z]?[a-z]+(?:[A-Z][a-z]+){0,9}|[0-9]{3,6})$/
const HARMLESS_PARAM = /^[a-z_]{1,32}(?:\.[a-z_]{1,32}|\.\d{1,4}|\[\d{1,4}\]){0,8}$/
const MAX_CODE = 64

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
    const isHarmless = word.length <= MAX_CODE && (Object.hasOwn(kinds, word) || HARMLESS_CODE.test(word))
    return isHarmless ? [word] : []
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
