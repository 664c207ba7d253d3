import { timingSafeEqual } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import type { KvStore } from '../../src/core/kv.ts'
import { predictionRow } from '../database/rows.ts'
import { answerOf, chatsAt } from '../support/api.ts'
import { KvDouble } from '../support/kv-double.ts'
import { type NodeGateway, nodeGateway } from '../support/node-gateway.ts'
import { chatBody } from '../support/slots.ts'
import {
  OPERATOR_TOKEN,
  redisClient,
  startTestRedis,
  startTestSupabase,
  type TestRedis,
} from '../support/stores.ts'

// Whether anything purged comes back: from isolates that did not do it, and from each tier, in which it goes on lying.

let supabase: EmbeddedSupabase
let redis: TestRedis
let provider: SimulatedProvider
let kv: KvDouble

beforeAll(async () => {
  // Of workerd, which compares the operator's token by it.
  Object.assign(crypto.subtle, {
    timingSafeEqual: (a: ArrayBuffer, b: ArrayBuffer) => timingSafeEqual(Buffer.from(a), Buffer.from(b)),
  })
  ;[supabase, redis, provider] = await Promise.all([
    startTestSupabase(),
    startTestRedis(),
    startSimulatedProvider(),
  ])
})
afterAll(() => Promise.all([supabase?.close(), redis?.close(), provider?.close()]))
beforeEach(() => {
  // The isolates' clock moves on, their timers are real.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  kv = new KvDouble(() => Date.now())
})
afterEach(() => void vi.useRealTimers())

const later = (ms: number) => vi.setSystemTime(Date.now() + ms)
const isolate = (place: KvStore = kv.at()): NodeGateway =>
  nodeGateway({
    kv: place,
    redisUrl: redis.url,
    supabaseUrl: supabase.url,
    supabaseKey: supabase.secretKey,
    providerUrl: provider.url,
  })

interface Question {
  readonly key: string
  readonly text: string
  readonly model?: string
  readonly tag?: string
}
const bodyOf = ({ text, model = 'sim-small' }: Question) => chatBody(text, { model })

/** @returns when the answer that came was given first; undefined: now */
async function ask(gateway: NodeGateway, question: Question): Promise<number | undefined> {
  const headers: Record<string, string> = question.tag ? { 'x-beast-cache': `tag=${question.tag}` } : {}
  const answer = await answerOf(await gateway.chat(question.key, bodyOf(question), headers))
  expect(answer.status, answer.text).toBe(200)
  await gateway.settled()
  const age = answer.headers.get('age')
  return age === null ? undefined : Date.now() - Number(age) * 1_000
}

/** Puts the answers into every tier, and into the memory of each isolate. */
async function fill(questions: readonly Question[], isolates: readonly NodeGateway[]): Promise<void> {
  // The second hit below KV has it written there, a minute later it is seen.
  for (const gateway of [isolates[0] as NodeGateway, isolate(), isolate()])
    for (const question of questions) await ask(gateway, question)
  later(61_000)
  for (const gateway of isolates)
    for (const question of questions) expect(await ask(gateway, question)).toBeDefined()
}

/** What lies where nothing can be listed by the gateway, and how much. */
const held = async () => ({
  kv: kv.held('cache:'),
  redis: (await redisClient(redis.url).keys('cache:*')).length,
  supabase: Number((await supabase.sql<{ n: number }>('select count(*)::int as n from llm_cache'))[0]?.n),
})

async function tenants(name: string): Promise<{ own: string; rival: string }> {
  const { directory } = isolate().services
  const keyOf = async (tenant: string) => (await directory.create(tenant, 'paid', null)).key
  return { own: await keyOf(name), rival: await keyOf(`${name}-rival`) }
}

const QUESTIONS: readonly Omit<Question, 'key'>[] = [
  { text: 'tagged', tag: 'docs' },
  { text: 'tagged otherwise', tag: 'docs2' },
  { text: 'plain' },
  { text: 'of another model', model: 'sim-large' },
]
const PURGES = [
  { by: 'tag', method: 'POST', path: '/api/cache/purge', body: { tag: 'docs' }, hits: ['tagged'] },
  {
    by: 'model',
    method: 'POST',
    path: '/api/cache/purge',
    body: { model: 'sim-large' },
    hits: ['of another model'],
  },
  {
    by: 'request',
    method: 'DELETE',
    path: '/api/cache/entries',
    body: bodyOf({ key: '', text: 'plain' }),
    hits: ['plain'],
  },
  {
    by: 'tenant',
    method: 'POST',
    path: '/api/cache/purge',
    body: { all: true },
    hits: QUESTIONS.map(({ text }) => text),
  },
]

