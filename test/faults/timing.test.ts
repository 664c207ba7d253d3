import { afterAll, beforeAll, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { createVirtualKey } from '../../src/tenants/virtual-key.ts'
import { nodeGateway } from '../support/node-gateway.ts'
import { chatBody } from '../support/slots.ts'
import { startTestRedis, startTestSupabase, type TestRedis } from '../support/stores.ts'

let supabase: EmbeddedSupabase
let redis: TestRedis
let provider: SimulatedProvider

beforeAll(async () => {
  ;[supabase, redis, provider] = await Promise.all([
    startTestSupabase(),
    startTestRedis(),
    startSimulatedProvider(),
  ])
})
afterAll(() => Promise.all([supabase?.close(), redis?.close(), provider?.close()]))

const isolate = () => {
  const held = new Map<string, string>()
  const kv = {
    get: async (key: string) => held.get(key) ?? null,
    put: async (key: string, value: string) => void held.set(key, value),
    delete: async (key: string) => void held.delete(key),
  }
  return nodeGateway({
    kv,
    redisUrl: redis.url,
    supabaseUrl: supabase.url,
    supabaseKey: supabase.secretKey,
    providerUrl: provider.url,
  })
}

/** Enough that chance alone strays from 0.5 by no more than 0.05 (3.9 standard errors). */
const COUNT = 1_000

/** The chance that a time drawn from `a` is longer than one from `b`: 0.5 = they tell nothing. */
function auc(a: readonly number[], b: readonly number[]): number {
  let wins = 0
  for (const x of a) for (const y of b) wins += x > y ? 1 : x === y ? 0.5 : 0
  return wins / (a.length * b.length)
}

/** Times two kinds of request in random order, so that drift meets both alike. */
async function compare(count: number, one: () => Promise<void>, other: () => Promise<void>): Promise<number> {
  const seed = Math.floor(performance.timeOrigin)
  const random = seededRandom(seed)
  const times: [number[], number[]] = [[], []]
  for (let i = 0; i < count * 2; i++) {
    const which = random() < 0.5 ? 0 : 1
    const started = performance.now()
    await (which === 0 ? one() : other())
    times[which].push(performance.now() - started)
  }
  console.log(`order by seed ${seed}`)
  return auc(...times)
}

it('takes no other time for a revoked key than for one that never was', { timeout: 120_000 }, async () => {
  const { directory } = isolate().services
  const gateway = isolate()
  const revoked: string[] = []
  for (let i = 0; i < 20; i++) {
    const made = await directory.create('timing', 'free', null)
    await directory.revoke(made.id)
    revoked.push(made.key)
  }
  let at = 0
  // A fresh isolate and address each time: nothing is remembered from the try before.
  const refused = async (key: string) => {
    const response = await isolate().chat(key, chatBody('x'), {
      'cf-connecting-ip': `10.9.${at >> 8}.${at & 255}`,
    })
    expect(response.status).toBe(401)
    await response.text()
  }
  for (let i = 0; i < 30; i++) await refused(createVirtualKey())
  const found = await compare(
    COUNT,
    () => refused(revoked[at++ % revoked.length] as string),
    () => {
      at++
      return refused(createVirtualKey())
    },
  )
  expect(gateway.services.counts.snapshot().total).toBe(0)
  expect(found).toBeGreaterThan(0.45)
  expect(found).toBeLessThan(0.55)
})

it('takes no other time for what another tenant has asked before', { timeout: 120_000 }, async () => {
  const gateway = isolate()
  const [a, b] = await Promise.all(
    ['tenant-a', 'tenant-b'].map(
      async (name) => (await gateway.services.directory.create(name, 'paid', null)).key,
    ),
  )
  const ask = async (key: string | undefined, text: string) => {
    const response = await gateway.chat(key, chatBody(text))
    expect(response.headers.get('cache-status')).not.toContain('hit')
    await response.text()
    await gateway.settled()
  }
  for (let i = 0; i < COUNT * 2; i++) await ask(a, `asked by a ${i}`)
  for (let i = 0; i < 30; i++) await ask(b, `warming up ${i}`)
  let [asked, fresh] = [0, 0]
  const found = await compare(
    COUNT,
    () => ask(b, `asked by a ${asked++}`),
    () => ask(b, `asked by b ${fresh++}`),
  )
  expect(found).toBeGreaterThan(0.45)
  expect(found).toBeLessThan(0.55)
})
