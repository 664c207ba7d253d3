import type { JsonObject } from '../../../core/json.ts'
import {
  type Image,
  maxTokens,
  type Part,
  readJsonWish,
  readToolChoice,
  readTools,
  readTurns,
  rename,
  stopsOf,
  type Turn,
} from '../chat.ts'
import { wordOf } from '../read.ts'
import { refuse, unsupported } from '../unsupported.ts'
import { signedThoughts } from './answer.ts'

/** The format demands a maximum. Every model of Anthropic's writes this much. */
const DEFAULT_MAX_TOKENS = 4_096

const IMAGE_TYPES: readonly string[] = ['image/jpeg', 'image/png', 'image/gif', 'image/webp']

const EFFORTS: Readonly<Record<string, string>> = {
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'xhigh',
  max: 'max',
}

/**
 * OpenAI's `json_object` asks for any object, for which the format has no schema. A forced tool would shut out
 * the caller's own tools and thinking, so the model is told; a schema, in contrast, is enforced.
 */
const JSON_ONLY = 'Answer with one JSON object and nothing else: no text around it, no code fence.'

/** A chat request in Anthropic's words. @throws GatewayError `unsupported_by_model` */
export function messagesRequest(chat: JsonObject, model: string): JsonObject {
  refuse(chat, [
    'n',
    'logprobs',
    'top_logprobs',
    'logit_bias',
    'presence_penalty',
    'frequency_penalty',
    'seed',
    'audio',
    'modalities',
    'functions',
    'function_call',
    'web_search_options',
    'verbosity',
  ])
  const turns = readTurns(chat)
  const wish = readJsonWish(chat)
  const system = turns.flatMap((turn) => (turn.role === 'system' ? systemBlocks(turn) : []))
  if (wish === 'any_object') system.push({ type: 'text', text: JSON_ONLY })
  const stops = stopsOf(chat)
  const user = wordOf(chat.user)
  return {
    model,
    max_tokens: maxTokens(chat) ?? DEFAULT_MAX_TOKENS,
    messages: messagesOf(turns),
    ...(system.length > 0 && { system }),
    ...(stops.length > 0 && { stop_sequences: stops }),
    ...(typeof chat.temperature === 'number' && { temperature: Math.min(1, Math.max(0, chat.temperature)) }),
    ...(user && { metadata: { user_id: user } }),
    ...tools(chat),
    ...thinking(chat, wish),
    ...rename(chat, { top_p: 'top_p', top_k: 'top_k', stream: 'stream', cache_control: 'cache_control' }),
  }
}

function systemBlocks({ parts }: Turn): JsonObject[] {
  return parts.map((part) => {
    if (part.kind === 'image') throw unsupported(part.param)
    return { type: 'text', text: part.text }
  })
}

/** Turns of one side that follow one another are one message, so tool results stand together. */
function messagesOf(turns: readonly Turn[]): JsonObject[] {
  const messages: { role: string; content: JsonObject[] }[] = []
  for (const turn of turns) {
    if (turn.role === 'system') continue
    const role = turn.role === 'assistant' ? 'assistant' : 'user'
    const content = contentOf(turn)
    const last = messages.at(-1)
    if (last?.role === role) last.content.push(...content)
    else if (content.length > 0) messages.push({ role, content })
  }
  return messages.map(({ role, content }) => ({ role, content }))
}

function contentOf({ role, parts, calls, thoughts, callId }: Turn): JsonObject[] {
  const said = parts.map(block)
  if (role === 'tool') return [{ type: 'tool_result', tool_use_id: callId, content: said }]
  // Thoughts are signed and have to come first, as they did.
  return [
    ...signedThoughts(thoughts),
    ...said,
    ...calls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input })),
  ]
}

const block = (part: Part): JsonObject =>
  part.kind === 'text'
    ? { type: 'text', text: part.text }
    : { type: 'image', source: source(part.image, part.param) }

function source(image: Image, param: string): JsonObject {
  if (image.kind === 'address') return { type: 'url', url: image.url }
  if (!IMAGE_TYPES.includes(image.mediaType)) throw unsupported(param)
  return { type: 'base64', media_type: image.mediaType, data: image.base64 }
}

function tools(chat: JsonObject): JsonObject {
  const list = readTools(chat)
  if (list.length === 0) return {}
  const choice = readToolChoice(chat)
  const single = chat.parallel_tool_calls === false && choice !== 'none'
  return {
    tools: list.map(({ name, description, schema, strict }) => ({
      name,
      ...(description && { description }),
      input_schema: schema,
      ...(strict && { strict }),
    })),
    ...((choice || single) && {
      tool_choice: { ...toolChoice(choice ?? 'auto'), ...(single && { disable_parallel_tool_use: true }) },
    }),
  }
}

function toolChoice(choice: NonNullable<ReturnType<typeof readToolChoice>>): JsonObject {
  if (typeof choice === 'object') return { type: 'tool', name: choice.name }
  return { type: choice === 'required' ? 'any' : choice }
}

function thinking(chat: JsonObject, wish: ReturnType<typeof readJsonWish>): JsonObject {
  const { reasoning_effort: asked } = chat
  const effort = typeof asked === 'string' && Object.hasOwn(EFFORTS, asked) ? EFFORTS[asked] : undefined
  if (asked !== undefined && asked !== null && asked !== 'none' && !effort)
    throw unsupported('reasoning_effort')
  const schema = typeof wish === 'object' ? wish.schema : undefined
  const config: JsonObject = {
    ...(effort && { effort }),
    ...(schema && { format: { type: 'json_schema', schema } }),
  }
  return {
    ...(asked === 'none' && { thinking: { type: 'disabled' } }),
    ...(Object.keys(config).length > 0 && { output_config: config }),
    ...rename(chat, { thinking: 'thinking' }),
  }
}