describe.each(PURGES)('a purge by $by', ({ by, method, path, body, hits }) => {
  it('is in force here at once, elsewhere within 90 s, in every tier, and for nothing else', async () => {
    const { own, rival } = await tenants(`by-${by}`)
    const places = [kv.at(), kv.at()] as const
    const [here, there] = places.map((place) => isolate(place)) as [NodeGateway, NodeGateway]
    const owns = QUESTIONS.map((question) => ({ ...question, key: own }))
    const all = [...owns, ...QUESTIONS.map((question) => ({ ...question, key: rival }))]
    const before = await held()
    await fill(all, [here, there])
    const filled = await held()
    for (const tier of ['kv', 'redis', 'supabase'] as const)
      expect(filled[tier] - before[tier], tier).toBe(all.length)

    const purgedAtMs = Date.now()
    const answer = await answerOf(await here.request(own, method, path, body))
    expect([answer.status, answer.body.effective_within_seconds], answer.text).toEqual([200, 90])
    await here.settled()
    // By request it is deleted; otherwise all of it lies there still.
    const gone = by === 'request' ? 1 : 0
    expect(await held()).toEqual({
      kv: filled.kv - gone,
      redis: filled.redis - gone,
      supabase: filled.supabase - gone,
    })

    later(1)
    const isMeant = ({ key, text }: Question) => key === own && hits.includes(text)
    const others = all.filter((question) => !isMeant(question))
    const meant = all.filter(isMeant)
    const isStale = (atMs: number | undefined) => atMs !== undefined && atMs <= purgedAtMs
    for (const question of meant) expect(await ask(here, question), question.text).toBeUndefined()
    for (const question of others) expect(isStale(await ask(here, question)), question.text).toBe(true)
    // Ages are whole seconds: what is asked for from here on is told from what was there.
    for (const step of [29_999, 30_000, 30_000, 1_000]) {
      later(step)
      const isBound = Date.now() - purgedAtMs >= 90_000
      // One that did not do it, and one that begins with what that one's place saw of KV.
      for (const gateway of [there, isolate(places[1]), isolate(places[0]), here])
        for (const question of meant) {
          const isStill = isStale(await ask(gateway, question))
          if (isBound || gateway === here) expect(isStill, `${question.text} after 90 s`).toBe(false)
        }
    }
    for (const gateway of [there, here])
      for (const question of others) expect(isStale(await ask(gateway, question)), question.text).toBe(true)
    // An hour on, memory and KV have let go, and what lies below is asked again.
    later(3_600_000)
    for (const question of meant) expect(isStale(await ask(there, question)), question.text).toBe(false)
  })
})

it('an answer that was under way when it was purged is not given again', async () => {
  const { own } = await tenants('under-way')
  const gateway = isolate()
  const question = { key: own, text: '[[sim: latency=400]] slow', tag: 'docs' }
  const asked = chatsAt(provider).length
  const answering = ask(gateway, question)
  await vi.waitFor(() => expect(chatsAt(provider).length).toBeGreaterThan(asked), { interval: 5 })
  later(1_000)
  expect((await gateway.request(own, 'POST', '/api/cache/purge', { tag: 'docs' })).status).toBe(200)
  later(1_000)
  expect(await answering).toBeUndefined()
  expect(await ask(gateway, question)).toBeUndefined()
  expect(await ask(gateway, question)).toBeDefined()
})

