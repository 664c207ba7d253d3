import { describe, expect, it } from 'vitest'
import { createModel, type ModelManagement } from '../../src/models/manage.ts'
import { discover, probe } from '../../src/models/probe.ts'
import type { CustomModel, NewModel } from '../../src/models/registry.ts'
import { adapterFor } from '../../src/providers/adapters.ts'
import { developmentPolicy, guardedFetch } from '../../src/providers/address-policy.ts'
import type { Fetch } from '../../src/providers/fetch.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { customModel, loaded, TENANT_A } from '../support/model-rows.ts'

const CANARY = 'sk-canary-0123456789abcdef'
const ENDPOINT = 'http://127.0.0.1:8080/v1'
const TARGET = { endpointUrl: ENDPOINT, format: 'openai', apiKey: CANARY } as const
const GOOD = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: 'OK' }, finish_reason: 'stop' }],
})

function setUp(fetch: Fetch) {
  const clock = fakeClock()
  const policy = developmentPolicy({ loopback: ['127.0.0.1:8080'] })
  return { clock, policy, fetch: guardedFetch(fetch, policy), adapterFor }
}
const answering = (status: number, body = '', headers: Record<string, string> = {}) =>
  setUp(async () => new Response(body, { status, headers }))

describe('a probe', () => {
  it.each([
    [200, GOOD, true, '2xx', 'call it by its name'],
    [200, '<!doctype html><title>Welcome</title>', false, '2xx', 'base URL'],
    [200, `{"error":{"message":"${CANARY}"}}`, false, '2xx', 'base URL'],
    [401, `{"error":{"message":"bad key ${CANARY}"}}`, false, '4xx', 'API key'],
    [404, CANARY, false, '4xx', 'config.model'],
    [422, CANARY, false, '4xx', 'config.model'],
    [429, CANARY, false, '4xx', 'too often'],
    [500, CANARY, false, '5xx', 'later'],
    [200, 'x'.repeat(300_000), false, 'none', 'no answer came'],
  ])('of an endpoint that answers %i %.20s', async (status, body, ok, statusClass, tip) => {
    const report = await probe(answering(status, body), TARGET, 'm')
    expect(report).toMatchObject({ ok, status_class: statusClass, tip: expect.stringContaining(tip) })
    expect(JSON.stringify(report)).not.toContain(CANARY)
  })

  it('of an endpoint that hangs ends after 20 s, and the connection with it', async () => {
    let signal: AbortSignal | null | undefined
    const services = setUp((_, init) => {
      signal = init.signal
      return new Promise(() => {})
    })
    const report = probe(services, TARGET, 'm')
    await services.clock.advance(20_000)
    expect(await report).toMatchObject({ ok: false, status_class: 'none', latency_ms: 20_000 })
    expect(signal?.aborted).toBe(true)
  })

  it('does not take the refusal of a limit for a refusal of the model', async () => {
    const bodies: string[] = []
    const services = setUp(async (_, init) => {
      bodies.push(String(init.body))
      return String(init.body).includes('max_tokens')
        ? new Response('{}', { status: 400 })
        : new Response(GOOD)
    })
    expect(await probe(services, TARGET, 'o9')).toMatchObject({ ok: true })
    expect(bodies).toHaveLength(2)
  })

  it.each([301, 302, 307, 308])('follows no redirect (%i): the key goes nowhere else', async (status) => {
    const urls: string[] = []
    const services = setUp(async (url) => {
      urls.push(url)
      return new Response(null, { status, headers: { location: 'http://169.254.169.254/' } })
    })
    await expect(probe(services, TARGET, 'm')).rejects.toMatchObject({ code: 'address_refused' })
    expect(urls).toEqual([`${ENDPOINT}/chat/completions`])
  })
})

describe('the models that an endpoint lists', () => {
  it('are read where it has a list, bounded, and nothing but names', async () => {
    const data = [{ id: 'a', context_length: 8_192 }, { id: 'b c' }, { id: 'x'.repeat(300) }, { id: 7 }]
    const more = Array.from({ length: 500 }, (_, i) => ({ id: `m${i}` }))
    const found = await discover(answering(200, JSON.stringify({ data: [...data, ...more] })), TARGET)
    expect(found?.[0]).toEqual({ id: 'a', contextTokens: 8_192 })
    expect(found).toHaveLength(200)
    expect(found?.every(({ id }) => /^[\x21-\x7e]{1,256}$/.test(id))).toBe(true)
  })

  it.each([404, 500])('are unknown where it answers %i', async (status) => {
    expect(await discover(answering(status, '{"data":[]}'), TARGET)).toBeUndefined()
  })

  it('are unknown where the format has no list, and nobody is asked', async () => {
    const services = setUp(async () => {
      throw new Error('asked')
    })
    expect(await discover(services, { ...TARGET, format: 'workers-ai' })).toBeUndefined()
  })
})

describe('what the list adds to a new model', () => {
  const create = async (data: object[], config = {}) => {
    const services: ModelManagement = {
      ...answering(200, JSON.stringify({ data })),
      newId: () => 'id',
      keys: {} as ModelManagement['keys'],
      store: {
        load: async () => loaded([]),
        create: async (model: NewModel): Promise<CustomModel> => customModel(model.modelId, model),
      } as unknown as ModelManagement['store'],
    }
    const request = { model_id: 'mine', endpoint_url: ENDPOINT, config }
    return (await createModel(services, { tenantId: TENANT_A, isOperator: false }, request)).model.config
  }

  it("the name of the only model there is, and a model's length", async () => {
    expect(await create([{ id: 'llama', context_length: 8_192 }])).toEqual({
      model: 'llama',
      context_tokens: 8_192,
    })
    expect(await create([{ id: 'mine', context_length: 10 }, { id: 'b' }])).toEqual({ context_tokens: 10 })
  })

  it('never against what was said, and no guess among several', async () => {
    expect(await create([{ id: 'llama', context_length: 8 }], { model: 'x', context_tokens: 9 })).toEqual({
      model: 'x',
      context_tokens: 9,
    })
    expect(await create([{ id: 'a' }, { id: 'b' }])).toEqual({})
  })
})
