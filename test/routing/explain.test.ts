import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import type { RequestEvent } from '../../src/routing/settlement.ts'
import { createFetch } from '../../workers/gateway/app.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { nodeGateway } from '../support/node-gateway.ts'
import { startTestRedis, startTestSupabase, type TestRedis } from '../support/stores.ts'

// What whoever keeps the record of a request learns of why its model was chosen.

let supabase: EmbeddedSupabase
let redis: TestRedis
let provider: SimulatedProvider
let key: string
let events: RequestEvent[]
let ask: (body: object) => Promise<Response>

beforeAll(async () => {
  ;[supabase, redis, provider] = await Promise.all([
    startTestSupabase(),
    startTestRedis(),
    startSimulatedProvider(),
  ])
  key = (await isolate().directory.create('acme', 'free', null)).key
})
afterAll(() => Promise.all([supabase?.close(), redis?.close(), provider?.close()]))

function isolate() {
  const held = new Map<string, string>()
  const kv = {
    get: async (name: string) => held.get(name) ?? null,
    put: async (name: string, value: string) => void held.set(name, value),
    delete: async (name: string) => void held.delete(name),
  }
  const { services } = nodeGateway({
    kv,
    redisUrl: redis.url,
    supabaseUrl: supabase.url,
    supabaseKey: supabase.secretKey,
    providerUrl: provider.url,
  })
  return services
}

beforeEach(() => {
  events = []
  const services = { ...isolate(), record: (event: RequestEvent) => void events.push(event) }
  const handle = createFetch(() => services)
  ask = async (body) => {
    const behind: Promise<unknown>[] = []
    const request = new Request('http://gateway/v1/chat/completions', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    })
    const ctx = { waitUntil: (promise: Promise<unknown>) => void behind.push(promise) }
    const response = await handle(request, {} as Env, ctx as unknown as ExecutionContext)
    await response.text()
    await Promise.allSettled(behind)
    return response
  }
})

const question = (model: string, content: string, more: object = {}) => ({
  model,
  messages: [{ role: 'user', content }],
  ...more,
})

describe('the record of a miss', () => {
  it.each([false, true])('can list candidates, scores and reasons (stream: %s)', async (stream) => {
    const text = `Write unit tests for this function in TypeScript, please (${stream}).`
    expect((await ask(question('auto', text, { stream }))).status).toBe(200)
    const [event] = events
    expect(event).toMatchObject({ cache: 'miss', outcome: 'success' })
    const record = event?.explain?.()
    expect(record).toMatchObject({ task: 'testing', inputTokens: expect.any(Number) })
    const ids = record?.candidates.map(({ id }) => id) ?? []
    expect(ids).toContain('custom:beast-mode-code-generator')
    expect(ids).toContain('simulated:sim-small')
    // In the order of trying: the answer came from the first.
    expect(event?.attempts[0]?.routeId).toBe(ids[0])
    for (const { id, rank, score, reasons, excluded } of record?.candidates ?? []) {
      expect([id, typeof rank, typeof score, excluded]).toEqual([id, 'number', 'number', null])
      expect(reasons).toContain(id.startsWith('custom:') ? 'public_custom' : 'provider_on_plan')
    }
    // Asked again it says the same.
    expect(event?.explain?.()).toEqual(record)
  })

  it('is there when every model failed, too', async () => {
    expect((await ask(question('simulated:sim-small', '[[sim: status=500]]'))).status).toBe(502)
    expect(events[0]?.outcome).toBe('error')
    expect(events[0]?.explain?.().candidates).toEqual([
      {
        id: 'simulated:sim-small',
        rank: 3,
        score: 0,
        reasons: ['named', 'provider_on_plan'],
        excluded: null,
      },
    ])
  })

  it('knows when an answer began, of those that did', async () => {
    await ask(question('simulated:sim-small', '[[sim: latency=60]] when', { stream: true }))
    await ask(question('simulated:sim-small', '[[sim: status=500]] never'))
    const [streamed, failed] = events.map(({ attempts }) => attempts[0])
    expect(streamed?.firstByteMs).toBeGreaterThanOrEqual(55)
    expect(streamed?.firstByteMs).toBeLessThanOrEqual(streamed?.ms ?? 0)
    expect(failed?.firstByteMs).toBeUndefined()
  })
})

describe('there is nothing to explain', () => {
  it('of a hit', async () => {
    const same = question('simulated:sim-small', 'again and again')
    for (let i = 0; i < 2; i++) await ask(same)
    expect(events.map(({ cache, explain }) => [cache, explain === undefined])).toEqual([
      ['miss', false],
      ['hit', true],
    ])
  })

  it.each([
    ['a name that no model has', question('simulated:nothing-of-this-name', 'x'), 404],
    ['a request that is none', { model: 'auto' }, 400],
  ])('of %s', async (_, body, status) => {
    expect((await ask(body)).status).toBe(status)
    expect(events).toHaveLength(1)
    expect(events[0]?.explain).toBeUndefined()
  })
})
