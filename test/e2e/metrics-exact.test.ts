import { spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { keyBytes } from '../../scripts/bench/workload.ts'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import { SHARD_NAMES, SHARDS } from '../../src/metrics/shard-name.ts'
import { createVirtualKey } from '../../src/tenants/virtual-key.ts'
import { type MetricsFleet, startMetricsFleet } from '../support/metrics-fleet.ts'
import { describeWith, promtoolPresent } from '../support/require.ts'
import { chat } from '../support/workers.ts'
import { readMetrics } from './metrics-text.ts'

// Gateways on raw workerd, where a caller's leaving is seen, with the real shards and their hub on disk. LONG=1 for more.

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${SEED}`)
const random = seededRandom(SEED)
const REQUESTS = process.env.LONG === '1' ? 20_000 : 2_000
const CALLERS = 24
const GATEWAYS = 6
const TOKEN = 'm'.repeat(43)
const key = createVirtualKey(keyBytes(0))
const wrongKey = createVirtualKey(keyBytes(99_999))

type Outcome = 'success' | 'client_error' | 'error' | 'cancelled'

let provider: SimulatedProvider
let fleet: MetricsFleet
let serial = 0

beforeAll(async () => {
  provider = await startSimulatedProvider()
  fleet = await startMetricsFleet(GATEWAYS, provider.url, TOKEN)
}, 120_000)
afterAll(async () => {
  await fleet?.close()
  await provider?.close()
})

/** Hangs up while the cache is looked up. */
async function leaveAtLookUp(text: string): Promise<Outcome> {
  const call = { key, text: JSON.stringify(bodyOf(text, random() < 0.5)), ms: 2 + Math.floor(random() * 50) }
  const response = await fetch(`http://127.0.0.1:${fleet.frontPort}/`, {
    method: 'POST',
    body: JSON.stringify(call),
  })
  expect(await response.text()).toBe('left')
  return 'cancelled'
}

const gatewayOf = (i: number) => `http://127.0.0.1:${fleet.ports[i % GATEWAYS]}`
const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
const bodyOf = (text: string, stream: boolean, model = 'bench:model') => ({
  model,
  stream,
  messages: [{ role: 'user', content: text }],
})
const scrape = async (path = '/metrics', accept = '*/*'): Promise<string> => {
  const headers = { authorization: `Bearer ${TOKEN}`, accept }
  return (await fetch(gatewayOf(0) + path, { headers })).text()
}
const door = async (name: string, method: string, ...args: unknown[]): Promise<unknown> => {
  const call = { method: 'POST', body: JSON.stringify({ name, method, args }) }
  return (await fetch(`${gatewayOf(0)}/door`, call)).json()
}

/** Sends a request to its end, and says how it ended, as its caller sees it. */
async function complete(i: number, body: unknown, presented: string | undefined = key): Promise<Outcome> {
  const response = await chat(gatewayOf(i), presented, body)
  const text = await response.text()
  if (response.ok && !text.includes('"error"')) return 'success'
  const error = /"fault":\s*"(\w+)"/.exec(text)?.[1]
  return error === 'caller' ? 'client_error' : 'error'
}

/** Hangs up once the provider was asked, or after some of the answer. */
async function leave(i: number, text: string, stream: boolean, bytes: number): Promise<Outcome> {
  const json = JSON.stringify(bodyOf(text, stream))
  let seen = ''
  const socket = connect(fleet.ports[i % GATEWAYS] as number, '127.0.0.1', () =>
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-length: ${json.length}\r\n\r\n${json}`,
    ),
  )
  socket.on('error', () => {})
  socket.on('data', (data) => {
    seen += data
  })
  const asked = () => provider.requests.slice(-500).some(({ body }) => body.includes(text))
  await expect
    .poll(() => seen.length > bytes || (bytes === 0 && asked()), { interval: 5, timeout: 10_000 })
    .toBe(true)
  socket.destroy()
  // A provider that is left alone for a while was not asked: the caller got its error before it left.
  if (seen !== '' && !seen.startsWith('HTTP/1.1 200')) return 'error'
  // workerd alone, without the network in front of it, does not see who leaves before a plain answer: it is answered.
  return stream ? 'cancelled' : 'success'
}

/** Hangs up in the middle of its own body. */
async function leaveEarly(i: number): Promise<Outcome> {
  await new Promise<void>((resolve) => {
    const socket = connect(fleet.ports[i % GATEWAYS] as number, '127.0.0.1', () =>
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-length: 500\r\n\r\n{"model":`,
        () => socket.destroy(),
      ),
    )
    socket.on('error', () => {})
    socket.on('close', () => resolve())
  })
  return 'client_error'
}

