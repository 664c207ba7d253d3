import type { Adapter } from '../../adapter.ts'
import { readRefusal } from '../hint.ts'
import { modelPath } from '../model-path.ts'
import { objectOf, objectsOf, unlessTooDeep } from '../read.ts'
import { bodyOf } from '../unsupported.ts'
import { readResult } from './answer.ts'
import { inputsOf } from './request.ts'
import { ResponseStream } from './stream.ts'

/**
 * Workers AI. The path names the model, the body is the inputs of `env.AI.run`, and of the REST API alike.
 * @see https://developers.cloudflare.com/workers-ai/configuration/bindings/
 */
export const workersAi: Adapter = {
  format: 'workers-ai',
  listPath: undefined,

  authorize: (apiKey) => ({ authorization: `Bearer ${apiKey}` }),

  request: (chat, model) => ({
    path: `/${modelPath(model)}`,
    headers: { 'content-type': 'application/json' },
    body: bodyOf(inputsOf(chat)),
  }),

  answer: (text, context) => unlessTooDeep(() => readResult(text, context)),
  stream: (context) => new ResponseStream(context),

  refusal: (text) =>
    readRefusal(
      text,
      (body) => {
        const error = objectsOf(body.errors)[0] ?? objectOf(body.error)
        // The binding has a form of its own beside that of the REST API.
        return { message: error.message ?? body.description, codes: [error.code, body.internalCode] }
      },
      {
        '3036': 'quota_exhausted',
        // Comes as 429, and is no limit on this account.
        '3040': 'overloaded',
        '3042': 'model_missing',
        '5007': 'model_missing',
        '5021': 'context_too_long',
      },
    ),

  models: () => undefined,
}
