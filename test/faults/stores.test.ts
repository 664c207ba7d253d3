import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import type { KvStore } from '../../src/core/kv.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type NodeGateway, nodeGateway } from '../support/node-gateway.ts'
import { chatBody, ORIGIN } from '../support/slots.ts'
import { startTestRedis, startTestSupabase, type TestRedis } from '../support/stores.ts'

/** KV that answers from memory and fails as it is told. */
class FaultyKv implements KvStore {
  readonly held = new Map<string, string>()
  onRead: () => Promise<void> = async () => {}
  onWrite: () => Promise<void> = async () => {}

  async get(key: string) {
    await this.onRead()
    return this.held.get(key) ?? null
  }

  async put(key: string, value: string) {
    await this.onWrite()
    this.held.set(key, value)
  }

  async delete(key: string) {
    this.held.delete(key)
  }
}

let supabase: EmbeddedSupabase
let redis: TestRedis
let provider: SimulatedProvider
let supabaseProxy: FaultProxy
let redisProxy: FaultProxy
let kv: FaultyKv
let key: string

/** A fresh isolate on the same stores. */
const isolate = (vars: Record<string, string> = {}): NodeGateway =>
  nodeGateway({
    kv,
    redisUrl: redisProxy.url,
    supabaseUrl: supabaseProxy.url,
    supabaseKey: supabase.secretKey,
    providerUrl: provider.url,
    vars,
  })

beforeAll(async () => {
  ;[supabase, redis, provider] = await Promise.all([
    startTestSupabase(),
    startTestRedis(),
    startSimulatedProvider(),
  ])
  supabaseProxy = await startFaultProxy(supabase.url)
  redisProxy = await startFaultProxy(redis.url)
  kv = new FaultyKv()
  key = (await isolate().services.directory.create('acme', 'paid', null)).key
})
afterAll(async () => {
  await Promise.all([supabaseProxy?.close(), redisProxy?.close()])
  await Promise.all([supabase?.close(), redis?.close(), provider?.close()])
})
afterEach(() => {
  supabaseProxy.set({ kind: 'none' })
  redisProxy.set({ kind: 'none' })
  kv.onRead = async () => {}
  kv.onWrite = async () => {}
})

interface Timed {
  readonly status: number
  readonly cacheStatus: string
  readonly ms: number
}

async function ask(gateway: NodeGateway, text: string, as = key): Promise<Timed> {
  const started = performance.now()
  const response = await gateway.chat(as, chatBody(text))
  await response.text()
  const ms = performance.now() - started
  await gateway.settled()
  return { status: response.status, cacheStatus: response.headers.get('cache-status') ?? '', ms }
}

/** Stores an answer in every tier below memory, and leaves a fresh isolate with nothing in its memory. */
async function warmed(text: string): Promise<void> {
  await ask(isolate(), text)
}

const p95 = (times: readonly Timed[]): number =>
  times.map(({ ms }) => ms).sort((a, b) => a - b)[Math.floor(times.length * 0.95)] ?? 0
const everySecond = { CACHE_MEMORY_ENTRIES: '1' }

/** Requests that alternate between two answers in a memory tier of one entry: each goes below it. */
async function alternate(gateway: NodeGateway, count: number): Promise<Timed[]> {
  const times: Timed[] = []
  for (let i = 0; i < count; i++) times.push(await ask(gateway, `alternating ${i % 2}`))
  return times
}

const total = (gateway: NodeGateway) => gateway.services.counts.snapshot().total

describe('row 1: KV fails on 90 % of its reads', () => {
  it('costs no request and, once the breaker is open, next to no time', async () => {
    await warmed('alternating 0')
    await warmed('alternating 1')
    const healthy = await alternate(isolate(everySecond), 60)
    const random = seededRandom(11)
    kv.onRead = async () => {
      if (random() < 0.9) throw new Error('KV GET failed: 503 Service Unavailable')
    }
    const gateway = isolate(everySecond)
    const times = await alternate(gateway, 120)
    expect(times.every(({ status }) => status === 200)).toBe(true)
    expect(times.some(({ cacheStatus }) => cacheStatus.includes('beast-kv; fwd=miss; detail=skipped'))).toBe(
      true,
    )
    expect(p95(times.slice(40)) - p95(healthy)).toBeLessThanOrEqual(5)
    expect(gateway.services.chat.chain.states().kv?.error).toBeGreaterThan(0)
    expect(total(gateway)).toBe(120)
  })
})

describe('row 2: KV is two seconds slow', () => {
  it('is waited for until its deadline, then left alone', async () => {
    await warmed('alternating 0')
    await warmed('alternating 1')
    const gateway = isolate(everySecond)
    await ask(gateway, 'alternating 0')
    kv.onRead = () => new Promise((resolve) => setTimeout(resolve, 2_000))
    const first = await alternate(gateway, 12)
    const later = await alternate(gateway, 60)
    expect(
      [...first, ...later].every(
        ({ status, cacheStatus }) => status === 200 && cacheStatus.includes('; hit'),
      ),
    ).toBe(true)
    expect(p95(first)).toBeLessThanOrEqual(120)
    expect(p95(later)).toBeLessThanOrEqual(70)
  })
})

