import { utf8 } from '../core/bytes.ts'
import { isObject, type JsonObject, type JsonValue } from '../core/json.ts'

/** Why a request's cost has no bound. */
export type Unbounded =
  /** What lies behind an address is as large as its owner makes it. */
  | 'image_address'
  /** A file's pages are not its bytes. */
  | 'file'
  /** Stands for content that the provider keeps. */
  | 'reference'
  /** Charged by the call, and as often as the model likes. */
  | 'paid_tool'
  /** Asks for another model, or another tier of price. */
  | 'other_price'
  | 'unknown_field'
  /** The model has no price. */
  | 'unpriced'

export interface NoBound {
  /** The field at fault: `messages[2].content[0].image_url`. */
  readonly param: string
  readonly why: Unbounded
}

/** A size that no tokenizer exceeds. */
export interface RequestSize {
  readonly bytes: number
  readonly messages: number
  readonly tools: number
  readonly images: number
}

const FIELDS: ReadonlySet<string> = new Set([
  ...['model', 'messages', 'stream', 'stream_options', 'n', 'max_tokens', 'max_completion_tokens'],
  ...[
    'temperature',
    'top_p',
    'top_k',
    'min_p',
    'top_a',
    'presence_penalty',
    'frequency_penalty',
    'repetition_penalty',
  ],
  ...['stop', 'seed', 'logprobs', 'top_logprobs', 'logit_bias', 'response_format', 'verbosity'],
  ...['tools', 'tool_choice', 'parallel_tool_calls', 'functions', 'function_call', 'audio', 'modalities'],
  ...[
    'user',
    'metadata',
    'store',
    'safety_identifier',
    'prompt_cache_key',
    'prompt_cache_retention',
    'cache_control',
  ],
  ...['reasoning_effort', 'reasoning', 'thinking', 'chat_template_kwargs', 'service_tier'],
])
const REASONS: ReadonlyMap<string, Unbounded> = new Map([
  ...['web_search_options', 'search_parameters', 'plugins', 'mcp_servers'].map(
    (field) => [field, 'paid_tool'] as const,
  ),
  ...['models', 'route', 'provider', 'fallbacks', 'speed', 'inference_geo'].map(
    (field) => [field, 'other_price'] as const,
  ),
  ...['cached_content', 'previous_response_id', 'conversation', 'container'].map(
    (field) => [field, 'reference'] as const,
  ),
])
const MESSAGE_FIELDS: ReadonlySet<string> = new Set([
  ...['role', 'content', 'name', 'tool_calls', 'tool_call_id', 'function_call', 'refusal', 'cache_control'],
  ...[
    'annotations',
    'reasoning',
    'reasoning_content',
    'reasoning_details',
    'thinking',
    'thinking_blocks',
    'prefix',
  ],
])
/** Parts whose tokens are fewer than their bytes. Speech has at most a few dozen a second, and a kilobyte at least. */
const TEXT_PARTS: ReadonlySet<unknown> = new Set([
  'text',
  'input_text',
  'refusal',
  'input_audio',
  'thinking',
  'reasoning',
])
const IMAGE_PARTS: ReadonlySet<unknown> = new Set(['image_url', 'image', 'input_image'])
const FILE_PARTS: ReadonlySet<unknown> = new Set([
  'file',
  'input_file',
  'document',
  'video_url',
  'input_video',
])
const TOOLS: ReadonlySet<unknown> = new Set(['function', 'custom'])
const PLAIN_TIERS: ReadonlySet<unknown> = new Set(['auto', 'default', 'standard', 'standard_only', 'flex'])

/** @returns what keeps it from having a bound, or its size */
export function sizeOf(chat: JsonObject): RequestSize | NoBound {
  const messages = Array.isArray(chat.messages) ? chat.messages : []
  const fault = faultInFields(chat) ?? faultInTools(chat.tools)
  if (fault) return fault
  let images = 0
  for (const [index, message] of messages.entries()) {
    const found = isObject(message) ? imagesIn(message, `messages[${index}]`) : 0
    if (typeof found !== 'number') return found
    images += found
  }
  const tools = lengthOf(chat.tools) + lengthOf(chat.functions)
  return { bytes: bytesOf(chat), messages: messages.length, tools, images }
}

function faultInFields(chat: JsonObject): NoBound | undefined {
  for (const [field, value] of Object.entries(chat)) {
    if (value === null) continue
    if (!FIELDS.has(field)) return { param: field, why: REASONS.get(field) ?? 'unknown_field' }
  }
  if (typeof chat.service_tier === 'string' && !PLAIN_TIERS.has(chat.service_tier))
    return { param: 'service_tier', why: 'other_price' }
  // Tokens of pictures are not always held to the maximum.
  if (Array.isArray(chat.modalities) && chat.modalities.some((each) => each !== 'text' && each !== 'audio'))
    return { param: 'modalities', why: 'unknown_field' }
  // OpenRouter's way to ask for a search.
  if (typeof chat.model === 'string' && chat.model.endsWith(':online'))
    return { param: 'model', why: 'paid_tool' }
  return undefined
}

function faultInTools(tools: JsonValue | undefined): NoBound | undefined {
  if (!Array.isArray(tools)) return undefined
  const index = tools.findIndex((tool) => !isObject(tool) || !TOOLS.has(tool.type))
  return index < 0 ? undefined : { param: `tools[${index}].type`, why: 'paid_tool' }
}

function imagesIn(message: JsonObject, param: string): number | NoBound {
  for (const [field, value] of Object.entries(message)) {
    if (value === null || MESSAGE_FIELDS.has(field)) continue
    return { param: `${param}.${field}`, why: field === 'audio' ? 'reference' : 'unknown_field' }
  }
  if (!Array.isArray(message.content)) return 0
  let images = 0
  for (const [index, part] of message.content.entries()) {
    if (!isObject(part)) continue
    const why = faultInPart(part)
    if (why) return { param: `${param}.content[${index}]`, why }
    if (IMAGE_PARTS.has(part.type)) images++
  }
  return images
}

function faultInPart(part: JsonObject): Unbounded | undefined {
  if (TEXT_PARTS.has(part.type)) return undefined
  if (FILE_PARTS.has(part.type)) return 'file'
  if (!IMAGE_PARTS.has(part.type)) return 'unknown_field'
  if (part.file_id !== undefined && part.file_id !== null) return 'reference'
  const image = part.image_url ?? part.image ?? part.source
  const address = isObject(image) ? (image.url ?? image.data) : image
  if (typeof address !== 'string') return 'image_address'
  if (isObject(image) && image.url === undefined) return undefined
  return /^data:image\//i.test(address) ? undefined : 'image_address'
}

const lengthOf = (value: JsonValue | undefined): number => (Array.isArray(value) ? value.length : 0)

const BEYOND_ASCII = /[\u0080-\uffff]/

/** As JSON, which is never shorter than the texts in it. */
function bytesOf(value: JsonValue): number {
  const text = JSON.stringify(value)
  return BEYOND_ASCII.test(text) ? utf8(text).length : text.length
}
