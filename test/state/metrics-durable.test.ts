import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bundle, freePort, type Served, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Batch, BatchAnswer, Live, ShardReport } from '../../src/metrics/batch.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { SHARDS, shardName } from '../../src/metrics/shard-name.ts'
import type { HubSnapshot } from '../../workers/state/metrics-hub.ts'
import { ROOT } from '../support/stores.ts'

// Shards and hub as they would be deployed, on raw workerd and on disk, killed without warning.

/** Calls a method of an object and gives its answer as JSON; of a stream the first lines. */
const DOOR = `export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok')
    const { binding, name, method, args, lines } = await request.json()
    const answer = await env[binding].get(env[binding].idFromName(name))[method](...args)
    if (!lines) return Response.json(answer)
    const reader = answer.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (text.split('\\n').length <= lines) text += (await reader.read()).value
    await reader.cancel()
    return new Response(text)
  }
}`

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${SEED}`)
const REQUESTS = 'requests_received_total'

let dir: string
let state: string
let isolate: string
let served: Served | undefined

const binding = (name: string, className: string, service = '') =>
  `(name = "${name}", durableObjectNamespace = ${service ? `(className = "${className}", serviceName = "${service}")` : `"${className}"`})`

/** @param mainFile of the worker that listens */
async function start(mainFile = join(dir, 'door/door.js')): Promise<Served> {
  const port = await freePort()
  const main = {
    mainFile,
    bindings: [binding('SHARD', 'MetricsShard', 'state'), binding('HUB', 'MetricsHub', 'state')],
  }
  const objects = {
    mainFile: join(state, 'index.js'),
    bindings: [binding('METRICS_SHARD', 'MetricsShard'), binding('METRICS_HUB', 'MetricsHub')],
    more: [
      `durableObjectNamespaces = [${['MetricsShard', 'MetricsHub']
        .map((name) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`)
        .join(', ')}]`,
      'durableObjectStorage = (localDisk = "disk")',
    ],
  }
  const disk = `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`
  served = await serve(writeConfig(join(dir, 'all.capnp'), port, main, { state: objects }, [disk]), port, '/')
  return served
}

