import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle, freePort, type Served, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { type Listening, listen, readText } from '../../scripts/stack/http.ts'
import { recordId, type TelemetryMessage, toParcel } from '../../src/feedback/outbox.ts'
import { ROOT } from '../support/stores.ts'
import { idOf, recordOf } from '../support/telemetry.ts'

// The account objects as they would be deployed, on raw workerd and on disk, killed without warning.

/** Hands what it is told to the account of one tenant, and says yes only once that has said so. */
const DOOR = `export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok')
    const parcel = await request.json()
    const account = env.ACCOUNT.get(env.ACCOUNT.idFromName('tenant'))
    await account.maySpend('key', parcel)
    await account.settle(parcel)
    return new Response('acknowledged')
  }
}`

let dir: string
let queue: Listening
let queueIsUp = true
const received: string[] = []
let start: () => Promise<Served>

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beast-outbox-'))
  mkdirSync(join(dir, 'disk'))
  mkdirSync(join(dir, 'door'))
  writeFileSync(join(dir, 'door/door.js'), DOOR)
  queue = await listen(0, async (request, response) => {
    const { records } = JSON.parse(await readText(request)) as TelemetryMessage
    if (!queueIsUp) return void request.socket.destroy()
    received.push(...records.map(recordId))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}')
  })
  const state = bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state'))
  start = async () => {
    const port = await freePort()
    const door = {
      mainFile: join(dir, 'door/door.js'),
      bindings: [
        '(name = "ACCOUNT", durableObjectNamespace = (className = "Account", serviceName = "state"))',
      ],
    }
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
    return serve(writeConfig(join(dir, 'all.capnp'), port, door, { state: objects }, services), port, '/')
  }
})
afterAll(async () => {
  await queue?.close()
  rmSync(dir, { recursive: true, force: true })
})

describe('an account that is killed', () => {
  it('has lost nothing that it acknowledged, at ten seeded instants', { timeout: 120_000 }, async () => {
    const seed = Date.now() & 0xffff
    console.log(`seed ${seed}`)
    const random = seededRandom(seed)
    const acknowledged: string[] = []
    const asked: string[] = []
    let number = 0
    for (let life = 0; life < 10; life++) {
      // Now and then what was acknowledged cannot even leave.
      queueIsUp = random() < 0.7
      const served = await start()
      let left = 5 + Math.floor(random() * 60)
      const sending = Array.from({ length: 80 }, async () => {
        const parcel = toParcel(recordOf(number++))
        asked.push(parcel.id)
        const response = await fetch(`http://127.0.0.1:${served.port}/`, {
          method: 'POST',
          body: JSON.stringify(parcel),
        }).catch(() => undefined)
        if ((await response?.text().catch(() => '')) !== 'acknowledged') return
        acknowledged.push(parcel.id)
        // SIGKILL, with the rest of them under way.
        if (--left === 0) void served.close()
      })
      await Promise.all(sending)
      await served.close()
    }
    queueIsUp = true
    const served = await start()
    // Wakes the object: until somebody asks for it, only its alarm would.
    const parcel = toParcel(recordOf(number++))
    asked.push(parcel.id)
    await fetch(`http://127.0.0.1:${served.port}/`, { method: 'POST', body: JSON.stringify(parcel) })
    acknowledged.push(parcel.id)
    const missing = () => acknowledged.filter((id) => !received.includes(id))
    await expect.poll(() => missing().length, { timeout: 20_000, interval: 100 }).toBe(0)
    await served.close()
    expect(acknowledged.length).toBeGreaterThan(100)
    expect(received.filter((id) => !asked.includes(id))).toEqual([])
    expect(asked[0]).toBe(idOf(0))
  })
})
