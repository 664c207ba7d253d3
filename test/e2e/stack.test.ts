import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chatBody } from '../support/slots.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

let stack: Stack
let key: string
let client: OpenAI

const connect = () => new OpenAI({ baseURL: `${stack.url}/v1`, apiKey: key, maxRetries: 0 })

beforeAll(async () => {
  stack = await startStack()
  key = await stack.key('acme', 'paid')
  client = connect()
})
afterAll(() => stack?.close())

const ask = (text: string) => ({ model: 'sim-small', messages: [{ role: 'user' as const, content: text }] })
const TOOL = {
  type: 'function' as const,
  function: {
    name: 'weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', enum: ['Bern'] } },
      required: ['city'],
    },
  },
}

describe('the official OpenAI client', () => {
  it('gets a plain answer, and the same to the letter from the cache', async () => {
    const first = await client.chat.completions.create(ask('plain')).withResponse()
    const second = await client.chat.completions.create(ask('plain')).withResponse()
    expect(first.data.choices[0]?.message.content).toContain('simulated provider')
    expect(second.data).toEqual(first.data)
    expect(first.response.headers.get('cache-status')).not.toContain('hit')
    expect(second.response.headers.get('cache-status')).toMatch(/beast-memory; hit; ttl=\d+; detail=exact/)
    expect(Number(second.response.headers.get('age'))).toBeGreaterThanOrEqual(0)
  })

  it('gets a stream with usage, and the same stream from the cache', async () => {
    const request = { ...ask('streamed'), stream: true as const, stream_options: { include_usage: true } }
    const read = async () => {
      const { data, response } = await client.chat.completions.create(request).withResponse()
      const chunks = []
      for await (const chunk of data) chunks.push(chunk)
      return {
        chunks,
        status: response.headers.get('cache-status'),
        type: response.headers.get('content-type'),
      }
    }
    const first = await read()
    const second = await read()
    expect(first.chunks.length).toBeGreaterThan(5)
    expect(first.chunks.at(-1)?.usage?.total_tokens).toBeGreaterThan(0)
    expect(second.chunks).toEqual(first.chunks)
    expect(second.status).toContain('; hit;')
    expect(second.type).toContain('text/event-stream')
  })

  it.each([false, true])('calls a tool and takes its result (stream: %s)', async (stream) => {
    const question = { ...ask(`weather ${stream}`), tools: [TOOL] }
    const runner = stream
      ? await client.chat.completions.stream(question).finalChatCompletion()
      : await client.chat.completions.create(question)
    const message = runner.choices[0]?.message
    const call = message?.tool_calls?.[0]
    if (call?.type !== 'function' || !message) throw new Error('no tool was called')
    expect(call.function.name).toBe('weather')
    expect(JSON.parse(call.function.arguments)).toEqual({ city: 'Bern' })
    const result = { role: 'tool' as const, tool_call_id: call.id, content: 'sunny' }
    const after = await client.chat.completions.create({
      ...question,
      messages: [...question.messages, message, result],
    })
    expect(after.choices[0]?.finish_reason).toBe('stop')
  })

  it('gets n answers, JSON by schema, and models', async () => {
    const many = await client.chat.completions.create({ ...ask('many'), n: 3 })
    expect(many.choices).toHaveLength(3)
    const schema = { type: 'object', properties: { count: { type: 'integer' } }, required: ['count'] }
    const shaped = await client.chat.completions.create({
      ...ask('shaped'),
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
    })
    expect(JSON.parse(shaped.choices[0]?.message.content ?? '').count).toBeTypeOf('number')
    const models = await client.models.list()
    expect(models.data.map((model) => model.id)).toContain('simulated:sim-small')
    expect((await client.models.retrieve('simulated:sim-small')).owned_by).toBe('simulated')
    await expect(client.models.retrieve('nothing')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    })
  })

  it("passes unknown fields on, and none of the caller's headers", async () => {
    await chat(stack.url, key, chatBody('unknown', { brand_new: { deep: [1] } }), {
      cookie: 'a=b',
      'x-tenant-id': 'evil',
    })
    const sent = stack.provider.requests.at(-1)
    expect(JSON.parse(sent?.body ?? '')).toMatchObject({ brand_new: { deep: [1] }, model: 'sim-small' })
    expect(sent?.headers).not.toHaveProperty('cookie')
    expect(sent?.headers).not.toHaveProperty('x-tenant-id')
    expect(sent?.headers.authorization).toBeUndefined()
  })
})

