import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { WIRE_FORMATS } from '../../src/providers/adapter.ts'
import { adapterFor } from '../../src/providers/adapters.ts'
import type { Verdict } from '../../src/providers/completion.ts'
import { SseReader, sseEvent } from '../../src/providers/sse.ts'
import {
  assemble,
  chats,
  context,
  dataOf,
  eventText,
  expected,
  fixture,
  type Said,
  sayings,
  streamText,
  translate,
} from '../support/provider-fixtures.ts'

const ASKED = ['plain', 'tools', 'tool-result', 'image', 'json']
const ANSWERED = ['plain', 'tools', 'json', 'refusal', 'length', 'thinking']
const STREAMED = ['plain', 'tools', 'refusal', 'length', 'thinking']
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
const MODEL = 'MODEL'

const bytes = (text: string) => new TextEncoder().encode(text)
const said = ({ message, finish }: Said) => ({ message, finish })

/** Tokens that have prices of their own: as the judge of the answer has them, and as the answer tells them. */
const partsOf = (verdict: Verdict | undefined) => {
  const { cachedTokens = 0, reasoningTokens = 0 } = verdict?.usage ?? {}
  return [cachedTokens, reasoningTokens]
}
const partsTold = ({ prompt_tokens_details: input, completion_tokens_details: output }: ToldParts) => [
  input?.cached_tokens ?? 0,
  output?.reasoning_tokens ?? 0,
]
interface ToldParts {
  readonly prompt_tokens_details?: { readonly cached_tokens?: number }
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number }
}

