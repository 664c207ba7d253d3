import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { adapterFor } from '../../src/providers/adapters.ts'
import {
  chats,
  context,
  dataOf,
  eventText,
  expected,
  fixture,
  sayings,
  streamText,
  translate,
} from '../support/provider-fixtures.ts'

const user = { role: 'user', content: 'Hello' }
type Body = Record<string, JsonValue>
const events = (...list: JsonValue[]) => list.map((data) => eventText({ data })).join('')
const chunks = (text: string) => dataOf(text).map((data) => (data === '[DONE]' ? data : JSON.parse(data)))

describe('openai', () => {
  const openai = adapterFor('openai')

  it('passes answers and streams on to the letter', () => {
    const answer = ` ${JSON.stringify(fixture('openai', 'plain').answer, null, 3)}\n`
    expect(openai.answer(answer, context)?.body).toBe(answer)
    const stream = `: hi\r\n\r\n${streamText(fixture('openai', 'tools')).replaceAll('\n\n', '\r\n\r\n')}x`
    expect(translate('openai', stream)).toBe(stream.slice(0, -1))
  })

  it('sends what it does not know as it came, under the name of the model', () => {
    const { body } = openai.request({ model: 'auto', messages: [user], odd: { a: [1] } }, 'gpt-x')
    expect(JSON.parse(body)).toEqual({ model: 'gpt-x', messages: [user], odd: { a: [1] } })
  })
})