describe('the cache', () => {
  const status = async (body: unknown, headers: Record<string, string> = {}, as = key) => {
    const response = await chat(stack.url, as, body, headers)
    await response.text()
    return `${response.status} ${response.headers.get('cache-status')}`
  }

  it('is never shared by two tenants', async () => {
    const other = await stack.key('rival', 'paid')
    await status(chatBody('shared?'))
    expect(await status(chatBody('shared?'), {}, other)).not.toContain('hit')
    expect(await status(chatBody('shared?'), {}, other)).toContain('hit')
  })

  it('does as Cache-Control and x-beast-cache say', async () => {
    const body = chatBody('controlled')
    expect(await status(body, { 'cache-control': 'only-if-cached' })).toMatch(/^504/)
    expect(await status(body, { 'cache-control': 'no-store' })).toBe('200 beast; fwd=bypass')
    expect(await status(body)).not.toContain('hit')
    expect(await status(body, { 'cache-control': 'only-if-cached' })).toContain('hit')
    expect(await status(body, { 'cache-control': 'no-cache' })).toBe('200 beast; fwd=bypass')
    expect(await status(body, { 'cache-control': 'max-age=600' })).toContain('hit')
    expect(await status(body, { 'cache-control': 'max-age=0' })).toBe('200 beast; fwd=bypass')
    expect(await status(body, { 'cache-control': 'max-age=soon' })).toMatch(/^400/)
    expect(await status(body, { 'x-beast-cache': 'magic' })).toMatch(/^400/)
    await status(chatBody('short'), { 'x-beast-cache': 'ttl=30' })
    const ttl = /ttl=(\d+)/.exec(await status(chatBody('short')))?.[1]
    expect(Number(ttl)).toBeLessThanOrEqual(30)
  })

  it('keeps nothing that failed, was cut, or was refused', async () => {
    for (const fault of [
      'status=500',
      'status=400',
      'error=error200',
      'error=html',
      'error=empty',
      'error=cut at=100',
      'error=refusal',
      'error=content_filter',
      'error=no_finish',
    ]) {
      const body = chatBody(`[[sim: ${fault}]]`)
      await status(body)
      expect(await status(body), fault).not.toContain('hit')
    }
    for (const fault of [
      'error=cut at=700',
      'error=no_done',
      'error=bad_json',
      'error=no_finish',
      'error=refusal',
      'error=html',
    ]) {
      const body = chatBody(`[[sim: ${fault}]]`, { stream: true })
      await status(body)
      expect(await status(body), `stream ${fault}`).not.toContain('hit')
    }
  })

  it('serves the same call after a restart, from a lower tier, and promotes it', async () => {
    const body = chatBody('survives')
    await status(body)
    // Written in the background: wait for the row to be there.
    await expect
      .poll(async () => (await stack.supabase.sql('select key from llm_cache')).length)
      .toBeGreaterThan(0)
    stack = await stack.restart()
    client = connect()
    expect(await status(body)).toMatch(/beast-(redis|supabase); hit/)
    await expect.poll(() => status(body)).toContain('beast-memory; hit')
  })

  it('stores nothing readable', async () => {
    await status(chatBody('canary-4711'))
    await expect
      .poll(async () => (await stack.supabase.sql('select key from llm_cache')).length)
      .toBeGreaterThan(0)
    const dump = JSON.stringify(await stack.supabase.sql('select * from llm_cache'))
    expect(dump).not.toContain('canary')
    expect(dump).not.toContain('simulated provider')
    expect(JSON.stringify(await stack.supabase.sql('select * from virtual_keys'))).not.toContain('bm_live_')
  })
})

