import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { adapterFor } from '../../../src/providers/adapters.ts'
import { chats, context, dataOf, fixture, sayings } from '../../support/provider-fixtures.ts'

const user = { role: 'user', content: 'Hello' }
type Body = Record<string, JsonValue>
const chunks = (text: string) => dataOf(text).map((data) => (data === '[DONE]' ? data : JSON.parse(data)))

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
