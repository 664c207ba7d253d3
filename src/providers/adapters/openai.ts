import { isObject } from '../../core/json.ts'
import type { Adapter, StreamTranslator } from '../adapter.ts'
import { count, judgeCompletion, StreamJudge } from '../completion.ts'
import { readRefusal } from './hint.ts'
import { objectOf, objectsOf, parse, wordOf } from './read.ts'

/** Our own format: answers pass through as they came, and are only judged. */
export const openai: Adapter = {
  format: 'openai',
  listPath: '/models',

  authorize: (apiKey) => ({ authorization: `Bearer ${apiKey}` }),

  request: (chat, model) => ({
    path: '/chat/completions',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...chat, model }),
  }),

  answer(text) {
    const verdict = judgeCompletion(text)
    return verdict && { body: text, verdict }
  },

  stream: passThrough,

  refusal: (text) =>
    readRefusal(
      text,
      (body) => {
        // Some servers put the text itself into `error`, or leave the object out.
        const error = isObject(body.error) ? body.error : body
        return {
          message: error.message ?? body.error,
          codes: [error.code, objectOf(error.innererror).code, error.type],
          param: error.param,
        }
      },
      {
        context_length_exceeded: 'context_too_long',
        exceed_context_size_error: 'context_too_long',
        content_filter: 'content_filtered',
        content_policy_violation: 'content_filtered',
        ResponsibleAIPolicyViolation: 'content_filtered',
        insufficient_quota: 'quota_exhausted',
        billing_hard_limit_reached: 'quota_exhausted',
        '402': 'quota_exhausted',
        model_not_found: 'model_missing',
        DeploymentNotFound: 'model_missing',
      },
    ),

  models(text) {
    const list = parse(text)
    if (!isObject(list) || !Array.isArray(list.data)) return undefined
    return objectsOf(list.data).flatMap((model) => {
      const id = wordOf(model.id)
      // Not OpenAI's own, but what others who speak its format add.
      const contextTokens = count(model.context_length ?? model.context_window ?? model.max_model_len)
      return id ? [{ id, contextTokens }] : []
    })
  },
}

function passThrough(): StreamTranslator {
  const judge = new StreamJudge()
  return {
    take({ raw, data }) {
      if (judge.done) return ''
      return data === undefined || judge.take(data) ? raw : undefined
    },
    get done() {
      return judge.done
    },
    get begun() {
      return judge.begun
    },
    get verdict() {
      return judge.verdict
    },
  }
}