it('finds the request of a prediction, of the tenant alone', async () => {
  const { own, rival } = await tenants('by-prediction')
  const gateway = isolate()
  const question = { key: own, text: 'of a prediction' }
  await ask(gateway, question)
  const [row] = await supabase.sql<{ key: string; tenant_id: string }>(
    `select key, tenant_id from llm_cache join tenants t on t.id = tenant_id where name = 'by-prediction'`,
  )
  const id = uuidv7(Date.now())
  const prediction = { ...predictionRow(row?.tenant_id ?? '', Date.now()), id, prompt_hash: row?.key }
  await fetch(`${supabase.url}/rest/v1/ml_predictions`, {
    method: 'POST',
    headers: {
      apikey: supabase.secretKey,
      authorization: `Bearer ${supabase.secretKey}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(prediction),
  }).then((response) => expect(response.status).toBe(201))
  const remove = (key: string, query: string, body?: unknown) =>
    gateway.request(key, 'DELETE', `/api/cache/entries?${query}`, body)
  expect((await remove(rival, `prediction=${id}`)).status).toBe(404)
  expect(await ask(gateway, question)).toBeDefined()
  later(1)
  const answer = await answerOf(await remove(own, `prediction=${id}`))
  expect(answer.body).toEqual({
    tiers: { memory: 'removed', kv: 'removed', redis: 'removed', supabase: 'removed' },
    purged_by: 'mark',
    effective_within_seconds: 90,
  })
  later(1)
  expect(await ask(gateway, question)).toBeUndefined()
  expect((await remove(own, 'prediction=1')).status).toBe(400)
  expect((await remove(own, `prediction=${uuidv7(Date.now())}`)).status).toBe(404)
  expect((await remove(own, `prediction=${id}`, bodyOf(question))).status).toBe(400)
})

it('shows what is known, and what holds for a day and an hour', async () => {
  const { own } = await tenants('shown')
  const gateway = isolate()
  await ask(gateway, { key: own, text: 'shown', tag: 'docs' })
  const stats = async (query = '', key = own) =>
    (await answerOf(await gateway.request(key, 'GET', `/api/cache/stats${query}`))).body
  const before = await stats()
  expect(before.marks).toEqual([])
  expect(before.tiers.map(({ tier }: { tier: string }) => tier)).toEqual([
    'memory',
    'kv',
    'redis',
    'supabase',
  ])
  expect(before.tiers[3]).toMatchObject({ entries: 1, bytes: expect.any(Number), hits_last_hour: 0 })
  const purged_at = new Date().toISOString()
  await gateway.request(own, 'POST', '/api/cache/purge', { tag: 'docs' })
  await gateway.request(OPERATOR_TOKEN, 'POST', '/api/cache/purge?tenant=shown', { model: 'custom:gone' })
  const marks = [
    { mark: 'tag:docs', purged_at },
    { mark: 'model:custom:gone', purged_at },
  ]
  expect((await stats('?tenant=shown', OPERATOR_TOKEN)).marks).toEqual(expect.arrayContaining(marks))
  later(25 * 3_600_000)
  expect((await stats()).marks).toEqual([])
})

it('purges everything where a tenant has too many marks, and says so', async () => {
  const { own } = await tenants('bound')
  const gateway = isolate()
  const purge = async (body: unknown) =>
    (await answerOf(await gateway.request(own, 'POST', '/api/cache/purge', body))).body
  const question = { key: own, text: 'bound', tag: 'kept' }
  const remove = async (text: string) => {
    const body = bodyOf({ key: own, text })
    const answer = await answerOf(await gateway.request(own, 'DELETE', '/api/cache/entries', body))
    return [answer.body.purged_by, answer.body.effective_within_seconds]
  }
  await ask(gateway, question)
  later(1)
  await supabase.sql(`
    update tenants set purge_marks = (
      select jsonb_object_agg(case when i < 49 then 'slot:' else 'tag:t' end || i, ${Date.now()})
      from generate_series(0, 97) i)
    where name = 'bound'`)
  expect(await remove('the fiftieth')).toEqual(['mark', 90])
  expect(await remove('the fiftieth')).toEqual(['mark', 90])
  expect(await remove('one more')).toEqual(['none', 7_260])
  expect((await purge({ tag: 'the-hundredth' })).purged_by).toBe('mark')
  expect((await purge({ tag: 'the-hundredth' })).purged_by).toBe('mark')
  later(1)
  expect(await ask(gateway, question)).toBeDefined()
  expect(await purge({ tag: 'one-more' })).toEqual({
    purged: { all: true },
    purged_by: 'epoch',
    effective_within_seconds: 90,
  })
  later(1)
  expect(await ask(gateway, question)).toBeUndefined()
  expect((await purge({ tag: 'one-more' })).purged_by).toBe('mark')
})

it('refuses what is not clear, and what is none of the key’s business', async () => {
  const { own } = await tenants('refused')
  const gateway = isolate()
  const status = async (method: string, path: string, body?: unknown, key = own) =>
    (await gateway.request(key, method, `/api/cache${path}`, body)).status
  const wrong = [
    {},
    [],
    'docs',
    null,
    { all: false },
    { all: 'true' },
    { tag: '' },
    { tag: 'a b' },
    { tag: 'a'.repeat(65) },
    { tag: ['docs'] },
    { tag: 'docs', model: 'sim-small' },
    { tags: 'docs' },
    { model: '' },
    { model: 'x:ü' },
    { model: `x:${'y'.repeat(200)}` },
  ]
  for (const body of wrong) expect(await status('POST', '/purge', body), JSON.stringify(body)).toBe(400)
  expect(await status('POST', '/purge', { model: 'nothing' })).toBe(404)
  expect(await status('POST', '/purge', undefined)).toBe(400)
  expect(await status('DELETE', '/entries', undefined)).toBe(400)
  expect(await status('DELETE', '/entries', { model: 'sim-small' })).toBe(400)
  expect(await status('DELETE', '/entries', chatBody('x', { model: 'nothing' }))).toBe(404)
  for (const [method, path] of [
    ['POST', '/purge'],
    ['DELETE', '/entries'],
    ['GET', '/stats'],
  ] as const) {
    const body = method === 'GET' ? undefined : { tag: 'docs' }
    expect(await status(method, `${path}?tenant=by-tag`, body)).toBe(400)
    expect(await status(method, path, body, OPERATOR_TOKEN)).toBe(400)
    expect(await status(method, `${path}?tenant=nobody`, body, OPERATOR_TOKEN)).toBe(404)
  }
})

it('says so when the database does not have it: nothing is purged then', async () => {
  const { own } = await tenants('down')
  const gateway = isolate()
  const question = { key: own, text: 'down', tag: 'docs' }
  await ask(gateway, question)
  await supabase.sql('alter function public.purge_answers rename to purge_answers_away')
  try {
    const answer = await gateway.request(own, 'POST', '/api/cache/purge', { tag: 'docs' })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
  } finally {
    await supabase.sql('alter function public.purge_answers_away rename to purge_answers')
  }
  expect(await ask(gateway, question)).toBeDefined()
})