describe('row 3: KV refuses writes', () => {
  it('costs no request', async () => {
    await warmed('alternating 0')
    await warmed('alternating 1')
    kv.held.clear()
    kv.onWrite = () => Promise.reject(new Error('KV PUT failed: 429 Too Many Requests'))
    const gateway = isolate(everySecond)
    const times = await alternate(gateway, 40)
    expect(times.every(({ status, cacheStatus }) => status === 200 && cacheStatus.includes('; hit'))).toBe(
      true,
    )
    expect(gateway.services.chat.chain.states().kv?.writesFailed).toBeGreaterThan(0)
  })
})

describe('row 4: Redis fails', () => {
  it.each([
    ['resets connections', { kind: 'reset' }],
    ['refuses the token', { kind: 'answer', status: 401, body: '{"error":"Unauthorized"}' }],
    ['limits the rate', { kind: 'answer', status: 429, body: '{"error":"Too many requests"}' }],
    ['answers with a page', { kind: 'answer', status: 200, body: '<html>Gateway</html>' }],
    ['is slow', { kind: 'delay', ms: 1_000 }],
  ] as const)('%s: it is skipped, and Supabase serves', async (_title, fault) => {
    const text = `redis ${_title}`
    await warmed(text)
    redisProxy.set(fault)
    const gateway = isolate()
    const { status, cacheStatus } = await ask(gateway, text)
    expect(status).toBe(200)
    expect(cacheStatus).toMatch(/^beast-supabase; hit;.*beast-redis; fwd=miss; detail=(error|timeout)/)
    for (let i = 0; i < 10; i++) expect((await ask(gateway, `${text} ${i}`)).status).toBe(200)
    expect(gateway.services.chat.chain.states().redis?.breaker).toBe('open')
  })
})

describe('row 5: values that lie', () => {
  it('serves none of 10,000 that were mutated', async () => {
    const { chat } = isolate().services
    const owner = {
      id: crypto.randomUUID(),
      name: 'x',
      plan: 'paid',
      epoch: 1,
      cachePolicy: 'all',
      cacheByUser: true,
      keepsText: false,
      budget: 'none',
    } as const
    const slot = await chat.slots.slot(owner, { id: 'r', revision: '1' }, 'question')
    const entry = {
      kind: 'json',
      body: '{"answer":42}',
      origin: ORIGIN,
      storedAtMs: 1,
      expiresAtMs: 2,
    } as const
    const sealed = await slot.seal(entry)
    expect(await slot.open(sealed)).toEqual(entry)
    const seed = 5
    const random = seededRandom(seed)
    const below = (limit: number) => Math.floor(random() * limit)
    let served = 0
    for (let i = 0; i < 10_000; i++) {
      const bytes = Buffer.from(sealed)
      const kind = i % 3
      if (kind === 0) {
        const at = below(bytes.length)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8))
      }
      const mutated =
        kind === 0
          ? bytes.toString('latin1')
          : kind === 1
            ? sealed.slice(0, below(sealed.length))
            : sealed.slice(0, below(sealed.length)) +
              String.fromCharCode(32 + below(90)) +
              sealed.slice(below(sealed.length))
      if (mutated === sealed) continue
      await slot.open(mutated).then(
        () => {
          served += 1
        },
        () => {},
      )
    }
    expect(served, `seed ${seed}`).toBe(0)
  })

  it('takes a changed row for a miss, deletes it, and counts it', async () => {
    await warmed('lied to')
    await redis.store.send(['FLUSHDB'])
    await supabase.sql("update llm_cache set sealed = overlay(sealed placing 'AAAA' from 60)")
    const gateway = isolate()
    const { cacheStatus } = await ask(gateway, 'lied to')
    expect(cacheStatus).toContain('beast-supabase; fwd=miss; detail=corrupt')
    expect(gateway.services.chat.chain.states().supabase?.corrupt).toBe(1)
    expect((await ask(isolate(), 'lied to')).cacheStatus).toContain('; hit')
  })
})

describe('rows 6 and 7: Supabase is down', () => {
  const down = { kind: 'answer', status: 500, body: '{"message":"down"}' } as const

  it('lets known keys go on', async () => {
    await warmed('known')
    supabaseProxy.set(down)
    const gateway = isolate()
    const times: Timed[] = []
    for (let i = 0; i < 50; i++) times.push(await ask(gateway, `known ${i}`))
    expect(times.filter(({ status }) => status === 200).length / times.length).toBeGreaterThanOrEqual(0.999)
  })

  it.each([down, { kind: 'reset' } as const, { kind: 'delay', ms: 5_000 } as const])(
    'tells callers that it does not know to come back: never 401 (%o)',
    async (fault) => {
      const stranger = (await isolate().services.directory.create('stranger', 'free', null)).key
      supabaseProxy.set(fault)
      const response = await isolate().chat(stranger, chatBody('hello'))
      expect(response.status).toBe(503)
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await response.json()).toMatchObject({ error: { fault: 'gateway', code: 'store_unavailable' } })
    },
  )
})

describe('row 8: all stores are down', () => {
  it('is a plain proxy for callers met before', async () => {
    const gateway = isolate()
    await ask(gateway, 'met')
    supabaseProxy.set({ kind: 'reset' })
    redisProxy.set({ kind: 'reset' })
    kv.onRead = () => Promise.reject(new Error('KV is gone'))
    kv.onWrite = () => Promise.reject(new Error('KV is gone'))
    const times: Timed[] = []
    for (let i = 0; i < 100; i++) times.push(await ask(gateway, `all down ${i}`))
    expect(times.filter(({ status }) => status === 200)).toHaveLength(100)
    expect((await ask(gateway, 'all down 99')).cacheStatus).toContain('beast-memory; hit')
    expect(total(gateway)).toBe(102)
  })
})