async function ask(call: object, signal?: AbortSignal): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${served?.port}/`, {
    method: 'POST',
    body: JSON.stringify({ args: [], ...call }),
    ...(signal && { signal }),
  })
  if (!response.ok) throw new Error(`${response.status}`)
  return response.text()
}
const take = async (batch: Batch, signal?: AbortSignal): Promise<BatchAnswer> => {
  const name = shardName('weur', batch.isolate)
  return JSON.parse(await ask({ binding: 'SHARD', name, method: 'take', args: [batch] }, signal))
}
const snapshot = async (): Promise<HubSnapshot> =>
  JSON.parse(await ask({ binding: 'HUB', name: 'hub', method: 'snapshot' }))
/** What the shards themselves hold, without the hub. */
const counted = async (): Promise<number> => {
  let sum = 0
  for (let n = 0; n < SHARDS; n++) {
    const text = await ask({ binding: 'SHARD', name: `weur-${n}`, method: 'report', args: [0] })
    sum += (JSON.parse(text) as ShardReport).totals.counters[REQUESTS] ?? 0
  }
  return sum
}

function batchOf(isolate: string, seq: number, requests: number): Batch {
  const tally = new Tally(100)
  tally.count(REQUESTS, requests)
  for (let i = 0; i < requests; i++) {
    tally.observe('request_duration_seconds{mode="1"}', i / 10, [0.1, 1])
    tally.sketch('request_duration_seconds', i / 10)
  }
  const { counters, histograms, sketches } = tally.amounts()
  return { isolate, seq, startedAtMs: Date.now(), added: { counters, histograms, gauges: {} }, sketches }
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'beast-metrics-'))
  mkdirSync(join(dir, 'door'))
  writeFileSync(join(dir, 'door/door.js'), DOOR)
  state = bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state'))
  isolate = bundle(ROOT, 'test/state/metrics-isolate.toml', join(dir, 'isolate'))
})
beforeEach(() => mkdirSync(join(dir, 'disk'), { recursive: true }))
afterEach(async () => {
  await served?.close()
  rmSync(join(dir, 'disk'), { recursive: true, force: true })
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('what isolates sent', () => {
  it('is counted exactly, killed at ten seeded instants and sent again', { timeout: 120_000 }, async () => {
    const random = seededRandom(SEED)
    const isolates = Array.from({ length: 40 }, (_, i) => ({
      name: `isolate ${i} of ${SEED}`,
      unacknowledged: undefined as Batch | undefined,
      seq: 0,
    }))
    let sent = 0
    let again = 0
    for (let life = 0; life < 10; life++) {
      const running = await start()
      let left = 20 + Math.floor(random() * 200)
      const work = isolates.map(async (isolate) => {
        for (;;) {
          if (isolate.unacknowledged) again += 1
          else {
            isolate.unacknowledged = batchOf(isolate.name, ++isolate.seq, Math.floor(random() * 20))
            sent += isolate.unacknowledged.added.counters[REQUESTS] ?? 0
          }
          const answer = await take(isolate.unacknowledged).catch(() => undefined)
          if (!answer) return
          isolate.unacknowledged = undefined
          // SIGKILL, with the rest of them under way.
          if (--left === 0) void running.close()
        }
      })
      await Promise.all(work)
      await running.close()
    }
    await start()
    for (const { unacknowledged } of isolates) if (unacknowledged) await take(unacknowledged)
    expect(again).toBeGreaterThan(100)
    expect(await counted()).toBe(sent)
    // And once more, all at rest.
    await served?.close()
    await start()
    expect(await counted()).toBe(sent)
  })

  it('is counted exactly when more comes than a shard can answer in time', { timeout: 120_000 }, async () => {
    await start()
    let gaveUp = 0
    // Four hundred isolates of one shard at once, each as impatient as its shard is slow.
    const names = Array.from({ length: 20_000 }, (_, i) => `isolate ${i}`)
      .filter((name) => shardName('weur', name) === 'weur-3')
      .slice(0, 400)
    const flushMs: number[] = []
    await Promise.all(
      names.map(async (name) => {
        for (let seq = 1; seq <= 5; seq++) {
          const batch = batchOf(name, seq, 10)
          for (let patienceMs = 50; ; patienceMs *= 2) {
            const answer = await take(batch, AbortSignal.timeout(patienceMs)).catch(() => undefined)
            if (answer) {
              flushMs.push(answer.flushMs)
              break
            }
            gaveUp += 1
          }
        }
      }),
    )
    expect(gaveUp).toBeGreaterThan(0)
    expect(await counted()).toBe(400 * 5 * 10)
    // It told them to come less often.
    await ask({ binding: 'SHARD', name: 'weur-3', method: 'live', args: [1] })
    expect((await take(batchOf(names[0] ?? '', 6, 0))).flushMs).toBe(2_500)
    console.log(`${gaveUp} calls were given up, and sent again`)
  })
})

describe('an isolate', () => {
  it('has every request counted, also of callers who left', { timeout: 60_000 }, async () => {
    const random = seededRandom(SEED)
    const { port } = await start(join(isolate, 'metrics-isolate.js'))
    const url = `http://127.0.0.1:${port}/`
    let answered = 0
    let left = 0
    const caller = async () => {
      for (let i = 0; i < 60; i++) {
        const signal = AbortSignal.timeout(random() < 0.2 ? 1 + Math.floor(random() * 20) : 20_000)
        const response = await fetch(url, { method: 'POST', signal }).catch(() => undefined)
        if (response && (await response.text().catch(() => '')) === 'counted') answered += 1
        else left += 1
      }
    }
    await Promise.all(Array.from({ length: 30 }, caller))
    expect(left).toBeGreaterThan(50)
    const seen = async () => (await (await fetch(url)).json()) as { received: number; counted: number }
    const { received } = await seen()
    expect(received).toBeGreaterThanOrEqual(answered)
    // Nobody else comes: those who were here see to it that all is sent.
    await expect.poll(async () => (await seen()).counted, { timeout: 15_000, interval: 200 }).toBe(received)
    expect((await seen()).received).toBe(received)
  })
})

describe('the hub', () => {
  it('tells what all shards took, also after a restart, and shows it live', { timeout: 60_000 }, async () => {
    await start()
    for (let i = 0; i < 60; i++) await take(batchOf(`isolate ${i}`, 1, 10))
    const live: Live[] = (await ask({ binding: 'HUB', name: 'hub', method: 'watch', args: [60], lines: 2 }))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(live.at(-1)?.window.amounts.counters).toEqual({ [REQUESTS]: 600 })
    expect(live.at(-1)?.isolates).toBe(60)
    const expected = {
      counters: { [REQUESTS]: 600 },
      histograms: { 'request_duration_seconds{mode="1"}': { counts: [120, 480, 0] } },
    }
    expect(await snapshot()).toMatchObject({ totals: expected, isolates: 60, away: 0 })
    await served?.close()
    await start()
    expect(await snapshot()).toMatchObject({ totals: expected, away: 0 })
  })
})