describe('anthropic', () => {
  const anthropic = adapterFor('anthropic')
  const body = (chat: JsonObject): Body =>
    JSON.parse(anthropic.request({ messages: [user], ...chat }, 'claude-x').body)
  const { tools } = chats.tools as { tools: JsonValue }

  it('names its version', () => {
    const { headers } = anthropic.request({ messages: [user] }, 'claude-x')
    expect(headers['anthropic-version']).toBe('2023-06-01')
    expect(anthropic.authorize('k')).toEqual({ 'x-api-key': 'k' })
  })

  it.each<[JsonObject, Body]>([
    [{ tool_choice: 'auto' }, { tool_choice: { type: 'auto' } }],
    [{ tool_choice: 'none', parallel_tool_calls: false }, { tool_choice: { type: 'none' } }],
    [{ parallel_tool_calls: false }, { tool_choice: { type: 'auto', disable_parallel_tool_use: true } }],
    [
      { tool_choice: 'required', parallel_tool_calls: false },
      { tool_choice: { type: 'any', disable_parallel_tool_use: true } },
    ],
    [{ tool_choice: null, parallel_tool_calls: true }, {}],
  ])('chooses tools: %j', (asked, made) => {
    expect(body({ ...asked, tools }).tool_choice).toEqual(made.tool_choice)
    expect(body(asked).tool_choice, 'without tools').toBeUndefined()
  })

  it.each<[JsonObject, Body]>([
    [{ temperature: 0.3 }, { temperature: 0.3 }],
    [{ temperature: 2 }, { temperature: 1 }],
    [{ temperature: null }, {}],
    [{ max_tokens: null, max_completion_tokens: 5 }, { max_tokens: 5 }],
    [{ stop: 'x' }, { stop_sequences: ['x'] }],
    [{ stop: [] }, {}],
    [{ top_p: 0.9 }, { top_p: 0.9 }],
    [{ top_p: 1 }, {}],
    [
      { top_k: 4, thinking: { type: 'adaptive' } },
      { top_k: 4, thinking: { type: 'adaptive' } },
    ],
    [{ stream: true, stream_options: { include_usage: true } }, { stream: true }],
    [{ reasoning_effort: 'high' }, { output_config: { effort: 'high' } }],
    [{ reasoning_effort: 'minimal' }, { output_config: { effort: 'low' } }],
    [{ reasoning_effort: 'none' }, { thinking: { type: 'disabled' } }],
    [{ store: true, min_p: 0.1, api_base: 'https://evil.example' }, {}],
  ])('says %j', (asked, made) => {
    const messages = [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }]
    expect(body(asked)).toEqual({ model: 'claude-x', max_tokens: 4_096, messages, ...made })
  })

  it('tells the model to keep to JSON where the format has no schema for it', () => {
    const system = body({ response_format: { type: 'json_object' } }).system as JsonObject[]
    expect(system.map(({ text }) => text)).toEqual([expect.stringContaining('JSON object')])
  })

  it('keeps the marks of what to cache', () => {
    const cache_control = { type: 'ephemeral' }
    const content = [{ type: 'text', text: 'Long.', cache_control }]
    const asked = body({ messages: [{ role: 'system', content }, user], cache_control })
    expect([asked.system, asked.cache_control]).toEqual([content, cache_control])
  })

  it('names an image by its address', () => {
    const url = 'https://x.example/a.png'
    const { messages } = body({
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
    })
    expect(messages).toEqual([{ role: 'user', content: [{ type: 'image', source: { type: 'url', url } }] }])
  })

  it('gives its signed thoughts out, and takes them back before the call they led to', () => {
    const thoughts: JsonObject[] = [
      { type: 'thinking', thinking: 'Six times seven.', signature: 'c2ln' },
      { type: 'redacted_thinking', data: 'ZGF0YQ==' },
    ]
    const thinking = fixture('anthropic', 'thinking')
    const whole = JSON.parse(anthropic.answer(JSON.stringify(thinking.answer), context)?.body ?? '')
    expect(whole.choices[0].message.thinking_blocks).toEqual(thoughts)
    const streamed = chunks(translate('anthropic', streamText(thinking))).flatMap(
      (chunk) => chunk.choices?.[0]?.delta.thinking_blocks ?? [],
    )
    expect(streamed).toEqual(thoughts)
    const calls = [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }]
    const back = { role: 'assistant', content: null, tool_calls: calls }
    const odd: JsonValue[] = [{ type: 'tool_use', id: 'x' }, 7, { type: 'thinking', thinking: 'unsigned' }]
    const { messages } = body({ messages: [user, { ...back, thinking_blocks: [...thoughts, ...odd] }] })
    const call = { type: 'tool_use', id: 'a', name: 'f', input: {} }
    expect((messages as JsonObject[])[1]).toEqual({ role: 'assistant', content: [...thoughts, call] })
  })

  it.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['tool_use', 'tool_calls'],
    ['refusal', 'content_filter'],
    ['pause_turn', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['of_the_future', 'stop'],
    ['constructor', 'stop'],
  ])('ends: %s is %s', (stop_reason, finish) => {
    const answer = { ...fixture('anthropic', 'plain').answer, stop_reason }
    const completion = anthropic.answer(JSON.stringify(answer), context)
    expect(sayings(completion?.body ?? '')[0]?.finish).toBe(finish)
    expect(completion?.verdict.refused).toBe(stop_reason === 'refusal')
  })

  it('takes a message without a reason to end for none', () => {
    const answer = { ...fixture('anthropic', 'plain').answer, stop_reason: null }
    expect(anthropic.answer(JSON.stringify(answer), context)).toBeUndefined()
    const stream = anthropic.stream(context)
    const data = '{"type":"message_stop"}'
    expect(stream.take({ raw: `data: ${data}\n\n`, data })).toBeUndefined()
    expect(stream.done).toBe(false)
  })

  it('counts what came from the cache as input, and tells it apart', () => {
    const { answer } = fixture('anthropic', 'plain')
    const { usage } = JSON.parse(anthropic.answer(JSON.stringify(answer), context)?.body ?? '')
    expect(usage.prompt_tokens_details).toEqual({ cached_tokens: 6 })
    const lying = { ...answer, usage: { ...(answer?.usage as JsonObject), cache_read_input_tokens: -1 } }
    expect(anthropic.answer(JSON.stringify(lying), context)?.verdict.usage).toBeUndefined()
  })

  it('knows what was used so far when a stream is cut', () => {
    const stream = anthropic.stream(context)
    const [first] = fixture('anthropic', 'plain').events ?? []
    stream.take({ raw: '', data: JSON.stringify(first?.data) })
    expect(stream.verdict).toEqual({
      complete: false,
      refused: false,
      usage: { inputTokens: 21, outputTokens: 1 },
    })
  })

  it('holds no endless thought, but passes it on', () => {
    const thinking = 'x'.repeat(400_000)
    const delta = { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking } }
    const text = translate(
      'anthropic',
      events(
        {
          type: 'content_block_start',
          index: 0,
          content_block: { type: 'thinking', thinking: '', signature: 's' },
        },
        ...[delta, delta, delta],
        { type: 'content_block_stop', index: 0 },
      ),
    )
    expect(text.split(thinking)).toHaveLength(4)
    expect(text).not.toContain('thinking_blocks')
  })

  it('takes a piece of a block that is not open for no part of an answer', () => {
    const piece = { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'x' } }
    const stream = anthropic.stream(context)
    const start = { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }
    const take = (data: JsonValue) => stream.take({ raw: '', data: JSON.stringify(data) })
    expect([take(start), take(piece)]).toEqual(['', undefined])
  })

  it('keeps what runs at the provider to itself', () => {
    const text = events(
      {
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'server_tool_use', id: 's', name: 'w' },
      },
      { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"q":1}' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'event_of_the_future' },
    )
    expect(translate('anthropic', text)).toBe('')
  })

  it('sends no usage to who did not ask for it', () => {
    const text = translate('anthropic', streamText(fixture('anthropic', 'plain')), {
      ...context,
      includeUsage: false,
    })
    expect(text).not.toContain('usage')
  })
})

