import { isObject, type JsonObject, type JsonValue } from '../../../core/json.ts'
import type { AnswerContext, Completion } from '../../adapter.ts'
import {
  callId,
  completionOf,
  type FinishReason,
  type TokenCounts,
  type TranslatedCall,
  type TranslatedChoice,
} from '../../translated.ts'
import { objectOf, objectsOf, parse, sumOf, textOf, wordOf } from '../read.ts'

/**
 * Any other reason (MALFORMED_FUNCTION_CALL, LANGUAGE, OTHER, ...) says that the model failed, and what it
 * failed at is no answer.
 */
const FINISH: Readonly<Record<string, FinishReason>> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  CONTINUATION: 'length',
  SAFETY: 'content_filter',
  RECITATION: 'content_filter',
  BLOCKLIST: 'content_filter',
  PROHIBITED_CONTENT: 'content_filter',
  SPII: 'content_filter',
  IMAGE_SAFETY: 'content_filter',
  IMAGE_PROHIBITED_CONTENT: 'content_filter',
  IMAGE_RECITATION: 'content_filter',
}

/** @returns `failed` for a reason that is no end of an answer, undefined where there is none yet */
export function finishOf(reason: JsonValue | undefined): FinishReason | 'failed' | undefined {
  if (reason === undefined || reason === null) return undefined
  return (
    (typeof reason === 'string' && Object.hasOwn(FINISH, reason) ? FINISH[reason] : undefined) ?? 'failed'
  )
}

/** Whether the prompt was blocked, so that no candidate will come. */
export const isBlocked = (body: JsonObject): boolean =>
  wordOf(objectOf(body.promptFeedback).blockReason) !== undefined && objectsOf(body.candidates).length === 0

/** Thoughts are billed as output and not counted among the candidates' tokens. */
export function countsOf(usage: JsonValue | undefined): TokenCounts | undefined {
  if (!isObject(usage) || usage.promptTokenCount === undefined) return undefined
  const prompt = sumOf(usage.promptTokenCount, usage.toolUsePromptTokenCount)
  const completion = sumOf(usage.candidatesTokenCount, usage.thoughtsTokenCount)
  const cached = sumOf(usage.cachedContentTokenCount)
  const reasoning = sumOf(usage.thoughtsTokenCount)
  if (prompt === undefined || completion === undefined) return undefined
  return { prompt, completion, cached: cached ?? 0, reasoning: reasoning ?? 0 }
}

export interface Said {
  readonly text: string
  readonly reasoning: string
  readonly calls: readonly TranslatedCall[]
}

/** @param nextCall numbers the calls of the whole answer, for those that come without an id */
export function readContent(candidate: JsonObject, context: AnswerContext, nextCall: () => number): Said {
  const parts = objectsOf(objectOf(candidate.content).parts)
  const texts = (thought: boolean) =>
    parts.map((part) => ((part.thought === true) === thought ? textOf(part.text) : '')).join('')
  return {
    text: texts(false),
    reasoning: texts(true),
    calls: parts.flatMap((part) => readCall(part, context, nextCall) ?? []),
  }
}

function readCall(
  part: JsonObject,
  context: AnswerContext,
  nextCall: () => number,
): TranslatedCall | undefined {
  const { id, name, args } = objectOf(part.functionCall)
  const named = wordOf(name)
  if (!named) return undefined
  const signature = wordOf(part.thoughtSignature)
  return {
    id: wordOf(id) ?? callId(context, nextCall()),
    name: named,
    arguments: JSON.stringify(objectOf(args)),
    extra: signature ? { extra_content: { google: { thought_signature: signature } } } : undefined,
  }
}

export const BLOCKED: TranslatedChoice = { text: '', calls: [], finish: 'content_filter' }

/** @returns undefined when the text is no answer of Google's, or one that failed or has no end */
export function readResponse(text: string, context: AnswerContext): Completion | undefined {
  const body = parse(text)
  if (!isObject(body) || isObject(body.error)) return undefined
  const choices = isBlocked(body) ? [BLOCKED] : readCandidates(body.candidates, context)
  if (choices.length === 0) return undefined
  return completionOf(
    {
      id: wordOf(body.responseId),
      model: wordOf(body.modelVersion),
      choices,
      counts: countsOf(body.usageMetadata),
    },
    context,
  )
}

/** @returns none when one of them is not whole */
function readCandidates(candidates: JsonValue | undefined, context: AnswerContext): TranslatedChoice[] {
  let calls = 0
  const choices = objectsOf(candidates).map((candidate) => {
    const finish = finishOf(candidate.finishReason)
    const said = readContent(candidate, context, () => calls++)
    return finish && finish !== 'failed' ? { ...said, finish } : undefined
  })
  return choices.every((choice) => choice !== undefined) ? choices : []
}