/** One request of a mixed load. */
async function request(i: number): Promise<Outcome> {
  const unique = `${SEED} ${serial++}`
  const lot = random()
  if (lot < 0.45) return complete(i, bodyOf(`again ${Math.floor(random() * 40)}`, random() < 0.3))
  if (lot < 0.6) return complete(i, bodyOf(`[[sim: latency=5]] ${unique}`, false))
  if (lot < 0.7) return complete(i, bodyOf(unique, true))
  if (lot < 0.72)
    return complete(i, bodyOf(`[[sim: error=cut at=${200 + Math.floor(random() * 400)}]] ${unique}`, true))
  if (lot < 0.74)
    return complete(i, bodyOf(`[[sim: status=${pick([500, 503, 400])}]] ${unique}`, random() < 0.5))
  if (lot < 0.8) return complete(i, pick(['{', '[]', JSON.stringify({ model: 'bench:model' })]))
  if (lot < 0.83) return complete(i, bodyOf(unique, false, `junk:${unique}`))
  if (lot < 0.85) return complete(i, bodyOf(unique, false), pick([undefined, wrongKey]))
  if (lot < 0.875) return leaveEarly(i)
  if (lot < 0.9) return leaveAtLookUp(unique)
  if (lot < 0.95) return leave(i, `[[sim: latency=400]] ${unique}`, random() < 0.5, 0)
  return leave(i, `[[sim: rate=40]] ${unique}`, true, 600)
}

