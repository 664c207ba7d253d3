import { isObject, type JsonObject, type JsonValue } from '../../../core/json.ts'
import type { AnswerContext, Completion } from '../../adapter.ts'
import { count, judgeCompletion } from '../../completion.ts'
import { callId, completionOf, type TokenCounts, type TranslatedCall } from '../../translated.ts'
import { objectOf, objectsOf, parse, textOf, wordOf } from '../read.ts'

export function countsOf(usage: JsonValue | undefined): TokenCounts | undefined {
  const { prompt_tokens, completion_tokens, prompt_tokens_details: details } = objectOf(usage)
  const [prompt, completion] = [count(prompt_tokens), count(completion_tokens)]
  if (prompt === undefined || completion === undefined) return undefined
  return { prompt, completion, cached: count(objectOf(details).cached_tokens) ?? 0, reasoning: 0 }
}

/** Asked for JSON, the platform gives a value where there is text otherwise. */
export const responseText = (response: JsonValue | undefined): string =>
  isObject(response) || Array.isArray(response) ? JSON.stringify(response) : textOf(response)

/** Calls come as `{name, arguments}`, or as OpenAI has them; the arguments as a value or as its text. */
export function readCalls(
  calls: JsonValue | undefined,
  context: AnswerContext,
  from: number,
): TranslatedCall[] {
  return objectsOf(calls).flatMap((call, i) => {
    const called = isObject(call.function) ? call.function : call
    const name = wordOf(called.name)
    if (!name) return []
    const given = called.arguments
    const text = typeof given === 'string' && given !== '' ? given : JSON.stringify(objectOf(given))
    return [{ id: wordOf(call.id) ?? callId(context, from + i), name, arguments: text }]
  })
}

/** What the REST API wraps, and the binding does not. @returns undefined for an error */
export function unwrap(value: JsonValue | undefined): JsonObject | undefined {
  if (!isObject(value) || isObject(value.error) || value.success === false) return undefined
  if (Array.isArray(value.errors) && value.errors.length > 0) return undefined
  if (!('result' in value)) return value
  return isObject(value.result) ? value.result : undefined
}

/** @returns undefined when the text is no answer of Workers AI */
export function readResult(text: string, context: AnswerContext): Completion | undefined {
  const value = parse(text)
  const result = unwrap(value)
  if (!result) return undefined
  if (Array.isArray(result.choices)) return openaiShaped(result, result === value ? text : undefined, context)
  const calls = readCalls(result.tool_calls, context, 0)
  if (!('response' in result) && calls.length === 0) return undefined
  return completionOf(
    {
      choices: [{ text: responseText(result.response), calls, finish: 'stop' }],
      counts: countsOf(result.usage),
    },
    context,
  )
}

/** Newer models answer in OpenAI's form. Untouched where it is whole. */
function openaiShaped(
  result: JsonObject,
  text: string | undefined,
  context: AnswerContext,
): Completion | undefined {
  const whole = typeof result.id === 'string' && result.object === 'chat.completion'
  const body =
    whole && text !== undefined
      ? text
      : JSON.stringify({
          id: `chatcmpl-${context.requestId}`,
          created: context.createdS,
          model: context.model,
          ...result,
          object: 'chat.completion',
        })
  const verdict = judgeCompletion(body)
  return verdict && { body, verdict }
}
