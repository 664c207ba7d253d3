import { createHash } from 'node:crypto'
import { seededRandom } from '../seeded-random.ts'
import { type Directives, readDirectives } from './directives.ts'
import { schemaValue } from './schema-value.ts'

/** The part of a chat request that the answer depends on. */
export interface ChatBody {
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content?: unknown }[]
  readonly stream?: boolean
  readonly stream_options?: { readonly include_usage?: boolean }
  readonly n?: number
  readonly max_tokens?: number
  readonly max_completion_tokens?: number
  readonly stop?: string | readonly string[]
  readonly tools?: readonly { readonly function?: { readonly name: string; readonly parameters?: unknown } }[]
  readonly tool_choice?: unknown
  readonly response_format?: { readonly type: string; readonly json_schema?: { readonly schema?: unknown } }
}

export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly arguments: string
}

export interface Choice {
  readonly text: string
  readonly toolCalls: readonly ToolCall[]
  readonly finishReason: 'stop' | 'length' | 'tool_calls' | 'content_filter'
  readonly refusal: string | null
}

export interface Answer {
  readonly id: string
  readonly createdSeconds: number
  readonly choices: readonly Choice[]
  readonly promptTokens: number
  readonly completionTokens: number
  readonly directives: Directives
}

const CHARACTERS_PER_TOKEN = 4
export const tokensOf = (text: string): number => Math.max(1, Math.ceil(text.length / CHARACTERS_PER_TOKEN))

/** The answer to a request: the same for the same seed and request, another for any other. */
export function answerTo(body: ChatBody, seed: number, nowMs: number): Answer {
  const digest = createHash('sha256')
    .update(`${seed}\n${JSON.stringify(body)}`)
    .digest()
  const random = seededRandom(digest.readUInt32LE(0))
  const question = textOf(body.messages.at(-1)?.content)
  const directives = readDirectives(question)
  const choices = Array.from({ length: body.n ?? 1 }, (_, index) =>
    choose(body, question, directives, random, index),
  )
  const completion = choices.map(
    ({ text, toolCalls }) => text + toolCalls.map((call) => call.arguments).join(''),
  )
  return {
    id: `chatcmpl-sim-${digest.toString('hex', 0, 12)}`,
    createdSeconds: Math.floor(nowMs / 1_000),
    choices,
    promptTokens: body.messages.reduce((sum, message) => sum + tokensOf(textOf(message.content)) + 4, 0),
    completionTokens: completion.reduce((sum, text) => sum + tokensOf(text), 0),
    directives,
  }
}

function choose(
  body: ChatBody,
  question: string,
  directives: Directives,
  random: () => number,
  index: number,
): Choice {
  if (directives.fault === 'refusal')
    return {
      text: '',
      toolCalls: [],
      finishReason: 'stop',
      refusal: 'The simulated provider was told to decline.',
    }
  if (directives.fault === 'content_filter')
    return { text: 'Cut', toolCalls: [], finishReason: 'content_filter', refusal: null }
  const toolCalls = callTools(body, random)
  if (toolCalls.length > 0) return { text: '', toolCalls, finishReason: 'tool_calls', refusal: null }
  return limit(body, directives.text ?? compose(body, question, random, index))
}

function compose(body: ChatBody, question: string, random: () => number, index: number): string {
  const { type, json_schema } = body.response_format ?? {}
  if (type === 'json_schema') return JSON.stringify(schemaValue(json_schema?.schema, random))
  const echo = question.replace(/\s+/g, ' ').trim().slice(0, 120)
  if (type === 'json_object') return JSON.stringify({ simulated: true, you_said: echo })
  const variant = index === 0 ? '' : ` (answer ${index + 1})`
  return `This is the simulated provider; no real model answered${variant}. You said: "${echo}". Set OPENAI_API_KEY, ANTHROPIC_API_KEY or OLLAMA_BASE_URL in .dev.vars for a real one. Token of this answer: ${Math.floor(random() * 1e9)}.`
}

/** Calls a tool when there are any, unless the caller forbids it or its results have just come back. */
function callTools(body: ChatBody, random: () => number): ToolCall[] {
  const tools = (body.tools ?? []).flatMap((tool) => (tool.function ? [tool.function] : []))
  if (tools.length === 0 || body.tool_choice === 'none' || body.messages.at(-1)?.role === 'tool') return []
  const wanted = (body.tool_choice as { function?: { name?: string } } | undefined)?.function?.name
  const tool = tools.find(({ name }) => name === wanted) ?? tools[0]
  if (!tool) return []
  const id = `call_sim_${Math.floor(random() * 1e9).toString(36)}`
  return [
    {
      id,
      name: tool.name,
      arguments: JSON.stringify(schemaValue(tool.parameters ?? { type: 'object' }, random)),
    },
  ]
}

function limit(body: ChatBody, whole: string): Choice {
  const stops = body.stop === undefined || body.stop === null ? [] : [body.stop].flat()
  const ends = stops.map((stop) => whole.indexOf(stop)).filter((at) => at >= 0)
  const text = ends.length > 0 ? whole.slice(0, Math.min(...ends)) : whole
  const maxTokens = body.max_completion_tokens ?? body.max_tokens
  if (!maxTokens || tokensOf(text) <= maxTokens)
    return { text, toolCalls: [], finishReason: 'stop', refusal: null }
  return {
    text: text.slice(0, maxTokens * CHARACTERS_PER_TOKEN),
    toolCalls: [],
    finishReason: 'length',
    refusal: null,
  }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part: { text?: unknown }) => (typeof part?.text === 'string' ? part.text : ''))
    .join(' ')
}
