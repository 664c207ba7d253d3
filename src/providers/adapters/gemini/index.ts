import { isObject } from '../../../core/json.ts'
import type { Adapter } from '../../adapter.ts'
import { count } from '../../completion.ts'
import { readRefusal } from '../hint.ts'
import { modelPath } from '../model-path.ts'
import { objectOf, objectsOf, parse, textOf, unlessTooDeep, wordOf } from '../read.ts'
import { bodyOf } from '../unsupported.ts'
import { readResponse } from './answer.ts'
import { contentRequest } from './request.ts'
import { ContentStream } from './stream.ts'

/**
 * Google's Gemini API, `v1beta`.
 * @see https://ai.google.dev/api/generate-content
 */
export const gemini: Adapter = {
  format: 'gemini',
  listPath: '/models?pageSize=1000',

  authorize: (apiKey) => ({ 'x-goog-api-key': apiKey }),

  request: (chat, model) => ({
    path: `/${modelPath(model.includes('/') ? model : `models/${model}`)}:${
      chat.stream === true ? 'streamGenerateContent?alt=sse' : 'generateContent'
    }`,
    headers: { 'content-type': 'application/json' },
    body: bodyOf(contentRequest(chat, model)),
  }),

  answer: (text, context) => unlessTooDeep(() => readResponse(text, context)),
  stream: (context) => new ContentStream(context),

  refusal: (text) =>
    readRefusal(
      text,
      (body) => {
        const error = objectOf(body.error)
        const details = objectsOf(error.details)
        // A limit by the minute passes, one by the day is a quota that is used up.
        const spent = details
          .flatMap((detail) => objectsOf(detail.violations))
          .some((violation) => textOf(violation.quotaId).includes('PerDay'))
        const blocked = wordOf(objectOf(body.promptFeedback).blockReason) && 'blocked'
        const reasons = details.map((detail) => detail.reason)
        return {
          message: error.message,
          codes: [spent ? 'quota_exhausted' : undefined, blocked, error.status, ...reasons],
        }
      },
      { quota_exhausted: 'quota_exhausted', blocked: 'content_filtered', NOT_FOUND: 'model_missing' },
    ),

  models(text) {
    const list = parse(text)
    if (!isObject(list) || !Array.isArray(list.models)) return undefined
    return objectsOf(list.models).flatMap((model) => {
      const id = textOf(model.name).replace(/^models\//, '')
      const methods = model.supportedGenerationMethods
      const chats = !Array.isArray(methods) || methods.includes('generateContent')
      return id && chats ? [{ id, contextTokens: count(model.inputTokenLimit) }] : []
    })
  },
}
