import { isObject, type JsonObject, type JsonValue } from '../core/json.ts'
import type { TokenAsk } from '../tenants/limits.ts'

/** English has four characters a token, code three, Chinese about one. */
const ASCII_A_TOKEN = 4
/** Role and separators. */
const MESSAGE_TOKENS = 4
/** A picture, a page, a few seconds of speech: within twice of what most providers count. */
const PART_TOKENS = 1_000

/** What a request may use of its minute's tokens: an estimate without a tokenizer, which the settlement corrects. */
export function tokenAsk(chat: JsonObject): TokenAsk {
  const messages = Array.isArray(chat.messages) ? chat.messages : []
  let input = textTokens(JSON.stringify(chat.tools ?? '')) + textTokens(JSON.stringify(chat.functions ?? ''))
  for (const message of messages) if (isObject(message)) input += messageTokens(message)
  const named = Math.max(whole(chat.max_tokens), whole(chat.max_completion_tokens))
  return { inputTokens: Math.ceil(input), maxTokens: named || undefined, choices: Math.max(1, whole(chat.n)) }
}

function messageTokens({ content, tool_calls: calls }: JsonObject): number {
  let tokens = MESSAGE_TOKENS + (calls ? textTokens(JSON.stringify(calls)) : 0)
  for (const part of Array.isArray(content) ? content : [content])
    if (typeof part === 'string') tokens += textTokens(part)
    else if (isObject(part)) tokens += typeof part.text === 'string' ? textTokens(part.text) : PART_TOKENS
  return tokens
}

/** As tokens, not whole. */
function textTokens(text: string): number {
  let beyondAscii = 0
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) beyondAscii++
  return (text.length - beyondAscii) / ASCII_A_TOKEN + beyondAscii
}

const whole = (value: JsonValue | undefined): number =>
  typeof value === 'number' && value > 0 && Number.isFinite(value) ? Math.ceil(value) : 0