it('counts every request once, while two shards are killed and one is overloaded', {
  timeout: 600_000,
}, async () => {
  const sent: Record<Outcome, number> = { success: 0, client_error: 0, error: 0, cancelled: 0 }
  const send = async (i: number) => {
    sent[await request(i)] += 1
  }
  for (let i = 0; i < GATEWAYS; i++) sent[await complete(i, bodyOf(`first ${i}`, false))] += 1
  const shards = await busyShards()
  expect(shards.length).toBeGreaterThanOrEqual(3)
  const [first = '', second = '', third = ''] = shards
  let left = REQUESTS - GATEWAYS
  let done = false
  const callers = Array.from({ length: CALLERS }, async () => {
    while (left > 0) await send(left--)
  })
  const faults = async () => {
    for (let n = 0; !done; n++) {
      await door(first, 'misbehave', n % 2 ? 'killed_before' : 'killed_behind', 1).catch(() => {})
      await door(second, 'misbehave', n % 2 ? 'killed_behind' : 'killed_before', 1).catch(() => {})
      // For a few seconds at a time: while it is without end nothing can come through.
      if (n % 6 === 0) await door(third, 'misbehave', 'overloaded', 3).catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
  }
  const misbehaving = faults()
  await Promise.all(callers)
  done = true
  await misbehaving
  for (const shard of shards) await door(shard, 'misbehave', 'overloaded', 0)
  const total = Object.values(sent).reduce((sum, count) => sum + count, 0)
  expect(total).toBe(REQUESTS)
  const seen = async () => {
    const { sum, by } = readMetrics(await scrape())
    const outcomes = by('beast_requests_total', 'outcome')
    return { received: sum('beast_requests_received_total'), outcomes }
  }
  console.log(JSON.stringify(sent))
  await expect.poll(seen, { timeout: 60_000, interval: 500 }).toEqual({ received: REQUESTS, outcomes: sent })
  // One more each: what would have been counted twice would be here by now.
  for (let i = 0; i < GATEWAYS; i++) sent[await complete(i, bodyOf(`last ${i}`, false))] += 1
  await expect
    .poll(seen, { timeout: 60_000, interval: 500 })
    .toEqual({ received: REQUESTS + GATEWAYS, outcomes: sent })

  const { sum, by, samples } = readMetrics(await scrape())
  expect(sum('beast_request_duration_seconds_count')).toBe(sum('beast_requests_total'))
  const { hit = 0, miss = 0, bypass = 0 } = by('beast_requests_total', 'cache')
  expect(sum('beast_cache_lookups_total')).toBe(hit + miss + bypass)
  expect(sum('beast_llm_calls_total', { cached: 'true' })).toBe(hit)
  expect(hit).toBeGreaterThan(REQUESTS / 10)
  expect(sum('beast_telemetry_dropped_total')).toBe(0)
  // Names that were made up are no label.
  expect(JSON.stringify(samples)).not.toContain('junk')
})

/** Those that an isolate sends to. */
async function busyShards(): Promise<string[]> {
  const names = SHARD_NAMES.slice(SHARDS, 2 * SHARDS)
  const busy = async () => {
    const isolates = await Promise.all(
      names.map(async (name) => ((await door(name, 'report', 0)) as { isolates: number }).isolates),
    )
    return { names: names.filter((_, i) => isolates[i]), isolates: isolates.reduce((a, b) => a + b, 0) }
  }
  await expect.poll(async () => (await busy()).isolates, { timeout: 15_000, interval: 200 }).toBe(GATEWAYS)
  return (await busy()).names
}

describeWith('promtool', promtoolPresent, 'a live scrape', () => {
  it('passes promtool check metrics', async () => {
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: await scrape(), encoding: 'utf8' })
    expect(checked.stdout + checked.stderr).toBe('')
    expect(checked.status).toBe(0)
  })
})

it('shows each shard by itself, and together they are the whole', async () => {
  const targets = JSON.parse(await scrape('/metrics/targets')) as { labels: { __metrics_path__: string } }[]
  expect(targets.length).toBeGreaterThanOrEqual(3)
  let received = 0
  for (const { labels } of targets)
    received += readMetrics(await scrape(labels.__metrics_path__)).sum('beast_requests_received_total')
  expect(received).toBe(readMetrics(await scrape()).sum('beast_requests_received_total'))
})

it('names the request behind a slow answer to those that speak OpenMetrics', async () => {
  const text = await scrape('/metrics', 'application/openmetrics-text; version=1.0.0')
  expect(text).toMatch(
    /beast_request_duration_seconds_bucket\{[^}]*\} \d+ # \{trace_id="[0-9a-f]{32}"\} [\d.]+ [\d.]+\n/,
  )
  expect(text.endsWith('# EOF\n')).toBe(true)
  expect(await scrape()).not.toContain('trace_id')
})

it.each(['/metrics', '/metrics/targets', '/metrics/shard/0'])(
  '%s is closed to all but its token',
  async (path) => {
    for (const presented of [undefined, key, `${TOKEN}m`, TOKEN.slice(1), 'o'.repeat(43)]) {
      const headers = new Headers(presented === undefined ? {} : { authorization: `Bearer ${presented}` })
      const response = await fetch(gatewayOf(0) + path, { headers })
      expect(response.status).toBe(401)
      expect(await response.text()).toContain('METRICS_TOKEN')
    }
  },
)

it.each(['144', '-1', 'x', '1.5', '0x1', '9999'])('there is no shard %s', async (n) => {
  const response = await fetch(`${gatewayOf(0)}/metrics/shard/${n}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  })
  expect(response.status).toBe(404)
  await response.body?.cancel()
})
