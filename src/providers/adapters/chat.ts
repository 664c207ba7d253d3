import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { objectOf, objectsOf, parse, textOf, wordOf } from './read.ts'
import { invalid, unsupported } from './unsupported.ts'

export type Image =
  | { readonly kind: 'inline'; readonly mediaType: string; readonly base64: string }
  | { readonly kind: 'address'; readonly url: string }

export type Part =
  | { readonly kind: 'text'; readonly text: string }
  /** `param`: where it stands in the request. */
  | { readonly kind: 'image'; readonly image: Image; readonly param: string }

export interface Call {
  readonly id: string
  readonly name: string
  readonly input: JsonObject
  /** What Google signs its calls with, as its own OpenAI endpoint spells it. */
  readonly signature: string | undefined
}

/** One message of the conversation, read. */
export interface Turn {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly parts: readonly Part[]
  /** An assistant's. */
  readonly calls: readonly Call[]
  /** An assistant's signed thoughts, as they were given out. */
  readonly thoughts: readonly JsonObject[]
  /** The call that a tool answers. */
  readonly callId: string
  readonly param: string
}

/** @throws GatewayError for parts that only OpenAI's format knows, and for calls that are not well formed */
export function readTurns(chat: JsonObject): Turn[] {
  return objectsOf(chat.messages).map((message, i) => {
    const param = `messages[${i}]`
    const role = roleOf(message.role, param)
    const calls = role === 'assistant' ? readCalls(message.tool_calls, param) : []
    const callId = textOf(message.tool_call_id)
    if (role === 'tool' && !callId) throw invalid(`${param}.tool_call_id`, 'is missing')
    const thoughts = role === 'assistant' ? objectsOf(message.thinking_blocks) : []
    return { role, parts: readParts(message, param), calls, thoughts, callId, param }
  })
}

function roleOf(role: JsonValue | undefined, param: string): Turn['role'] {
  if (role === 'developer') return 'system'
  if (role === 'system' || role === 'user' || role === 'assistant' || role === 'tool') return role
  throw unsupported(`${param}.role`)
}

function readParts(message: JsonObject, param: string): Part[] {
  const { content } = message
  const texts = typeof content === 'string' ? [content] : []
  if (typeof message.refusal === 'string') texts.push(message.refusal)
  const parts = objectsOf(content).map((part, i) => readPart(part, `${param}.content[${i}]`))
  // Empty text says nothing, and some formats refuse it.
  return [...texts.map((text) => ({ kind: 'text', text }) as const), ...parts].filter(
    (part) => part.kind !== 'text' || part.text !== '',
  )
}

function readPart(part: JsonObject, param: string): Part {
  if (part.type === 'text') return { kind: 'text', text: textOf(part.text) }
  if (part.type === 'refusal') return { kind: 'text', text: textOf(part.refusal) }
  if (part.type !== 'image_url') throw unsupported(`${param}.type`)
  const { image_url } = part
  const url = textOf(isObject(image_url) ? image_url.url : image_url)
  return { kind: 'image', image: readImage(url, `${param}.image_url`), param: `${param}.image_url` }
}

const DATA_URL = /^data:([a-z]+\/[a-z0-9.+-]+);base64,/i

function readImage(url: string, param: string): Image {
  // Only the head is matched: an image may be megabytes.
  const head = DATA_URL.exec(url.slice(0, 100))
  if (head?.[1])
    return { kind: 'inline', mediaType: head[1].toLowerCase(), base64: url.slice(head[0].length) }
  if (/^https:\/\//i.test(url.slice(0, 8))) return { kind: 'address', url }
  throw unsupported(param)
}

function readCalls(calls: JsonValue | undefined, param: string): Call[] {
  return objectsOf(calls).map((call, i) => {
    const at = `${param}.tool_calls[${i}]`
    if (call.type !== undefined && call.type !== 'function') throw unsupported(`${at}.type`)
    const { name, arguments: given } = objectOf(call.function)
    const input = given === undefined || given === '' ? {} : parse(textOf(given))
    if (!isObject(input)) throw invalid(`${at}.function.arguments`, 'must be the text of a JSON object')
    const google = objectOf(objectOf(call.extra_content).google)
    const [id, named] = [textOf(call.id), textOf(name)]
    if (!id || !named) throw invalid(`${at}.${id ? 'function.name' : 'id'}`, 'is missing')
    return { id, name: named, input, signature: wordOf(google.thought_signature) }
  })
}

export interface Tool {
  readonly name: string
  readonly description: string | undefined
  /** JSON schema of its input. */
  readonly schema: JsonObject
  readonly strict: boolean
}

export function readTools(chat: JsonObject): Tool[] {
  return objectsOf(chat.tools).map((tool, i) => {
    if (tool.type !== 'function') throw unsupported(`tools[${i}].type`)
    const { name, description, parameters, strict } = objectOf(tool.function)
    if (!wordOf(name)) throw invalid(`tools[${i}].function.name`, 'is missing')
    return {
      name: textOf(name),
      description: wordOf(description),
      schema: isObject(parameters) ? parameters : { type: 'object', properties: {} },
      strict: strict === true,
    }
  })
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

export function readToolChoice({ tool_choice }: JsonObject): ToolChoice | undefined {
  if (tool_choice === undefined || tool_choice === null) return undefined
  if (tool_choice === 'auto' || tool_choice === 'none' || tool_choice === 'required') return tool_choice
  const choice = objectOf(tool_choice)
  const name = wordOf(objectOf(choice.function).name)
  if (choice.type !== 'function' || !name) throw unsupported('tool_choice')
  return { name }
}

/** `response_format`, where it asks for more than text. */
export type JsonWish = 'any_object' | { readonly schema: JsonObject }

export function readJsonWish({ response_format }: JsonObject): JsonWish | undefined {
  if (response_format === undefined || response_format === null) return undefined
  const format = objectOf(response_format)
  if (format.type === 'text') return undefined
  if (format.type === 'json_object') return 'any_object'
  if (format.type !== 'json_schema') throw unsupported('response_format')
  const { schema } = objectOf(format.json_schema)
  if (!isObject(schema)) throw invalid('response_format.json_schema.schema', 'is missing')
  return { schema }
}

/** The newer name of the two counts. */
export const maxTokens = (chat: JsonObject): JsonValue | undefined =>
  chat.max_completion_tokens ?? chat.max_tokens ?? undefined

export const stopsOf = ({ stop }: JsonObject): string[] =>
  (Array.isArray(stop) ? stop : [stop]).filter((one): one is string => typeof one === 'string' && one !== '')

/** The named fields that are there, under their new names; the others are left behind. */
export function rename(chat: JsonObject, names: Readonly<Record<string, string>>): JsonObject {
  const renamed = Object.entries(names).map(([from, to]) => [to, chat[from] ?? null] as const)
  return Object.fromEntries(renamed.filter(([, value]) => value !== null))
}