describe('keys', () => {
  it('stops a revoked key from spending at once, and from everything within its bound', async () => {
    const { id, key: doomed } = await stack.admin.create('doomed', 'paid')
    expect((await chat(stack.url, doomed, chatBody('before'))).status).toBe(200)
    expect((await stack.admin.revoke(id)).effective_within_seconds).toBe(90)
    const after = await chat(stack.url, doomed, chatBody('after'))
    expect(after.status).toBe(401)
    expect(await after.json()).toMatchObject({ error: { type: 'authentication_error', fault: 'caller' } })
    expect((await stack.admin.list('doomed'))[0]?.revoked_at).not.toBeNull()
  })

  it('refuses the plan what is not in it, and lists what is', async () => {
    const free = await stack.key('frugal', 'free')
    expect((await chat(stack.url, free, chatBody('free of charge'))).status).toBe(200)
    expect((await stack.admin.list('frugal'))[0]).toMatchObject({ tenant: 'frugal', plan: 'free' })
  })

  it.each([
    ['GET', '/keys'],
    ['POST', '/keys'],
    ['DELETE', '/keys/00000000-0000-4000-8000-000000000000'],
  ])('opens %s /api/admin%s to the operator only', async (method, path) => {
    for (const authorization of [
      undefined,
      'Bearer ',
      `Bearer ${key}`,
      'Bearer wrong',
      `Basic ${btoa('a:b')}`,
    ]) {
      const headers = new Headers(authorization === undefined ? {} : { authorization })
      const response = await fetch(`${stack.url}/api/admin${path}`, { method, headers })
      expect(response.status).toBe(401)
      expect(await response.json()).toHaveProperty('error.tip')
    }
  })
})

describe('health', () => {
  it('answers, and shows the stores to the operator only', async () => {
    expect((await fetch(`${stack.url}/healthz`)).status).toBe(200)
    const ready = await fetch(`${stack.url}/readyz`)
    expect(await ready.json()).toEqual({ ready: true })
    const asOperator = await fetch(`${stack.url}/readyz`, {
      headers: { authorization: `Bearer ${'o'.repeat(43)}` },
    })
    expect(await asOperator.json()).toMatchObject({ stores: { kv: 'up', redis: 'up', supabase: 'up' } })
    const page = await fetch(`${stack.url}/`)
    expect(await page.text()).toContain('BEAST MODE Edge')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  it('counts every request once', async () => {
    const counts = async () => {
      const response = await fetch(`${stack.url}/readyz`, {
        headers: { authorization: `Bearer ${'o'.repeat(43)}` },
      })
      const { isolate } = (await response.json()) as {
        isolate: { requests: { total: number; outcome: Record<string, number> } }
      }
      return isolate.requests
    }
    const before = await counts()
    await (await chat(stack.url, key, chatBody('counted'))).text()
    await (await chat(stack.url, key, chatBody('counted'))).text()
    await (await chat(stack.url, key, '{')).text()
    await (await chat(stack.url, undefined, chatBody('counted'))).text()
    await (await chat(stack.url, key, chatBody('[[sim: status=500]]'))).text()
    await (await chat(stack.url, key, chatBody('[[sim: error=cut at=700]]', { stream: true }))).text()
    await expect.poll(async () => (await counts()).total - before.total).toBe(6)
    const { outcome } = await counts()
    const gained = Object.fromEntries(
      Object.entries(outcome).map(([name, count]) => [name, count - (before.outcome[name] ?? 0)]),
    )
    expect(gained).toEqual({ success: 2, client_error: 2, error: 2, cancelled: 0 })
  })
})
