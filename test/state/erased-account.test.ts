import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundle, freePort, type Served, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import { type Listening, listen, readText } from '../../scripts/stack/http.ts'
import { recordId, type TelemetryMessage, toParcel } from '../../src/feedback/outbox.ts'
import { ROOT } from '../support/stores.ts'
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

let dir: string
let queue: Listening
let queueIsUp = false
let tries = 0
const received: string[] = []
let served: Served
let start: () => Promise<Served>

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beast-erased-'))
  for (const name of ['disk', 'door']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'door/door.js'), DOOR)
  queue = await listen(0, async (request, response) => {
    const { records } = JSON.parse(await readText(request)) as TelemetryMessage
    tries += 1
    if (!queueIsUp) return void request.socket.destroy()
    received.push(...records.map(recordId))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}')
  })
  const state = bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state'))
  const objects = {
    mainFile: join(state, 'index.js'),
    bindings: ['(name = "TELEMETRY", queue = "queue")'],
    more: [
      'durableObjectNamespaces = [(className = "Account", uniqueKey = "account", enableSql = true)]',
      'durableObjectStorage = (localDisk = "disk")',
    ],
  }
  const services = [
    `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`,
    `(name = "queue", external = (address = "127.0.0.1:${queue.port}", http = ()))`,
  ]
  start = async () => {
    const port = await freePort()
    const door = {
      mainFile: join(dir, 'door/door.js'),
      bindings: [
        '(name = "ACCOUNT", durableObjectNamespace = (className = "Account", serviceName = "state"))',
      ],
    }
    return serve(writeConfig(join(dir, 'all.capnp'), port, door, { state: objects }, services), port, '/')
  }
  served = await start()
})
afterAll(async () => {
  await served?.close()
  await queue?.close()
  rmSync(dir, { recursive: true, force: true })
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
  served = await start()
  await refuses()
  queueIsUp = true
  const last = parcel()
  expect(await call('stays', 'add', [last])).toBe(true)
  await expect
    .poll(() => [...received].sort(), { timeout: 20_000, interval: 100 })
    .toEqual([neighbour.id, last.id].sort())
  expect(await call('stays', 'maySpend', 'key')).toMatchObject({ kind: 'allowed' })
})