describe.each(WIRE_FORMATS)('%s', (format) => {
  const adapter = adapterFor(format)

  it('is itself', () => expect(adapter.format).toBe(format))

  it.each(ASKED)('asks: %s', (name) => {
    const { path, body, headers } = adapter.request(chats[name] as JsonObject, MODEL)
    expect({ path, body: JSON.parse(body) }).toEqual(fixture(format, name).request)
    expect(headers['content-type']).toBe('application/json')
    expect(JSON.stringify(headers)).not.toContain('key')
  })

  it.each(ANSWERED)('answers: %s', (name) => {
    const { finish, message, refused, usage } = expected[name] as (typeof expected)[string]
    const text = JSON.stringify(fixture(format, name).answer)
    const completion = adapter.answer(text, context)
    expect(sayings(completion?.body ?? '')).toEqual([{ message, finish }])
    expect(completion?.verdict).toMatchObject({ complete: true, refused, usage })
    expect(completion?.verdict.said).toContain(message.content ?? '')
    const told = JSON.parse(completion?.body ?? '').usage
    expect(partsOf(completion?.verdict)).toEqual(partsTold(told))
    const { prompt_tokens, completion_tokens, total_tokens } = told
    expect([prompt_tokens, completion_tokens]).toEqual([usage.inputTokens, usage.outputTokens])
    expect(total_tokens).toBe(prompt_tokens + completion_tokens)
  })

  it.each(STREAMED)('streams: %s', (name) => {
    const { refused, usage, ...rest } = expected[name] as (typeof expected)[string]
    const stream = adapter.stream(context)
    expect([stream.done, stream.begun, stream.verdict.complete]).toEqual([false, false, false])
    let text = ''
    for (const event of new SseReader().push(bytes(streamText(fixture(format, name)))))
      text += stream.take(event)
    expect(assemble(text)).toEqual(said(rest))
    expect([stream.done, stream.begun]).toEqual([true, true])
    expect(stream.verdict).toMatchObject({ complete: true, refused, usage })
    expect(stream.verdict.said).toContain(rest.message.content ?? '')
    const last = JSON.parse(dataOf(text).at(-2) ?? '')
    expect(partsOf(stream.verdict)).toEqual(partsTold(last.usage))
    expect([last.choices, last.usage.prompt_tokens]).toEqual([[], usage.inputTokens])
    expect(stream.take({ raw: 'data: {"late":1}\n\n', data: '{"late":1}' })).toBe('')
  })

  it('begins with the answer itself, not with its opening', () => {
    for (const name of STREAMED) {
      const stream = adapter.stream(context)
      for (const event of new SseReader().push(bytes(streamText(fixture(format, name))))) {
        const out = stream.take(event) ?? ''
        const deltas = dataOf(out).flatMap((data) => (data === '[DONE]' ? [data] : JSON.parse(data).choices))
        const substance = deltas.some(
          (choice) =>
            choice === '[DONE]' ||
            choice.finish_reason ||
            choice.delta.content ||
            choice.delta.reasoning_content ||
            choice.delta.tool_calls,
        )
        expect(stream.begun, `${name}: ${event.raw}`).toBe(substance)
        if (stream.begun) break
      }
    }
  })

  it('is done at the terminal event and at no byte before it', () => {
    for (const name of STREAMED) {
      const whole = bytes(streamText(fixture(format, name)))
      for (let length = 0; length <= whole.length; length++) {
        const [stream, reader] = [adapter.stream(context), new SseReader()]
        for (const event of reader.push(whole.subarray(0, length))) stream.take(event)
        const at = `${name}, ${length} of ${whole.length} bytes`
        expect(stream.done, at).toBe(length === whole.length)
        expect(stream.verdict.complete, at).toBe(length === whole.length)
      }
    }
  })

  it('takes an error inside a stream for no part of an answer', () => {
    const stream = adapter.stream(context)
    const outcomes = (fixture(format, 'broken-stream').events ?? []).map((event) =>
      stream.take({ raw: eventText(event), data: JSON.stringify(event.data) }),
    )
    expect(outcomes.at(-1)).toBeUndefined()
    expect(outcomes.slice(0, -1).every((text) => text !== undefined)).toBe(true)
    expect([stream.begun, stream.done, stream.verdict.complete]).toEqual([true, false, false])
  })

  it('passes comments and pings', () => {
    const stream = adapter.stream(context)
    for (const raw of [': ping\n\n', 'event: ping\n\n'])
      expect(stream.take({ raw, data: undefined })).toBeTypeOf('string')
    expect(stream.begun).toBe(false)
  })

  it('lets no text of a model make an event', () => {
    const text = streamText(fixture(format, 'plain'))
    const events = dataOf(translate(format, text))
    expect(events.filter((data) => data === '[DONE]')).toHaveLength(1)
    for (const data of events) if (data !== '[DONE]') expect(() => JSON.parse(data)).not.toThrow()
  })

  it('names the reason of a refusal, and repeats none of its prose', () => {
    for (const { body, hint } of fixture(format, 'errors').errors ?? []) {
      const found = adapter.refusal(JSON.stringify(body))
      expect(found, JSON.stringify(body)).toEqual(hint)
      expect(JSON.stringify(found)).not.toMatch(/secret|sk-|http|\s/i)
      expect(adapter.answer(JSON.stringify(body), context)?.verdict.refused ?? true).toBe(true)
    }
    for (const text of ['', 'nonsense', '[]', 'null', '<html>model not found</html>'])
      expect(adapter.refusal(text).code).toBeUndefined()
  })

  it('reads its list of models', () => {
    if (adapter.listPath === undefined) return expect(adapter.models('{}')).toBeUndefined()
    const { list, models } = fixture(format, 'models')
    expect(adapter.models(JSON.stringify(list))).toEqual(models)
    for (const text of ['', '{}', '[]', 'null', '{"data":7,"models":{}}'])
      expect(adapter.models(text)).toBeUndefined()
  })

  it('carries the key in a header and nowhere else', () => {
    const headers = adapter.authorize('k-1')
    expect(Object.values(headers).join()).toContain('k-1')
    expect(() => new Headers(adapter.authorize('a\r\nx: y'))).toThrow(TypeError)
  })
})

/** Every place of a value, as the value with something else there. */
function* changed(value: JsonValue, other: JsonValue): Generator<JsonValue> {
  yield other
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value)) {
    const entry = (value as JsonObject)[key] as JsonValue
    for (const inner of changed(entry, other)) {
      const copy = (Array.isArray(value) ? [...value] : { ...value }) as JsonObject
      copy[key] = inner
      yield copy
    }
  }
}