describe('gemini', () => {
  const gemini = adapterFor('gemini')
  const body = (chat: JsonObject, model = 'gemini-x'): Body =>
    JSON.parse(gemini.request({ messages: [user], ...chat }, model).body)
  const answer = fixture('gemini', 'plain').answer as JsonObject
  const candidate = (answer.candidates as JsonObject[])[0] as JsonObject

  it('asks for a stream by its address', () => {
    const path = (stream: boolean, model: string) => gemini.request({ messages: [user], stream }, model).path
    expect(path(true, 'gemini-x')).toBe('/models/gemini-x:streamGenerateContent?alt=sse')
    expect(path(false, 'tunedModels/x')).toBe('/tunedModels/x:generateContent')
    expect(gemini.authorize('k')).toEqual({ 'x-goog-api-key': 'k' })
  })

  it.each<[JsonObject, Body]>([
    [
      { n: 3, seed: 7, top_k: 2 },
      { candidateCount: 3, seed: 7, topK: 2 },
    ],
    [
      { presence_penalty: 1, frequency_penalty: -1 },
      { presencePenalty: 1, frequencyPenalty: -1 },
    ],
    [{ response_format: { type: 'json_object' } }, { responseMimeType: 'application/json' }],
    [{ reasoning_effort: 'none' }, { thinkingConfig: { thinkingBudget: 0 } }],
    [{ thinking_config: { thinkingLevel: 'low' } }, { thinkingConfig: { thinkingLevel: 'low' } }],
  ])('says %j', (asked, config) => expect(body(asked).generationConfig).toEqual(config))

  it('gives out the signature of a call and takes it back', () => {
    const tools = JSON.stringify(fixture('gemini', 'tools').answer)
    const { message } = JSON.parse(gemini.answer(tools, context)?.body ?? '').choices[0]
    const ids = message.tool_calls.map(({ id }: { id: string }) => id)
    expect(ids).toEqual(['fc_a', 'call_2b3c7def8123456789abcdef_0'])
    expect(gemini.answer(tools, context)?.body, 'the same each time').toBe(
      gemini.answer(tools, context)?.body,
    )
    const results = ids.map((id: string) => ({ role: 'tool', tool_call_id: id, content: 'ok' }))
    const { contents } = body({ messages: [user, message, ...results] })
    const [, called, answered] = contents as { parts: JsonObject[] }[]
    expect(called?.parts.map((part) => part.thoughtSignature)).toEqual(['c2ln', undefined])
    expect(answered?.parts.map((part) => (part.functionResponse as JsonObject).name)).toEqual([
      'get_weather',
      'get_time',
    ])
  })

  it('stands in for a lost signature only where one is demanded', () => {
    const messages = chats['tool-result']?.messages ?? []
    expect(JSON.stringify(body({ messages }, 'gemini-2.5-pro'))).not.toContain('thoughtSignature')
    expect(JSON.stringify(body({ messages }, 'gemini-3-pro'))).toContain('thoughtSignature')
  })

  it('finds the function of the latest call when ids repeat, and refuses an answer to none', () => {
    const call = (name: string) => ({
      role: 'assistant',
      tool_calls: [{ id: 'same', type: 'function', function: { name, arguments: '{}' } }],
    })
    const result = { role: 'tool', tool_call_id: 'same', content: 'x' }
    const { contents } = body({ messages: [user, call('one'), result, call('two'), result] })
    expect(JSON.stringify(contents).match(/"functionResponse":\{"id":"same","name":"(\w+)"/g)).toEqual([
      '"functionResponse":{"id":"same","name":"one"',
      '"functionResponse":{"id":"same","name":"two"',
    ])
    expect(() => body({ messages: [user, result] })).toThrow(/tool_call_id/)
  })

  it.each([
    ['STOP', 'stop'],
    ['MAX_TOKENS', 'length'],
    ['SAFETY', 'content_filter'],
    ['RECITATION', 'content_filter'],
    ['BLOCKLIST', 'content_filter'],
    ['PROHIBITED_CONTENT', 'content_filter'],
    ['SPII', 'content_filter'],
    ['MALFORMED_FUNCTION_CALL', undefined],
    ['UNEXPECTED_TOOL_CALL', undefined],
    ['OTHER', undefined],
    ['constructor', undefined],
    [undefined, undefined],
  ])('ends: %s is %s', (finishReason, finish) => {
    const text = JSON.stringify({ ...answer, candidates: [{ ...candidate, finishReason }] })
    const completion = gemini.answer(text, context)
    expect(completion && sayings(completion.body)[0]?.finish).toBe(finish)
    const stream = gemini.stream(context)
    const out = stream.take({ raw: `data: ${text}\n\n`, data: text })
    expect(stream.done).toBe(finish !== undefined)
    if (finishReason && !finish) expect(out).toBeUndefined()
  })

  it('gives every candidate its choice, and waits for the last', () => {
    const second = { ...candidate, index: 1 }
    const two = gemini.answer(JSON.stringify({ ...answer, candidates: [candidate, second] }), context)
    expect(sayings(two?.body ?? '')).toHaveLength(2)
    const stream = gemini.stream(context)
    const open = { index: 1, content: { parts: [{ text: 'x' }] } }
    const take = (candidates: JsonValue) => {
      const data = JSON.stringify({ candidates })
      stream.take({ raw: `data: ${data}\n\n`, data })
      return stream.done
    }
    expect([take([candidate, open]), take([second])]).toEqual([false, true])
  })

  it('takes a blocked prompt in a stream for a refusal', () => {
    const blocked = fixture('gemini', 'refusal').answer as JsonObject
    const stream = gemini.stream(context)
    const out = stream.take({ raw: '', data: JSON.stringify(blocked) }) ?? ''
    expect([stream.done, stream.verdict.refused]).toEqual([true, true])
    expect(chunks(out)[0].choices[0].finish_reason).toBe('content_filter')
  })
})

describe('workers-ai', () => {
  const ai = adapterFor('workers-ai')

  it('opens what the REST API wraps', () => {
    const { answer } = fixture('workers-ai', 'wrapped')
    const completion = ai.answer(JSON.stringify(answer), context)
    const { message, finish, usage } = expected.plain as (typeof expected)[string]
    expect(sayings(completion?.body ?? '')).toEqual([{ message, finish }])
    expect(completion?.verdict.usage).toEqual(usage)
    for (const failed of [{ success: false }, { errors: [{ code: 1 }] }])
      expect(ai.answer(JSON.stringify({ ...answer, ...failed }), context)).toBeUndefined()
  })

  it('leaves an answer of our own format as it is, and completes one that lacks its frame', () => {
    const whole = JSON.stringify(fixture('workers-ai', 'refusal').answer)
    expect(ai.answer(whole, context)?.body).toBe(whole)
    const { choices } = fixture('workers-ai', 'thinking').answer as JsonObject
    const body = JSON.parse(ai.answer(JSON.stringify({ choices }), context)?.body ?? '')
    expect(body).toMatchObject({ id: `chatcmpl-${context.requestId}`, object: 'chat.completion', choices })
  })

  it('takes an end without any part for no answer', () => {
    const stream = ai.stream(context)
    expect(stream.take({ raw: 'data: [DONE]\n\n', data: '[DONE]' })).toBeUndefined()
    expect(stream.done).toBe(false)
  })

  it('keeps a last count beside chunks of our own format to itself', () => {
    const [role, text, end] = fixture('workers-ai', 'length').events?.map(eventText) ?? []
    const usage = { prompt_tokens: 1, completion_tokens: 2 }
    const stream = `${role}${text}${end}${events({ response: '', usage }, '[DONE]')}`
    expect(translate('workers-ai', stream)).toBe(`${role}${text}${end}data: [DONE]\n\n`)
  })
})
