import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RefusalKind, WIRE_FORMATS, type WireFormat } from '../../src/providers/adapter.ts'
import { adapterFor } from '../../src/providers/adapters.ts'
import { apiAt, MODELS } from '../support/api.ts'
import {
  assemble,
  chats,
  dataOf,
  expected,
  fixture,
  type Said,
  sayings,
  streamText,
} from '../support/provider-fixtures.ts'
import { type ProviderServer, type Served, startProviderServer } from '../support/provider-server.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// One conversation through the gateway to a server of each wire format: the same shapes for OpenAI's own client.

let stack: Stack
let server: ProviderServer
let key: string
let client: OpenAI

const MODEL = 'MODEL'
/** Where a vendor's API begins, as far as its format says so. */
const BASE: Record<WireFormat, string> = {
  openai: '/v1',
  anthropic: '/v1',
  gemini: '/v1beta',
  'workers-ai': '/client/v4/accounts/a/ai/run',
}
const keyOf = (format: WireFormat) => `key-for-${format}`

beforeAll(async () => {
  server = await startProviderServer()
  stack = await startStack({ UPSTREAM_LOOPBACK: new URL(server.url).host })
  key = await stack.key('acme', 'free')
  client = new OpenAI({
    baseURL: `${stack.url}/v1`,
    apiKey: key,
    maxRetries: 0,
    // Asks the model each time, and still stores what it said.
    defaultHeaders: { 'cache-control': 'no-cache' },
  })
  for (const wire_format of WIRE_FORMATS)
    for (const model_id of [wire_format, `${wire_format}-failing`])
      await apiAt(stack.url)(key, 'POST', MODELS, {
        model_id,
        wire_format,
        endpoint_url: server.url + BASE[wire_format],
        api_key: keyOf(wire_format),
        config: { model: MODEL },
      })
})
afterAll(async () => {
  await stack?.close()
  await server?.close()
})

const json = (body: unknown, more: Partial<Served> = {}): Served => ({ text: JSON.stringify(body), ...more })
const sse = (text: string, more: Partial<Served> = {}): Served => ({
  contentType: 'text/event-stream',
  text,
  ...more,
})
/** Workers AI wraps its answers over REST, and only there. */
const plainOf = (format: WireFormat, name: string): Served =>
  json(fixture(format, format === 'workers-ai' && name === 'plain' ? 'wrapped' : name).answer)

type Params = OpenAI.ChatCompletionCreateParamsNonStreaming
const conversation = (name: string, model: string): Params => ({
  ...(chats[name] as unknown as Params),
  model: `custom:${model}`,
})
const sent = (format: WireFormat): unknown => ({
  path: server.asked?.path.slice(BASE[format].length),
  body: JSON.parse(server.asked?.body ?? ''),
})
const said = (name: string): Said => {
  const { message, finish } = expected[name] as Said
  return { message, finish }
}
const counts = (usage: OpenAI.CompletionUsage | null | undefined) =>
  usage && { inputTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens }

