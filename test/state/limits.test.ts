import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Served } from '../../scripts/bench/workerd.ts'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { SpendAsk, SpendVerdict } from '../../src/cost/spend.ts'
import { toParcel } from '../../src/feedback/outbox.ts'
import type { LimitState, OwnedLimits } from '../../src/tenants/limits.ts'
import { type AccountStack, accountStack } from '../support/account-stack.ts'
import { needs } from '../support/limits.ts'
import { idOf, paidRecord, rowOf } from '../support/telemetry.ts'

// Tenants' accounts as they would be deployed, on raw workerd and on disk: two hundred requests at once, and a kill in the
// middle.

const DOOR = `export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok')
    const { tenant, call, args } = await request.json()
    return Response.json((await env.ACCOUNT.get(env.ACCOUNT.idFromName(tenant))[call](...args)) ?? null)
  }
}`
const MODEL = { route: 'own:m', provider: 'own', model: 'm', endpoint: 'own' }
const AT_ONCE = 200

let stack: AccountStack
let served: Served
let tenants = 0
let tenant: string
let asked = 0

beforeAll(async () => {
  stack = await accountStack(DOOR, () => true)
  served = await stack.start()
})
beforeEach(() => {
  tenant = `tenant-${++tenants}`
})
afterAll(async () => {
  await served?.close()
  await stack?.close()
})

/** Rejects where nobody knows whether it was done. */
async function call<T>(of: string, name: string, ...args: unknown[]): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${served.port}/`, {
    method: 'POST',
    body: JSON.stringify({ tenant: of, call: name, args }),
  })
  if (!response.ok) throw new Error(`${response.status}`)
  return (await response.json()) as T
}

const set = (limits: readonly OwnedLimits[], of = tenant) => call(of, 'setLimits', limits)
const states = (of = tenant) => call<LimitState[]>(of, 'limitStates')

/** A request that wants to go out. @returns its number and what the account says */
async function request(keyId = 'key', of = tenant, tokens = needs(10, 90)) {
  const number = ++asked
  const ask: SpendAsk = { predictionId: idOf(number), attempt: 0, nanoUsd: 0, call: MODEL, tokens }
  const abandoned = toParcel({ kind: 'prediction', row: rowOf(number, { keyId, receivedAtMs: Date.now() }) })
  return { number, verdict: await call<SpendVerdict>(of, 'maySpend', keyId, abandoned, ask) }
}
const settle = (number: number, outputTokens: number, of = tenant) =>
  call(
    of,
    'settle',
    toParcel(
      paidRecord(rowOf(number, { keyId: 'key', receivedAtMs: Date.now() }), [
        { ...MODEL, usage: { inputTokens: 10, outputTokens } },
      ]),
    ),
  )
const passed = (answers: readonly { verdict: SpendVerdict }[]) =>
  answers.filter(({ verdict }) => verdict.kind === 'allowed').length

async function restart(): Promise<void> {
  await served.close()
  served = await stack.start()
}

it('of two hundred at once exactly as many pass as the limit allows, round by round, also across a kill', {
  timeout: 120_000,
}, async () => {
  const seed = Date.now() & 0xffff
  console.log(`seed ${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 5; round++) {
    tenant = `round-${round}`
    const limit = 1 + Math.floor(random() * 120)
    await set([{ keyId: null, requestsPerMinute: limit }])
    const first = 1 + Math.floor(random() * AT_ONCE)
    const before = await Promise.all(Array.from({ length: first }, () => request()))
    // SIGKILL: what it had counted it must find again.
    await restart()
    const after = await Promise.all(Array.from({ length: AT_ONCE - first }, () => request()))
    expect([passed(before), passed([...before, ...after])]).toEqual([
      Math.min(first, limit),
      Math.min(AT_ONCE, limit),
    ])
    for (const { verdict } of [...before, ...after])
      if (verdict.kind !== 'allowed')
        expect(verdict).toMatchObject({ kind: 'limited', by: 'requests', of: 'tenant', limit })
  }
})

it('tokens and flights are as exact, and are given back when requests end', async () => {
  await set([
    { keyId: null, tokensPerMinute: 1_050 },
    { keyId: 'slow', concurrency: 3 },
  ])
  const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => request()))
  expect(passed(answers)).toBe(10)
  await restart()
  const [one, two] = answers.filter(({ verdict }) => verdict.kind === 'allowed')
  await settle(one?.number ?? 0, 40)
  await settle(two?.number ?? 0, 40)
  await settle(two?.number ?? 0, 0)
  expect(await states()).toMatchObject([
    { tokensUsed: 900, inFlight: 8 },
    { keyId: 'slow', inFlight: 0 },
  ])
  const slow = await Promise.all(Array.from({ length: AT_ONCE }, () => request('slow', tenant, needs(1, 1))))
  expect(passed(slow)).toBe(3)
  const [ended] = slow.filter(({ verdict }) => verdict.kind === 'allowed')
  await settle(ended?.number ?? 0, 1)
  expect(
    passed([await request('slow', tenant, needs(1, 1)), await request('slow', tenant, needs(1, 1))]),
  ).toBe(1)
})

it('two tenants and two keys do not disturb each other', async () => {
  const other = `${tenant}-other`
  const limits = [
    { keyId: 'one', requestsPerMinute: 20 },
    { keyId: 'two', requestsPerMinute: 30 },
  ]
  await Promise.all([set(limits), set([{ keyId: null, requestsPerMinute: 7 }], other)])
  const askers = [
    () => request('one'),
    () => request('two'),
    () => request('one', other),
    () => request('free'),
  ]
  const all = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, index) => askers[index % askers.length]?.()),
  )
  const of = (place: number) =>
    all.flatMap((answer, index) => (answer && index % 4 === place ? [answer] : []))
  expect([0, 1, 2, 3].map((place) => passed(of(place)))).toEqual([20, 30, 7, 50])
})

it('a tenant without limits is asked no more than before, and nothing is written for it', async () => {
  const { verdict } = await request()
  expect(verdict).toEqual({ kind: 'allowed', isWatched: false, isHard: false })
  expect(await states()).toEqual([])
})
