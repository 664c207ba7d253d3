import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Served } from '../../scripts/bench/workerd.ts'
import { recordId, toParcel } from '../../src/feedback/outbox.ts'
import { type AccountStack, accountStack } from '../support/account-stack.ts'
import { recordOf } from '../support/telemetry.ts'

// A tenant's account as it would be deployed, on disk: what it drops once the tenant is erased, also when it wakes anew.

/** Calls the account of a tenant. */
const DOOR = `export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok')
    const { tenant, call, args } = await request.json()
    return Response.json((await env.ACCOUNT.get(env.ACCOUNT.idFromName(tenant))[call](...args)) ?? null)
  }
}`

let stack: AccountStack
let queueIsUp = false
let tries = 0
const received: string[] = []
let served: Served

beforeAll(async () => {
  stack = await accountStack(DOOR, (records) => {
    tries += 1
    if (queueIsUp) received.push(...records.map(recordId))
    return queueIsUp
  })
  served = await stack.start()
})
afterAll(async () => {
  await served?.close()
  await stack?.close()
})

const call = async (tenant: string, name: string, ...args: unknown[]): Promise<unknown> => {
  const response = await fetch(`http://127.0.0.1:${served.port}/`, {
    method: 'POST',
    body: JSON.stringify({ tenant, call: name, args }),
  })
  return response.json()
}
let number = 0
const parcel = () => toParcel(recordOf(number++))

it('an erased tenant’s outbox is empty for good, and the neighbour’s is sent', {
  timeout: 60_000,
}, async () => {
  const [announced, waiting, neighbour] = [parcel(), parcel(), parcel()]
  expect(await call('gone', 'maySpend', 'key', announced)).toMatchObject({ kind: 'allowed' })
  expect(await call('gone', 'add', [waiting])).toBe(true)
  expect(await call('stays', 'add', [neighbour])).toBe(true)
  // It has tried to send, and will again.
  await expect.poll(() => tries, { timeout: 10_000 }).toBeGreaterThan(0)
  const budget = { keyId: null, period: 'day', limitNanoUsd: 1e9, isHard: true }
  await call('gone', 'setBudgets', [budget], [{ key: '', day: '2026-11-20', nanoUsd: 5 }])
  expect(await call('gone', 'budgetStates')).toMatchObject([budget])
  await call('gone', 'erase')
  await call('gone', 'erase')
  const refuses = async () => {
    expect(await call('gone', 'settle', announced)).toBe(true)
    expect(await call('gone', 'settle', parcel())).toBe(true)
    expect(await call('gone', 'add', [parcel()])).toBe(false)
    expect(await call('gone', 'maySpend', 'key', parcel())).toEqual({ kind: 'revoked' })
    expect(await call('gone', 'budgetStates')).toEqual([])
  }
  await refuses()
  await served.close()
  served = await stack.start()
  await refuses()
  queueIsUp = true
  const last = parcel()
  expect(await call('stays', 'add', [last])).toBe(true)
  await expect
    .poll(() => [...received].sort(), { timeout: 20_000, interval: 100 })
    .toEqual([neighbour.id, last.id].sort())
  expect(await call('stays', 'maySpend', 'key')).toMatchObject({ kind: 'allowed' })
})
