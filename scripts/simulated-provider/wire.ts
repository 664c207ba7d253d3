import type { Answer, ChatBody, Choice } from './answer.ts'

const FINGERPRINT = 'simulated'
const PIECE = /\s*\S+/g

const usageOf = ({ promptTokens, completionTokens }: Answer) => ({
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  total_tokens: promptTokens + completionTokens,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
})

const finishOf = (answer: Answer, choice: Choice) =>
  answer.directives.fault === 'no_finish' ? null : choice.finishReason

/** A whole `chat.completion`. */
export function toCompletion(answer: Answer, body: ChatBody): object {
  return {
    id: answer.id,
    object: 'chat.completion',
    created: answer.createdSeconds,
    model: body.model,
    system_fingerprint: FINGERPRINT,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: {
        role: 'assistant',
        content: choice.toolCalls.length > 0 || choice.refusal ? null : choice.text,
        refusal: choice.refusal,
        ...(choice.toolCalls.length > 0 && {
          tool_calls: choice.toolCalls.map(({ id, name, arguments: args }) => ({
            id,
            type: 'function',
            function: { name, arguments: args },
          })),
        }),
      },
      logprobs: null,
      finish_reason: finishOf(answer, choice),
    })),
    usage: usageOf(answer),
  }
}

/** The events of a stream, each as its text. */
export function toEvents(answer: Answer, body: ChatBody): string[] {
  const withUsage = body.stream_options?.include_usage === true
  const head = {
    id: answer.id,
    object: 'chat.completion.chunk',
    created: answer.createdSeconds,
    model: body.model,
    system_fingerprint: FINGERPRINT,
  }
  const chunk = (choices: object[], usage: object | null = null) =>
    event({ ...head, choices, ...(withUsage && { usage }) }, answer)
  const events: string[] = []
  for (const [index, choice] of answer.choices.entries()) {
    const delta = (part: object, finish: string | null = null) =>
      chunk([{ index, delta: part, logprobs: null, finish_reason: finish }])
    events.push(delta({ role: 'assistant', content: choice.toolCalls.length > 0 ? null : '', refusal: null }))
    for (const piece of choice.text.match(PIECE) ?? []) events.push(delta({ content: piece }))
    if (choice.refusal) events.push(delta({ refusal: choice.refusal }))
    for (const [at, call] of choice.toolCalls.entries()) {
      events.push(
        delta({
          tool_calls: [
            { index: at, id: call.id, type: 'function', function: { name: call.name, arguments: '' } },
          ],
        }),
      )
      for (const piece of call.arguments.match(/.{1,8}/gs) ?? [])
        events.push(delta({ tool_calls: [{ index: at, function: { arguments: piece } }] }))
    }
    events.push(delta({}, finishOf(answer, choice)))
  }
  if (withUsage) events.push(chunk([], usageOf(answer)))
  if (answer.directives.fault === 'bad_json') events.splice(2, 0, 'data: {"choices": [oops\n\n')
  if (answer.directives.fault !== 'no_done') events.push(event('[DONE]', answer))
  return events
}

function event(data: object | string, { directives }: Answer): string {
  const lineEnd = directives.fault === 'crlf' ? '\r\n' : '\n'
  let text = typeof data === 'string' ? data : JSON.stringify(data)
  if (directives.fault === 'multi_data' && typeof data !== 'string')
    text = text.replace(',"object"', `${lineEnd}data: ,"object"`)
  const ping = directives.fault === 'comments' ? `: ping${lineEnd}${lineEnd}` : ''
  return `${ping}data: ${text}${lineEnd}${lineEnd}`
}