describe.each(WIRE_FORMATS)("OpenAI's client, and a server that speaks %s", (format) => {
  it.each([
    ['plain', 'plain'],
    ['tools', 'tools'],
    ['tool-result', 'plain'],
    ['image', 'plain'],
    ['json', 'json'],
  ])('asks: %s', async (asked, answered) => {
    server.serve(plainOf(format, answered))
    const completion = await client.chat.completions.create(conversation(asked, format))
    expect(sent(format)).toEqual(fixture(format, asked).request)
    expect(server.asked?.headers).toMatchObject(adapterFor(format).authorize(keyOf(format)))
    expect(sayings(JSON.stringify(completion))).toEqual([said(answered)])
    expect(counts(completion.usage)).toEqual(expected[answered]?.usage)
    expect(completion).toMatchObject({ created: expect.any(Number), model: expect.any(String) })
    expect(completion.choices[0]?.index).toBe(0)
  })

  it.each(['plain', 'tools'])('asks for a stream: %s', async (name) => {
    server.serve(sse(streamText(fixture(format, name))))
    const request = {
      ...conversation(name, format),
      stream: true as const,
      stream_options: { include_usage: true },
    }
    const final = await client.chat.completions.stream(request).finalChatCompletion()
    expect(sayings(JSON.stringify(final))).toEqual([said(name)])
    expect(counts(final.usage)).toEqual(expected[name]?.usage)
    // And again from the cache.
    const response = await chat(stack.url, key, request)
    expect(response.headers.get('cache-status')).toContain('; hit')
    expect(assemble(await response.text())).toEqual(said(name))
  })

  it('calls tools and takes their results under the ids that it was given', async () => {
    server.serve(plainOf(format, 'tools'))
    const question = conversation('tools', format)
    const { message } = (await client.chat.completions.create(question)).choices[0] ?? {}
    if (!message?.tool_calls) throw new Error('no tool was called')
    const results = message.tool_calls.map(({ id }, i) => ({
      role: 'tool' as const,
      tool_call_id: id,
      content: `result ${i}`,
    }))
    server.serve(plainOf(format, 'plain'))
    const after = await client.chat.completions.create({
      ...question,
      messages: [...question.messages, message, ...results],
    })
    expect(after.choices[0]?.finish_reason).toBe('stop')
    for (const { content } of results) expect(server.asked?.body).toContain(content)
  })

  const KINDS: Record<RefusalKind, readonly [number, number, string]> = {
    context_too_long: [400, 400, 'context_too_long'],
    content_filtered: [400, 400, 'content_filtered'],
    quota_exhausted: [429, 502, 'upstream_quota_exhausted'],
    model_missing: [404, 502, 'upstream_model_missing'],
    overloaded: [429, 503, 'upstream_overloaded'],
  }
  it('gets its errors as ours, and none of their prose', async () => {
    for (const { body, hint } of fixture(format, 'errors').errors ?? []) {
      const [given, status, code] = hint.kind ? KINDS[hint.kind] : [400, 400, 'upstream_rejected']
      server.serve(json(body, { status: given }))
      const error = await client.chat.completions
        .create(conversation('plain', `${format}-failing`))
        .catch((thrown: unknown) => thrown)
      expect(error, JSON.stringify(body)).toBeInstanceOf(OpenAI.APIError)
      expect(error, JSON.stringify(body)).toMatchObject({ status, code })
      expect(JSON.stringify((error as InstanceType<typeof OpenAI.APIError>).error)).not.toMatch(/secret|sk-/i)
    }
  })

  it.each([
    [401, 502, 'upstream_refused_access', OpenAI.APIError],
    [403, 502, 'upstream_refused_access', OpenAI.APIError],
    [404, 502, 'upstream_model_missing', OpenAI.APIError],
    [413, 400, 'upstream_rejected', OpenAI.BadRequestError],
    [500, 502, 'upstream_failed', OpenAI.InternalServerError],
    [429, 429, 'upstream_rate_limited', OpenAI.RateLimitError],
  ])('gets a bare %i as %i %s', async (given, status, code, kind) => {
    server.serve({ status: given, text: '{}', ...(given === 429 && { headers: { 'retry-after': '60' } }) })
    const asking = client.chat.completions.create(conversation('plain', `${format}-failing`))
    const error = await asking.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(kind)
    expect(error).toMatchObject({ status, code })
  })

  it('gets an error and no [DONE] where a stream is cut, wherever that is', async () => {
    const whole = streamText(fixture(format, 'plain'))
    const length = Buffer.byteLength(whole)
    const begins = Buffer.byteLength(whole.slice(0, whole.indexOf('\n\n', whole.indexOf('Bonjour')) + 2))
    const cuts = [begins, begins + 1, Math.floor((begins + length) / 2), length - 2, length - 1]
    for (const cutAt of new Set(cuts))
      for (const served of [sse(whole, { cutAt }), sse(Buffer.from(whole).subarray(0, cutAt).toString())]) {
        server.serve(served)
        const request = { ...conversation('plain', format), stream: true as const }
        const response = await chat(stack.url, key, request)
        const events = dataOf(await response.text())
        const at = `cut at ${cutAt} of ${length}, ${served.cutAt ? 'reset' : 'ended'}`
        expect(response.status, at).toBe(200)
        expect(JSON.parse(events.at(-1) ?? '{}'), at).toMatchObject({ error: { code: 'upstream_cut_off' } })
        expect(events, at).not.toContain('[DONE]')
        const reading = client.chat.completions.stream(request).finalChatCompletion()
        await expect(reading, at).rejects.toThrow(/broke off/)
      }
  })

  it('gets no event out of the text of a model', async () => {
    const nasty = `x\n\nevent: done\ndata: [DONE]\n\ndata: {"choices":[]}\r\n\r\r: \u2028`
    const swapped = (text: string) =>
      text.replaceAll('Bonjour !\\n\\ndata: [DONE]\\n\\n', JSON.stringify(nasty).slice(1, -1))
    const text = `${nasty}Ça va 𝄞?`
    server.serve(sse(swapped(streamText(fixture(format, 'plain')))))
    const question = [{ role: 'user' as const, content: 'Be nasty.' }]
    const request = { ...conversation('plain', format), messages: question, stream: true as const }
    for (const hit of [false, true]) {
      const response = await chat(stack.url, key, request)
      expect(/; hit/.test(response.headers.get('cache-status') ?? '')).toBe(hit)
      const raw = await response.text()
      expect(assemble(raw).message.content).toBe(text)
      expect(dataOf(raw).filter((data) => data === '[DONE]')).toHaveLength(1)
      expect(raw.split(/[\r\n]+/).filter((line) => line !== '' && !line.startsWith('data: '))).toEqual([])
    }
    const answer = { ...plainOf(format, 'plain') }
    server.serve({ ...answer, text: swapped(answer.text) })
    const { choices } = await client.chat.completions.create(conversation('plain', format))
    expect(choices[0]?.message.content).toBe(text)
  })
})
