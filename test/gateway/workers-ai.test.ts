import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { productionPolicy } from '../../src/providers/address-policy.ts'
import { createFetch } from '../../workers/gateway/app.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { configuredProviders } from '../../workers/gateway/providers.ts'
import { WORKERS_AI_MODELS, withWorkersAi } from '../../workers/gateway/workers-ai.ts'
import { type FakeWorkersAi, fakeWorkersAi } from '../support/fake-workers-ai.ts'
import { type NodeGateway, nodeGateway } from '../support/node-gateway.ts'
import { fixture, streamText } from '../support/provider-fixtures.ts'
import { startTestRedis, startTestSupabase, type TestRedis } from '../support/stores.ts'

// The whole gateway over a binding that stands for `env.AI`.

const MODEL = '@cf/zai-org/glm-4.7-flash'

let supabase: EmbeddedSupabase
let redis: TestRedis
let ai: FakeWorkersAi
let gateway: NodeGateway
let paid: string
let free: string
let asked = 0

beforeAll(async () => {
  ;[supabase, redis] = await Promise.all([startTestSupabase(), startTestRedis()])
  const { directory } = isolate(fakeWorkersAi()).services
  paid = (await directory.create('paying', 'paid', null)).key
  free = (await directory.create('not-paying', 'free', null)).key
})
afterAll(() => Promise.all([supabase?.close(), redis?.close()]))
beforeEach(() => {
  ai = fakeWorkersAi()
  gateway = isolate(ai)
})

function isolate(binding: FakeWorkersAi): NodeGateway {
  const held = new Map<string, string>()
  return nodeGateway({
    kv: {
      get: async (key) => held.get(key) ?? null,
      put: async (key, value) => void held.set(key, value),
      delete: async (key) => void held.delete(key),
    },
    redisUrl: redis.url,
    supabaseUrl: supabase.url,
    supabaseKey: supabase.secretKey,
    providerUrl: '',
    vars: { AI: binding },
  })
}

const ask = (more: object = {}, key = paid) =>
  gateway.chat(key, {
    model: `workers-ai:${MODEL}`,
    messages: [{ role: 'user', content: `question ${asked++}` }],
    ...more,
  })
const errorOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string; fault: string; context?: object } }
  return [response.status, error.code, error.fault]
}

describe('Workers AI', () => {
  it.each([
    ['as the binding has it', () => fixture('workers-ai', 'plain').answer],
    ['as the REST API wraps it', () => fixture('workers-ai', 'wrapped').answer],
    ["in OpenAI's form", () => fixture('openai', 'plain').answer],
  ])('answers plainly, %s', async (_, answer) => {
    ai.serve(() => Response.json(answer()))
    const response = await ask({ temperature: 0.5 })
    const body = (await response.json()) as { object: string; choices: { message: { content: string } }[] }
    expect([response.status, body.object]).toEqual([200, 'chat.completion'])
    expect(body.choices[0]?.message.content).not.toBe('')
    expect(ai.calls).toHaveLength(1)
    expect(ai.calls[0]).toMatchObject({
      model: MODEL,
      inputs: { messages: [{ role: 'user' }], temperature: 0.5 },
      options: { returnRawResponse: true, signal: expect.any(AbortSignal) },
    })
  })

  it.each(['text/event-stream', 'text/plain', ''])(
    'streams, whatever type its stream has: "%s"',
    async (type) => {
      const text = streamText(fixture('workers-ai', 'plain'))
      ai.serve(() => new Response(text, { headers: type ? { 'content-type': type } : {} }))
      const response = await ask({ stream: true })
      expect(response.headers.get('content-type')).toContain('text/event-stream')
      const streamed = await response.text()
      expect(streamed).toContain('"chat.completion.chunk"')
      expect(streamed).toContain('[DONE]')
      expect(ai.calls[0]?.inputs).toMatchObject({ stream: true })
    },
  )

  const rest = (code: number) => ({ success: false, errors: [{ code, message: 'x' }], result: {} })
  const own = (code: number) => ({ internalCode: code, name: 'AiError', description: 'x' })
  it.each([
    [3036, 429, 502, 'upstream_quota_exhausted'],
    [3040, 429, 503, 'upstream_overloaded'],
    [5007, 400, 502, 'upstream_model_missing'],
    [3042, 404, 502, 'upstream_model_missing'],
    [5021, 400, 400, 'context_too_long'],
    [3006, 413, 400, 'upstream_rejected'],
    [3007, 408, 504, 'upstream_timeout'],
    [5016, 403, 502, 'upstream_refused_access'],
    [5006, 400, 400, 'upstream_rejected'],
    [9999, 429, 429, 'upstream_rate_limited'],
    [9999, 500, 502, 'upstream_failed'],
  ])(
    '%i with status %i becomes %i %s',
    async (code, status, ours, expected) => {
      for (const body of [rest(code), own(code)]) {
        gateway = isolate(ai)
        ai.serve(() => Response.json(body, { status }))
        expect((await errorOf(await ask())).slice(0, 2)).toEqual([ours, expected])
      }
      // As the binding throws it. A code that is not the platform's says nothing.
      if (code === 9999) return
      for (const prefix of ['', 'AiError: ', 'InferenceUpstreamError: AiError: ']) {
        gateway = isolate(ai)
        ai.serve(() => Promise.reject(new Error(`${prefix}${code}: for reasons of its own, 3040 times`)))
        expect((await errorOf(await ask())).slice(0, 2)).toEqual([ours, expected])
      }
    },
    60_000,
  )

  it.each([
    ['Network connection lost.', 'upstream_unreachable'],
    ['3099: something new', 'upstream_failed'],
    ['of 3040 things none: worked', 'upstream_unreachable'],
  ])('that throws "%s" is the provider\'s fault, and its words stay inside', async (message, code) => {
    ai.serve(() => Promise.reject(new Error(message)))
    const response = await ask()
    const text = await response.clone().text()
    expect(await errorOf(response)).toEqual([502, code, 'provider'])
    expect(text).not.toContain(message)
    expect(JSON.parse(text).error.context).not.toHaveProperty('host')
  })

  it('that breaks off ends in an error event', async () => {
    const text = streamText(fixture('workers-ai', 'broken-stream'))
    ai.serve(() => new Response(text, { headers: { 'content-type': 'text/event-stream' } }))
    const streamed = await (await ask({ stream: true })).text()
    expect(streamed).not.toContain('[DONE]')
    expect(streamed).toContain('upstream_cut_off')
  })

  it('gives way to the next model while nothing has gone out', async () => {
    const [tenant] = await supabase.sql<{ id: string }>(`select id from tenants where name = 'paying'`)
    const targets = WORKERS_AI_MODELS.map((model) => ({ model: `workers-ai:${model}`, weight: 1 }))
    await gateway.services.models.store.putAlias({
      tenantId: tenant?.id ?? '',
      name: 'in-turn',
      kind: 'fallback',
      targets,
    })
    ai.serve(() =>
      ai.calls.length === 1
        ? Response.json(own(3042), { status: 404 })
        : Response.json({ response: 'Second.' }),
    )
    const response = await ask({ model: 'in-turn' })
    expect(await response.text()).toContain('Second.')
    expect(ai.calls.map(({ model }) => model)).toEqual(WORKERS_AI_MODELS.slice(0, 2))
  })

  it('is for the paid plan', async () => {
    expect(await errorOf(await ask({}, free))).toEqual([402, 'plan_required', 'caller'])
    expect(await errorOf(await ask({ model: MODEL }, free))).toEqual([402, 'plan_required', 'caller'])
    expect(ai.calls).toEqual([])
  })
})

