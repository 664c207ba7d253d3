import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { adapterFor } from '../../../src/providers/adapters.ts'
import {
  chats,
  context,
  dataOf,
  eventText,
  fixture,
  sayings,
  streamText,
  translate,
} from '../../support/provider-fixtures.ts'

const user = { role: 'user', content: 'Hello' }
type Body = Record<string, JsonValue>
const events = (...list: JsonValue[]) => list.map((data) => eventText({ data })).join('')
const chunks = (text: string) => dataOf(text).map((data) => (data === '[DONE]' ? data : JSON.parse(data)))

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
      truncated: false,
      usage: { inputTokens: 21, outputTokens: 1, cachedTokens: 6 },
      said: '',
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
