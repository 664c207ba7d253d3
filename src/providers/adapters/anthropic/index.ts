import { isObject } from '../../../core/json.ts'
import type { Adapter } from '../../adapter.ts'
import { count } from '../../completion.ts'
import { readRefusal } from '../hint.ts'
import { objectOf, objectsOf, parse, textOf, unlessTooDeep, wordOf } from '../read.ts'
import { bodyOf } from '../unsupported.ts'
import { readMessage } from './answer.ts'
import { messagesRequest } from './request.ts'
import { MessageStream } from './stream.ts'

/** The names that a caller of ours knows for the fields that Anthropic's messages begin with. */
const FIELDS: Readonly<Record<string, string>> = {
  messages: 'messages',
  system: 'messages',
  max_tokens: 'max_tokens',
  temperature: 'temperature',
  top_p: 'top_p',
  top_k: 'top_k',
  tools: 'tools',
  tool_choice: 'tool_choice',
  stop_sequences: 'stop',
  output_config: 'response_format',
  thinking: 'thinking',
}

/**
 * Anthropic's Messages API.
 * @see https://platform.claude.com/docs/en/api/messages
 */
export const anthropic: Adapter = {
  format: 'anthropic',
  listPath: '/models?limit=1000',

  authorize: (apiKey) => ({ 'x-api-key': apiKey }),

  request: (chat, model) => ({
    path: '/messages',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
    body: bodyOf(messagesRequest(chat, model)),
  }),

  answer: (text, context) => unlessTooDeep(() => readMessage(text, context)),
  stream: (context) => new MessageStream(context),

  refusal: (text) =>
    readRefusal(
      text,
      (body) => {
        const error = objectOf(body.error)
        const field = /^([a-z_]{1,32})[.:]/.exec(textOf(error.message).slice(0, 40))?.[1] ?? ''
        return {
          message: error.message,
          codes: [error.type],
          param: Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined,
        }
      },
      {
        request_too_large: 'context_too_long',
        billing_error: 'quota_exhausted',
      },
    ),

  models(text) {
    const list = parse(text)
    if (!isObject(list) || !Array.isArray(list.data)) return undefined
    return objectsOf(list.data).flatMap((model) => {
      const id = wordOf(model.id)
      return id && model.lifecycle !== 'retired' ? [{ id, contextTokens: count(model.max_input_tokens) }] : []
    })
  },
}
