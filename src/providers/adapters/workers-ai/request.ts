import type { JsonObject, JsonValue } from '../../../core/json.ts'
import { maxTokens, readJsonWish, rename } from '../chat.ts'
import { objectsOf } from '../read.ts'
import { refuse, unsupported } from '../unsupported.ts'

/** The inputs of `env.AI.run`. @throws GatewayError `unsupported_by_model` */
export function inputsOf(chat: JsonObject): JsonObject {
  refuse(chat, [
    'n',
    'logprobs',
    'top_logprobs',
    'logit_bias',
    'audio',
    'modalities',
    'functions',
    'function_call',
    'web_search_options',
    'verbosity',
  ])
  const wish = readJsonWish(chat)
  // Documented as not working together.
  if (wish && chat.stream === true) throw unsupported('response_format')
  const most = maxTokens(chat)
  return {
    messages: objectsOf(chat.messages).map(message),
    ...(most !== undefined && { max_tokens: most }),
    ...(wish && { response_format: format(wish) }),
    ...rename(chat, Object.fromEntries(SAME.map((name) => [name, name]))),
  }
}

/** Fields that mean the same in both formats, and those that only Workers AI has. */
const SAME: readonly string[] = [
  'stream',
  'temperature',
  'top_p',
  'top_k',
  'seed',
  'frequency_penalty',
  'presence_penalty',
  'repetition_penalty',
  'stop',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'reasoning_effort',
  'chat_template_kwargs',
  'lora',
]

/** The binding's own models want text, be it empty, and know no role of a developer. */
function message(given: JsonObject, i: number): JsonObject {
  if (given.role === 'function') throw unsupported(`messages[${i}].role`)
  const parts = objectsOf(given.content)
  const strange = parts.findIndex(({ type }) => type !== 'text' && type !== 'image_url')
  if (strange >= 0) throw unsupported(`messages[${i}].content[${strange}].type`)
  return {
    role: given.role === 'developer' ? 'system' : (given.role ?? 'user'),
    content: content(given, parts),
    ...rename(given, { name: 'name', tool_calls: 'tool_calls', tool_call_id: 'tool_call_id' }),
  }
}

function content(given: JsonObject, parts: readonly JsonObject[]): JsonValue {
  if (!Array.isArray(given.content)) return given.content ?? ''
  // Most models take a string only.
  return parts.every(({ type }) => type === 'text')
    ? parts.map(({ text }) => (typeof text === 'string' ? text : '')).join('\n')
    : given.content
}

/** The schema stands where OpenAI's has it one level deeper, with a name. */
const format = (wish: NonNullable<ReturnType<typeof readJsonWish>>): JsonObject =>
  wish === 'any_object' ? { type: 'json_object' } : { type: 'json_schema', json_schema: wish.schema }
