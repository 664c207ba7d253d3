import { byteLength } from '../core/bytes.ts'
import { isObject, type JsonObject, type JsonValue } from '../core/json.ts'
import { lastUserText } from './chat-text.ts'
import { takeApart } from './code.ts'
import { recogniseParts, type Task } from './task.ts'
import { leavesItToUs, maxOutputTokens, withTaskDefaults } from './task-defaults.ts'

/** What a request asks of a model, read from its parsed form without asking any model. */
export interface Needs {
  readonly task: Task
  /** Upper estimate of the input, and what is wanted at most as output (0 = not said), tokens. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly tools: boolean
  readonly vision: boolean
  readonly json: boolean
  /** Share of the last user message that is code, 0 to 1. */
  readonly codeShare: number
  /** Programming language of the code in it, lower case; undefined when there is none or it is unclear. */
  readonly codeLanguage?: string | undefined
}

/**
 * A token is at least a byte, so the bytes bound the tokens; that bound is for money. For choosing it would send
 * every long request to the largest model: text has about 4 bytes a token, code 3 to 3.5, Chinese 3 or more, so
 * 3 is still on the safe side of nearly everything but random characters.
 */
const BYTES_A_TOKEN = 3
/** Role, separators. */
const MESSAGE_TOKENS = 4
/** A large picture at the vendors that count pictures by area. */
const IMAGE_TOKENS = 1_600

const IMAGE_PARTS = new Set<JsonValue | undefined>(['image_url', 'image', 'input_image'])

/**
 * Read on demand and once: most requests name their model, and then nobody asks for their task.
 * @param request a chat request that passed the door
 */
export function readNeeds(request: JsonObject): Needs {
  return new RequestNeeds(request)
}

class RequestNeeds implements Needs {
  readonly #request: JsonObject
  #parts: Parts | undefined
  #task: Task | undefined
  #outputTokens: number | undefined
  #size: Size | undefined

  constructor(request: JsonObject) {
    this.#request = request
  }

  get task(): Task {
    this.#task ??= recogniseParts(this.#lastMessage())
    return this.#task
  }

  get inputTokens(): number {
    const { bytes, messages, images } = this.#measured()
    return Math.ceil(bytes / BYTES_A_TOKEN) + messages * MESSAGE_TOKENS + images * IMAGE_TOKENS
  }

  get outputTokens(): number {
    const request = this.#request
    // Asked for once for each model that is compared.
    this.#outputTokens ??= maxOutputTokens(
      leavesItToUs(request.model) ? withTaskDefaults(request, this.task) : request,
    )
    return this.#outputTokens
  }

  get tools(): boolean {
    return this.#measured().tools
  }

  get vision(): boolean {
    return this.#measured().images > 0
  }

  get json(): boolean {
    const format = this.#request.response_format
    return isObject(format) && (format.type === 'json_object' || format.type === 'json_schema')
  }

  get codeShare(): number {
    return this.#lastMessage().codeShare
  }

  get codeLanguage(): string | undefined {
    return this.#lastMessage().codeLanguage
  }

  #lastMessage(): Parts {
    this.#parts ??= takeApart(lastUserText(this.#request))
    return this.#parts
  }

  #measured(): Size {
    this.#size ??= measure(this.#request)
    return this.#size
  }
}

type Parts = ReturnType<typeof takeApart>

interface Size {
  bytes: number
  messages: number
  images: number
  tools: boolean
}

function measure({ messages, tools, functions, response_format }: JsonObject): Size {
  const size: Size = { bytes: 0, messages: 0, images: 0, tools: isFilled(tools) || isFilled(functions) }
  for (const told of [tools, functions, response_format]) {
    if (told !== undefined && told !== null) size.bytes += byteLength(JSON.stringify(told))
  }
  for (const message of Array.isArray(messages) ? messages : []) {
    if (isObject(message)) measureMessage(message, size)
  }
  return size
}

function measureMessage({ role, content, tool_calls, function_call }: JsonObject, size: Size): void {
  size.messages += 1
  if (typeof content === 'string') size.bytes += byteLength(content)
  for (const part of Array.isArray(content) ? content : []) {
    if (!isObject(part)) continue
    if (IMAGE_PARTS.has(part.type)) size.images += 1
    // Sound and files come as base64, whose bytes say nothing of tokens; only their text is counted.
    if (typeof part.text === 'string') size.bytes += byteLength(part.text)
  }
  const called = tool_calls ?? function_call
  if (called !== undefined && called !== null) size.bytes += byteLength(JSON.stringify(called))
  // A conversation in which tools were called makes no sense to a model that has none.
  if (role === 'tool' || role === 'function' || isFilled(tool_calls)) size.tools = true
}

const isFilled = (value: JsonValue | undefined): boolean => Array.isArray(value) && value.length > 0
