import { isObject, type JsonValue } from '../core/json.ts'
import type { Verdict } from '../providers/completion.ts'
import { MAX_SAID } from '../providers/said.ts'
import type { ChatRequest } from './chat-request.ts'

/** What an answer's form tells of its quality, before anybody rates it. */
export interface AnswerChecks {
  /** The part of the checks that it passed, 0 to 1. */
  readonly score: number
  /** It was cut at the token limit. */
  readonly truncated: boolean
}

/**
 * Checks a whole answer: it was not cut at the token limit, it is no refusal, it says something; and where JSON was asked
 * for, it is JSON, an object with the fields that its schema requires. Whether it is right is for those who rate it.
 */
export function checkAnswer(request: ChatRequest, { truncated, refused, said }: Verdict): AnswerChecks {
  const passed = [!truncated, !refused, said.trim() !== '']
  if (isJsonAskedFor(request) && said.length < MAX_SAID) passed.push(isAsRequired(said, requiredBy(request)))
  return { score: passed.filter(Boolean).length / passed.length, truncated }
}

/** Of one choice, and without tools: what was said is then the answer alone. */
function isJsonAskedFor({ response_format: format, tools, n }: ChatRequest): boolean {
  if (tools || (n ?? 1) !== 1 || !isObject(format)) return false
  return format.type === 'json_object' || format.type === 'json_schema'
}

function requiredBy({ response_format: format }: ChatRequest): readonly JsonValue[] {
  const schema = isObject(format) && isObject(format.json_schema) ? format.json_schema.schema : undefined
  return isObject(schema) && Array.isArray(schema.required) ? schema.required : []
}

function isAsRequired(said: string, required: readonly JsonValue[]): boolean {
  try {
    const value = JSON.parse(said) as JsonValue
    if (required.length === 0) return true
    return isObject(value) && required.every((name) => Object.hasOwn(value, String(name)))
  } catch {
    return false
  }
}
