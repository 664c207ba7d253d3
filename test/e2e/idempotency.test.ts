import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chatBody } from '../support/slots.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

interface Counts {
  readonly total: number
  readonly cache: Readonly<Record<string, number>>
}

let stack: Stack
let key: string

beforeAll(async () => {
  stack = await startStack()
  key = await stack.key('acme', 'paid')
})
afterAll(() => stack?.close())

const upstream = () => stack.provider.requests.filter(({ method }) => method === 'POST').length
/** The option `idempotencyKey` is sent only by a client that names the header. */
class Repeatable extends OpenAI {
  protected override idempotencyHeader = 'Idempotency-Key'
}

/** Bypasses the cache, so that only the key can spare a call. */
const FRESH = { 'cache-control': 'no-store' }

async function send(
  idempotencyKey: string,
  body: unknown,
  as = key,
  headers: Record<string, string> = FRESH,
) {
  const response = await chat(stack.url, as, body, { 'idempotency-key': idempotencyKey, ...headers })
  return {
    status: response.status,
    text: await response.text(),
    type: response.headers.get('content-type'),
    replayed: response.headers.get('idempotency-replayed'),
    shouldRetry: response.headers.get('x-should-retry'),
  }
}

/** What the isolate counted since it started. */
async function counted(): Promise<Counts> {
  return (await stack.admin.request<{ isolate: { requests: Counts } }>('GET', '/readyz')).isolate.requests
}

describe('one key', () => {
  it.each([false, true])(
    'sent 50 times at once and later: one call, one body (stream: %s)',
    async (stream) => {
      const body = chatBody(`[[sim: latency=300]] fifty ${stream}`, { stream })
      const before = upstream()
      const seen = await counted()
      const answers = await Promise.all(Array.from({ length: 50 }, () => send(`fifty-${stream}`, body)))
      const later = await send(`fifty-${stream}`, body)
      expect(upstream() - before).toBe(1)
      expect(new Set([...answers, later].map(({ text }) => text)).size).toBe(1)
      expect(new Set([...answers, later].map(({ type }) => type)).size).toBe(1)
      expect(answers[0]?.text).toContain(stream ? 'data: [DONE]' : 'simulated provider')
      expect(answers.filter(({ replayed }) => replayed === null)).toHaveLength(1)
      expect(later).toMatchObject({ status: 200, replayed: 'true' })
      const now = await counted()
      expect(now.total - seen.total).toBe(51)
      expect((now.cache.bypass ?? 0) - (seen.cache.bypass ?? 0)).toBe(1)
    },
  )

  it('remembers an answer of the cache too, and holds beyond it', async () => {
    const body = chatBody('cached before')
    await (await chat(stack.url, key, body)).text()
    const before = upstream()
    const first = await send('from-the-cache', body, key, {})
    const again = await send('from-the-cache', body)
    expect(again).toMatchObject({ text: first.text, replayed: 'true' })
    expect(upstream() - before).toBe(0)
  })

  it('with another body is a conflict that no client repeats', async () => {
    await send('conflict', chatBody('one'))
    const before = upstream()
    const other = await send('conflict', chatBody('two'))
    expect(other).toMatchObject({ status: 409, shouldRetry: 'false' })
    expect(JSON.parse(other.text).error).toMatchObject({
      code: 'idempotency_conflict',
      param: 'Idempotency-Key',
      fault: 'caller',
    })
    expect(upstream() - before).toBe(0)
  })

  it('of another tenant is another key', async () => {
    const rival = await stack.key('rival', 'paid')
    const body = chatBody('whose?')
    await send('shared-name', body)
    const before = upstream()
    expect(await send('shared-name', body, rival)).toMatchObject({ status: 200, replayed: null })
    expect(await send('shared-name', chatBody('own'), rival)).toMatchObject({ status: 409 })
    expect(upstream() - before).toBe(1)
  })

  it('of a second key of the same tenant is the same', async () => {
    const second = await stack.key('acme', 'paid')
    const first = await send('same-tenant', chatBody('ours'))
    expect(await send('same-tenant', chatBody('ours'), second)).toMatchObject({
      text: first.text,
      replayed: 'true',
    })
  })

  it('whose request failed after it may have been billed fails again, at no cost', async () => {
    const body = chatBody('[[sim: status=500]]')
    const before = upstream()
    const first = await send('failed', body)
    const called = upstream() - before
    const again = await send('failed', body)
    expect(first).toMatchObject({ status: 502, shouldRetry: 'false', replayed: null })
    expect(again).toMatchObject({ status: 502, shouldRetry: 'false', replayed: 'true', text: first.text })
    expect(upstream() - before).toBe(called)
  })

  it.each([
    ['provider', chatBody('[[sim: status=400]]')],
    ['door', { model: 'sim-small' }],
  ])('whose request the %s turned away may be used again', async (what, bad) => {
    expect(await send(what, bad)).toMatchObject({ status: 400, replayed: null })
    expect(await send(what, chatBody(`corrected: ${what}`))).toMatchObject({ status: 200, replayed: null })
  })

  it('that is none is refused with the name of the header', async () => {
    const refused = await send('two words', chatBody('x'))
    expect(refused.status).toBe(400)
    expect(JSON.parse(refused.text).error).toMatchObject({ code: 'invalid_header', param: 'Idempotency-Key' })
  })

  it('serves the official client, by header or by its own option', async () => {
    const client = new Repeatable({ baseURL: `${stack.url}/v1`, apiKey: key, defaultHeaders: FRESH })
    const request = { model: 'sim-small', messages: [{ role: 'user' as const, content: 'by the client' }] }
    const before = upstream()
    const options = { headers: { 'Idempotency-Key': 'client-1' } }
    const [one, two] = await Promise.all([
      client.chat.completions.create(request, options),
      client.chat.completions.create(request, options),
    ])
    const { data, response } = await client.chat.completions.create(request, options).withResponse()
    expect([two, data]).toEqual([one, one])
    expect(response.headers.get('idempotency-replayed')).toBe('true')
    const streamed = { ...request, stream: true as const }
    const read = async () => {
      const chunks = []
      for await (const chunk of await client.chat.completions.create(streamed, {
        idempotencyKey: 'client-2',
      }))
        chunks.push(chunk)
      return chunks
    }
    const first = await read()
    expect(first.length).toBeGreaterThan(3)
    expect(await read()).toEqual(first)
    expect(upstream() - before).toBe(2)
    const error = await client.chat.completions.create(streamed, options).catch((error) => error)
    expect(error).toMatchObject({ status: 409, code: 'idempotency_conflict' })
  })
})
