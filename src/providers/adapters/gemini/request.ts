import type { JsonObject } from '../../../core/json.ts'
import {
  maxTokens,
  type Part,
  readJsonWish,
  readToolChoice,
  readTools,
  readTurns,
  rename,
  stopsOf,
  type ToolChoice,
  type Turn,
} from '../chat.ts'
import { invalid, refuse, unsupported } from '../unsupported.ts'

/** As Google's own OpenAI endpoint reads `reasoning_effort`, tokens. */
const THINKING_BUDGETS: Readonly<Record<string, number>> = {
  none: 0,
  minimal: 1_024,
  low: 1_024,
  medium: 8_192,
  high: 24_576,
}

/**
 * From Gemini 3 on a call without its signature is refused. This stands in for one that the caller lost, or
 * that another provider's model made.
 * @see https://ai.google.dev/gemini-api/docs/thought-signatures
 */
const NO_SIGNATURE = 'skip_thought_signature_validator'
const UNSIGNED_MODELS = /^(?:models\/)?gemini-[12]\b/

/** A chat request in Google's words. @throws GatewayError `unsupported_by_model` */
export function contentRequest(chat: JsonObject, model: string): JsonObject {
  refuse(chat, [
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
  // Several candidates come only in one piece.
  if (chat.stream === true) refuse(chat, ['n'])
  const turns = readTurns(chat)
  const system = turns.flatMap((turn) => (turn.role === 'system' ? turn.parts.map(systemPart) : []))
  const config = generationConfig(chat)
  return {
    contents: contentsOf(turns, UNSIGNED_MODELS.test(model) ? undefined : NO_SIGNATURE),
    ...(system.length > 0 && { systemInstruction: { parts: system } }),
    ...(Object.keys(config).length > 0 && { generationConfig: config }),
    ...tools(chat),
    ...rename(chat, { safety_settings: 'safetySettings', cached_content: 'cachedContent' }),
  }
}

function generationConfig(chat: JsonObject): JsonObject {
  const stops = stopsOf(chat)
  const wish = readJsonWish(chat)
  const most = maxTokens(chat)
  return {
    ...rename(chat, {
      temperature: 'temperature',
      top_p: 'topP',
      top_k: 'topK',
      n: 'candidateCount',
      seed: 'seed',
      presence_penalty: 'presencePenalty',
      frequency_penalty: 'frequencyPenalty',
    }),
    ...(most !== undefined && { maxOutputTokens: most }),
    ...(stops.length > 0 && { stopSequences: stops }),
    ...(wish && { responseMimeType: 'application/json' }),
    ...(typeof wish === 'object' && { responseJsonSchema: wish.schema }),
    ...thinkingConfig(chat),
  }
}

function thinkingConfig({ reasoning_effort: effort, thinking_config: given }: JsonObject): JsonObject {
  if (given !== undefined && given !== null) return { thinkingConfig: given }
  if (effort === undefined || effort === null) return {}
  const budget =
    typeof effort === 'string' && Object.hasOwn(THINKING_BUDGETS, effort)
      ? THINKING_BUDGETS[effort]
      : undefined
  if (budget === undefined) throw unsupported('reasoning_effort')
  return { thinkingConfig: { thinkingBudget: budget } }
}

function tools(chat: JsonObject): JsonObject {
  const list = readTools(chat)
  if (list.length === 0) return {}
  refuse(chat, ['parallel_tool_calls'])
  const functionDeclarations = list.map(({ name, description, schema }) => ({
    name,
    ...(description && { description }),
    parametersJsonSchema: schema,
  }))
  const choice = readToolChoice(chat)
  return {
    tools: [{ functionDeclarations }],
    ...(choice && { toolConfig: { functionCallingConfig: callingConfig(choice) } }),
  }
}

function callingConfig(choice: ToolChoice): JsonObject {
  if (typeof choice === 'object') return { mode: 'ANY', allowedFunctionNames: [choice.name] }
  return { mode: choice === 'required' ? 'ANY' : choice.toUpperCase() }
}

/** Turns of one side that follow one another are one content, so the answers to calls stand together. */
function contentsOf(turns: readonly Turn[], noSignature: string | undefined): JsonObject[] {
  const contents: { role: string; parts: JsonObject[] }[] = []
  // The latest call of an id counts: ids need not be unique over a long conversation.
  const names = new Map<string, string>()
  for (const turn of turns) {
    if (turn.role === 'system') continue
    for (const { id, name } of turn.calls) names.set(id, name)
    const role = turn.role === 'assistant' ? 'model' : 'user'
    const parts = turn.role === 'tool' ? [response(turn, names)] : said(turn, noSignature)
    const last = contents.at(-1)
    if (last?.role === role) last.parts.push(...parts)
    else if (parts.length > 0) contents.push({ role, parts })
  }
  return contents.map(({ role, parts }) => ({ role, parts }))
}

function said({ parts, calls }: Turn, noSignature: string | undefined): JsonObject[] {
  const called = calls.map(({ id, name, input, signature }, i) => {
    // Of calls side by side only the first is signed.
    const thoughtSignature = signature ?? (i === 0 ? noSignature : undefined)
    return { functionCall: { id, name, args: input }, ...(thoughtSignature && { thoughtSignature }) }
  })
  return [...parts.map(part), ...called]
}

/** The format names the function where OpenAI's names only the call. */
function response({ callId, parts, param }: Turn, names: ReadonlyMap<string, string>): JsonObject {
  const name = names.get(callId)
  if (!name) throw invalid(`${param}.tool_call_id`, 'answers no call that was made before it')
  const output = parts.map(textOnly).join('')
  return { functionResponse: { id: callId, name, response: { output } } }
}

function part(one: Part): JsonObject {
  if (one.kind === 'text') return { text: one.text }
  // Only files that were uploaded to Google can be named by address.
  if (one.image.kind === 'address') throw unsupported(one.param)
  return { inlineData: { mimeType: one.image.mediaType, data: one.image.base64 } }
}

const systemPart = (one: Part): JsonObject => ({ text: textOnly(one) })

function textOnly(one: Part): string {
  if (one.kind === 'image') throw unsupported(one.param)
  return one.text
}