describe('its models', () => {
  const offered = (vars: object) =>
    configuredProviders(vars as Parameters<typeof configuredProviders>[0]).map(({ name, models }) => [
      name,
      models,
    ])

  it('are there with the binding only, and are those that the operator names', () => {
    expect(offered({})).toEqual([])
    expect(offered({ AI: ai })).toEqual([['workers-ai', WORKERS_AI_MODELS]])
    expect(offered({ AI: ai, WORKERS_AI_MODELS: ' ,' })).toEqual([['workers-ai', WORKERS_AI_MODELS]])
    expect(offered({ AI: ai, WORKERS_AI_MODELS: '@cf/a/b, @hf/c/d' })).toEqual([
      ['workers-ai', ['@cf/a/b', '@hf/c/d']],
    ])
  })

  it.each(['@cf/a/b', '@hf/c/d e%f', 'm?x=1#y'])('are asked for under their very name: %s', async (name) => {
    const { workersAi } = await import('../../src/providers/adapters/workers-ai/index.ts')
    const transport = withWorkersAi(() => Promise.reject(new Error('not the network')), ai)
    const { path, body } = workersAi.request({ messages: [] }, name)
    await transport(`workers-ai:${path}`, { body })
    expect(ai.calls[0]?.model).toBe(name)
  })
})

describe('the comparison of models', () => {
  const compare = async (key: string, id = '') => {
    const handle = createFetch(() => gateway.services)
    const request = new Request(`http://gateway/api/models${id}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    const response = await handle(request, {} as Env, { waitUntil: () => {} } as unknown as ExecutionContext)
    // biome-ignore lint/suspicious/noExplicitAny: read as the test expects it
    return { status: response.status, body: (await response.json()) as any }
  }

  it('shows a free plan no model that has to be paid for', async () => {
    await ask()
    const ids = async (key: string) =>
      (await compare(key)).body.data.flatMap(({ id }: { id: string }) =>
        id.startsWith('workers-ai:') ? [id] : [],
      )
    expect(await ids(paid)).toEqual(WORKERS_AI_MODELS.map((model) => `workers-ai:${model}`))
    expect(await ids(free)).toEqual([])
    const id = `/workers-ai:${MODEL}`
    expect((await compare(paid, id)).body).toMatchObject({ source: 'provider', observed: { requests: 1 } })
    expect(await compare(free, id)).toMatchObject({ status: 402, body: { error: { code: 'plan_required' } } })
    expect((await compare(free, '/workers-ai:@cf/none')).status).toBe(404)
  })
})

describe('a tenant', () => {
  it.each(['workers-ai:', 'workers-ai:/@cf/a', 'workers-ai://127.0.0.1', 'WORKERS-AI:', ' workers-ai:'])(
    'cannot have the binding for an address: "%s"',
    (url) => {
      expect(() => productionPolicy().check(url)).toThrow('is refused')
    },
  )
})