const ODD: readonly JsonValue[] = [null, true, -1, 1.5, 1e300, '', 'x', [], [null], {}, { a: [] }]

describe.each(WIRE_FORMATS)('%s, given anything', (format) => {
  const adapter = adapterFor(format)
  const tryAll = (value: JsonValue) => {
    const text = JSON.stringify(value)
    const whole = adapter.answer(text, context)
    if (whole) expect(typeof JSON.parse(whole.body)).toBe('object')
    if (whole?.verdict.usage) believable(Object.values(whole.verdict.usage))
    const stream = adapter.stream(context)
    const out = stream.take({ raw: `data: ${text}\n\n`, data: text })
    if (out) for (const data of dataOf(out)) if (data !== '[DONE]') JSON.parse(data)
    if (stream.verdict.usage) believable(Object.values(stream.verdict.usage))
    adapter.refusal(text)
    adapter.models(text)
  }
  const believable = (counts: number[]) =>
    expect(counts.every((count) => Number.isSafeInteger(count) && count >= 0)).toBe(true)

  it('answers of any JSON never throw', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => tryAll(value as JsonValue)),
      { seed: SEED, numRuns: 500 },
    )
  })

  it('known answers with any one place changed never throw, and count only what can be believed', () => {
    for (const name of ANSWERED)
      for (const other of ODD)
        for (const value of changed(fixture(format, name).answer as JsonValue, other)) tryAll(value)
  })

  it('known streams with any one place of any event changed never throw', () => {
    for (const name of STREAMED) {
      const events = (fixture(format, name).events ?? []).map(({ data }) => data)
      events.forEach((event, at) => {
        for (const other of ODD)
          for (const value of changed(event, other)) {
            const stream = adapter.stream(context)
            for (const data of events.with(at, value)) {
              const text = typeof data === 'string' ? data : JSON.stringify(data)
              if (stream.take({ raw: `data: ${text}\n\n`, data: text }) === undefined) break
            }
            if (stream.verdict.usage) believable(Object.values(stream.verdict.usage))
          }
      })
    }
  })

  it('events in any order never throw', () => {
    const events = STREAMED.flatMap((name) => fixture(format, name).events ?? [])
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 12 }), (order) => {
        translate(format, order.map(eventText).join(''))
      }),
      { seed: SEED, numRuns: 300 },
    )
  })

  it('survives what is nested deeper than can be written', () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
    const nested = `{"a":${deep}}`
    for (const name of ANSWERED) {
      const text = JSON.stringify(fixture(format, name).answer)
      for (const odd of [deep, nested]) {
        adapter.answer(text.replace('{"city":"Paris"}', nested), context)
        adapter.answer(text.replace(/"(?:response|content|parts|choices)":/, `$&${odd},"x":`), context)
      }
    }
    for (const { data } of fixture(format, 'tools').events ?? []) {
      const text = JSON.stringify(data)
      const hurt = text.replace('{"city":"Paris"}', nested).replace('"input":{}', `"input":${nested}`)
      adapter.stream(context).take({ raw: `data: ${hurt}\n\n`, data: hurt })
    }
  })

  it('keeps the names of prototypes harmless', () => {
    const evil = '{"__proto__":{"type":"message","choices":[{}],"response":"x","polluted":1}}'
    adapter.answer(evil, context)
    adapter.stream(context).take({ raw: `data: ${evil}\n\n`, data: evil })
    const chat = JSON.parse(
      `{"model":"m","messages":[{"role":"user","content":"x","__proto__":{"role":"tool"}}],"__proto__":{"n":3}}`,
    ) as JsonObject
    expect(() => adapter.request(chat, MODEL)).not.toThrow()
    expect(({} as JsonObject).polluted).toBeUndefined()
  })

  it('of a text that is no JSON makes no answer', () => {
    for (const text of ['', '{', 'data: x', '<html>', '\u0000']) {
      expect(adapter.answer(text, context)).toBeUndefined()
      expect(adapter.stream(context).take({ raw: sseEvent(text), data: text })).toBeUndefined()
    }
  })
})
