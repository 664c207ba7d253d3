import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { WIRE_FORMATS, type WireFormat } from '../../src/providers/adapter.ts'
import { adapterFor } from '../../src/providers/adapters.ts'
import {
  chats,
  context,
  expected,
  type Fixture,
  fixture,
  streamText,
  translate,
} from '../support/provider-fixtures.ts'
import { type ProviderServer, startProviderServer } from '../support/provider-server.ts'

const TEXT = expected.plain?.message.content
const CALLS = expected.tools?.message.calls

let server: ProviderServer
beforeAll(async () => {
  server = await startProviderServer()
})
afterAll(() => server?.close())

const serveAnswer = ({ answer }: Fixture) =>
  server.serve({ contentType: 'application/json', text: JSON.stringify(answer) })
const serveStream = (one: Fixture) =>
  server.serve({ contentType: 'text/event-stream', text: streamText(one) })

/** The latest request as the vendor's own client made it, to hold ours against. */
const asked = () => ({
  path: server.asked?.path ?? '',
  body: JSON.parse(server.asked?.body || '{}') as JsonObject,
  headers: server.asked?.headers ?? {},
})
const ours = (format: WireFormat, name: string, model: string, stream = false) => {
  const { path, body, headers } = adapterFor(format).request(
    { ...(chats[name] as JsonObject), stream },
    model,
  )
  return { path, body: JSON.parse(body) as never, headers }
}

describe("Anthropic's own client", () => {
  const client = () => new Anthropic({ apiKey: 'k', baseURL: server.url, maxRetries: 0 })

  it('reads the same text out of the plain fixture, and sends our request the way we do', async () => {
    serveAnswer(fixture('anthropic', 'plain'))
    const { path, body } = ours('anthropic', 'plain', 'claude-x')
    const message = await client().messages.create(body)
    expect(message.content.map((block) => (block.type === 'text' ? block.text : '')).join('')).toBe(TEXT)
    expect(asked().path).toBe(`/v1${path}`)
    expect(asked().body).toEqual(body)
    // Its headers are those of a later version of the API, which knows no temperature.
    expect(asked().headers['anthropic-version']).toBe('2026-10-21')
  })

  it('reads the same text out of the streamed fixture', async () => {
    serveStream(fixture('anthropic', 'plain'))
    const stream = client().messages.stream(ours('anthropic', 'plain', 'claude-x').body)
    expect(await stream.finalText()).toBe(TEXT)
    expect((await stream.finalMessage()).usage.output_tokens).toBe(9)
  })

  it('reads the same calls and thoughts', async () => {
    const read = async (name: string) => {
      serveStream(fixture('anthropic', name))
      return (
        await client()
          .messages.stream(ours('anthropic', 'plain', 'x').body)
          .finalMessage()
      ).content
    }
    const calls = (await read('tools')).flatMap((block) =>
      block.type === 'tool_use' ? [[block.name, block.input]] : [],
    )
    expect(calls).toEqual(CALLS)
    expect((await read('thinking')).map(({ type }) => type)).toEqual([
      'thinking',
      'redacted_thinking',
      'text',
    ])
  })

  it('takes the broken stream for an error, too', async () => {
    serveStream(fixture('anthropic', 'broken-stream'))
    const stream = client().messages.stream(ours('anthropic', 'plain', 'x').body)
    await expect(stream.finalText()).rejects.toThrow(/overloaded/i)
  })
})

describe("Google's own client", () => {
  const client = () => new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: server.url } })
  const params = (name: string) => {
    const { contents, systemInstruction, generationConfig, tools, toolConfig } = ours(
      'gemini',
      name,
      'gemini-x',
    ).body as {
      contents: []
      systemInstruction: object
      generationConfig: object
      tools: []
      toolConfig: object
    }
    const config = { systemInstruction, ...generationConfig, tools, toolConfig }
    return { model: 'gemini-x', contents, config }
  }

  it('reads the same text out of the plain fixture, and sends our request the way we do', async () => {
    for (const name of ['plain', 'tools', 'tool-result', 'image', 'json']) {
      serveAnswer(fixture('gemini', 'plain'))
      const answer = await client().models.generateContent(params(name))
      expect(answer.text).toBe(TEXT)
      expect(asked().path).toBe(`/v1beta${ours('gemini', name, 'gemini-x').path}`)
      // The client adds a role to the instruction and an empty configuration, which say nothing.
      const { systemInstruction, generationConfig, ...rest } = asked().body as Record<string, object>
      expect({
        ...rest,
        ...(systemInstruction && { systemInstruction: { ...systemInstruction, role: undefined } }),
        ...(Object.keys(generationConfig ?? {}).length > 0 && { generationConfig }),
      }).toEqual(ours('gemini', name, 'gemini-x').body)
      expect(asked().headers).toMatchObject(adapterFor('gemini').authorize('k'))
    }
  })

  it('reads the same text out of the streamed fixture', async () => {
    serveStream(fixture('gemini', 'plain'))
    let text = ''
    let tokens: number | undefined
    for await (const part of await client().models.generateContentStream(params('plain'))) {
      text += part.text ?? ''
      tokens = part.usageMetadata?.totalTokenCount ?? tokens
    }
    expect([text, tokens]).toEqual([TEXT, 30])
    expect(asked().path).toBe(`/v1beta${ours('gemini', 'plain', 'gemini-x', true).path}`)
  })

  it('reads the same calls', async () => {
    serveAnswer(fixture('gemini', 'tools'))
    const { functionCalls } = await client().models.generateContent(params('plain'))
    expect(functionCalls?.map(({ name, args }) => [name, args])).toEqual(CALLS)
  })
})

describe.each(WIRE_FORMATS)("OpenAI's own client reads what became of %s", (format) => {
  const client = () => new OpenAI({ apiKey: 'k', baseURL: server.url, maxRetries: 0 })
  const ask = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }] }
  const plain = (name: string) => {
    const completion = adapterFor(format).answer(JSON.stringify(fixture(format, name).answer), context)
    server.serve({ contentType: 'application/json', text: completion?.body ?? '' })
    return client().chat.completions.create(ask)
  }
  const streamed = (name: string) => {
    const text = translate(format, streamText(fixture(format, name)))
    server.serve({ contentType: 'text/event-stream', text })
    return client().chat.completions.stream(ask)
  }
  const called = (message: OpenAI.ChatCompletionMessage | undefined) =>
    message?.tool_calls?.map((call) =>
      call.type === 'function' ? [call.function.name, JSON.parse(call.function.arguments)] : [],
    )

  it('plain', async () => {
    const { choices, usage } = await plain('plain')
    expect(choices[0]?.message.content).toBe(TEXT)
    expect([choices[0]?.finish_reason, usage?.total_tokens]).toEqual(['stop', 30])
  })

  it('streamed', async () => {
    const { choices, usage } = await streamed('plain').finalChatCompletion()
    expect(choices[0]?.message.content).toBe(TEXT)
    expect([choices[0]?.finish_reason, usage?.total_tokens]).toEqual(['stop', 30])
  })

  it('tools', async () => {
    expect(called((await plain('tools')).choices[0]?.message)).toEqual(CALLS)
    const final = await streamed('tools').finalChatCompletion()
    expect(called(final.choices[0]?.message)).toEqual(CALLS)
    expect(final.choices[0]?.finish_reason).toBe('tool_calls')
  })
})
