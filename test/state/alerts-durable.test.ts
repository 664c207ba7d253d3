import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bundle, freePort, type Served, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import { type Listening, listen, readText } from '../../scripts/stack/http.ts'
import type { AlertOverview } from '../../workers/state/metrics-alerts.ts'
import { ROOT } from '../support/stores.ts'

// The hub on raw workerd, on disk, rung by its own alarms, killed without warning. The clock that it sees runs
// through the past, minute by minute, until it is now: an alarm of the past rings at once.

const MINUTE_MS = 60_000
let dir: string
let out: string
let served: Served | undefined
let slack: Service
let pagerduty: Service

type Behaviour = (response: ServerResponse) => void
const answers =
  (status: number): Behaviour =>
  (response) =>
    void response.writeHead(status).end('{}')

interface Service extends Listening {
  /** What it took, in its own words. */
  readonly taken: string[]
  readonly tried: string[]
  behave: Behaviour
}
async function service(wordOf: (body: Record<string, string>) => string): Promise<Service> {
  const [taken, tried]: [string[], string[]] = [[], []]
  const listening = await listen(0, async (request, response) => {
    const word = wordOf(JSON.parse(await readText(request)))
    tried.push(word)
    response.once('finish', () => response.statusCode < 300 && taken.push(word))
    made.behave(response)
  })
  const made: Service = Object.assign(listening, { taken, tried, behave: answers(200) })
  return made
}

/** @param nowMs what its clock says at first */
async function start(nowMs: number): Promise<void> {
  const port = await freePort()
  const objects = ['MetricsShard', 'MetricsHub']
  const main = {
    mainFile: join(out, 'alerts-hub.js'),
    texts: {
      AHEAD_MS: String(nowMs - Date.now()),
      SLACK_WEBHOOK_URL: `${slack.url}/hook`,
      PAGERDUTY_ROUTING_KEY: 'key',
      PAGERDUTY_BASE_URL: pagerduty.url,
    },
    bindings: [
      '(name = "METRICS_SHARD", durableObjectNamespace = "MetricsShard")',
      '(name = "METRICS_HUB", durableObjectNamespace = "MetricsHub")',
    ],
    more: [
      `durableObjectNamespaces = [${objects.map((name) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`).join(', ')}]`,
      'durableObjectStorage = (localDisk = "disk")',
    ],
  }
  const disk = `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`
  served = await serve(writeConfig(join(dir, 'all.capnp'), port, main, {}, [disk]), port, '/')
}

async function ask(nowMs: number, batch?: object): Promise<AlertOverview> {
  const response = await fetch(`http://127.0.0.1:${served?.port}/`, {
    method: 'POST',
    body: JSON.stringify({ nowMs, batch }),
  })
  if (!response.ok) throw new Error(`${response.status}`)
  return (await response.json()) as AlertOverview
}

let seq = 0
/** One request in ten fails in this minute. */
async function count(atMs: number, error = 10): Promise<void> {
  const counters = {
    'requests_total{mode="1",outcome="error"}': error,
    'requests_total{mode="1",outcome="success"}': 100 - error,
  }
  const added = { counters, histograms: {}, gauges: {} }
  await ask(atMs + 10_000, { isolate: 'i', seq: ++seq, added, sketches: {} })
}
/** The same, and then its alarm is waited for. */
async function minute(atMs: number, error?: number): Promise<AlertOverview> {
  await count(atMs, error)
  return judged(atMs + MINUTE_MS)
}
async function judged(atMs: number): Promise<AlertOverview> {
  await expect.poll(async () => (await ask(atMs + 2_000)).evaluatedMs, POLL).toBe(atMs)
  return ask(atMs + 2_000)
}
const POLL = { timeout: 15_000, interval: 20 }

const errorRate = ({ alerts }: AlertOverview) => alerts.find(({ rule }) => rule === 'HighErrorRate')
const waiting = ({ channels }: AlertOverview) => channels.map((channel) => channel.waiting)

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'beast-alerts-'))
  out = bundle(ROOT, 'test/state/alerts-hub.toml', join(dir, 'out'))
})
beforeEach(async () => {
  mkdirSync(join(dir, 'disk'), { recursive: true })
  slack = await service(({ text = '' }) => (text.includes('resolved') ? 'resolved' : 'firing'))
  pagerduty = await service(({ event_action = '', dedup_key = '' }) => `${event_action} ${dedup_key}`)
  seq = 0
})
afterEach(async () => {
  await served?.close()
  await Promise.all([slack.close(), pagerduty.close()])
  rmSync(join(dir, 'disk'), { recursive: true, force: true })
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** The sixth minute's end is the last that is over by now. */
const startMs = () => Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 6 * MINUTE_MS

describe('an alert', () => {
  it('fires by the hub’s own alarm, and is told once by each channel, by retries too', {
    timeout: 60_000,
  }, async () => {
    const atMs = startMs()
    await start(atMs)
    slack.behave = answers(500)
    for (let m = 0; m < 5; m++) {
      expect(errorRate(await minute(atMs + m * MINUTE_MS))?.state).toBe('pending')
      expect([slack.tried, pagerduty.tried]).toEqual([[], []])
    }
    expect(errorRate(await minute(atMs + 5 * MINUTE_MS))).toMatchObject({ state: 'firing' })
    const key = `beast-mode-edge HighErrorRate ${atMs + 6 * MINUTE_MS}`
    await expect.poll(() => pagerduty.taken, POLL).toEqual([`trigger ${key}`])
    await expect.poll(() => slack.tried.length, POLL).toBeGreaterThanOrEqual(2)
    slack.behave = answers(200)
    await expect.poll(() => slack.taken, POLL).toEqual(['firing'])
    expect(pagerduty.tried).toHaveLength(1)
    expect(waiting(await ask(Date.now()))).toEqual([0, 0, 0])
  })

  it('that fired before the hub was killed is told once after its restart', { timeout: 60_000 }, async () => {
    const atMs = startMs() - 10 * MINUTE_MS
    await start(atMs)
    const down = answers(503)
    slack.behave = down
    pagerduty.behave = down
    for (let m = 0; m < 6; m++) await minute(atMs + m * MINUTE_MS)
    await expect.poll(() => [slack.tried.length > 0, pagerduty.tried.length > 0], POLL).toEqual([true, true])
    await served?.close()
    expect([slack.taken, pagerduty.taken]).toEqual([[], []])
    await start(atMs + 7 * MINUTE_MS)
    slack.behave = answers(200)
    pagerduty.behave = answers(202)
    // Well past the longest wait between attempts.
    expect(errorRate(await judged(atMs + 8 * MINUTE_MS))).toMatchObject({ told: ['slack', 'pagerduty'] })
    await expect.poll(() => slack.taken, POLL).toEqual(['firing'])
    const key = `beast-mode-edge HighErrorRate ${atMs + 6 * MINUTE_MS}`
    await expect.poll(() => pagerduty.taken, POLL).toEqual([`trigger ${key}`])
    await served?.close()
    await start(atMs + 8 * MINUTE_MS)
    for (let m = 8; m < 15; m++) await minute(atMs + m * MINUTE_MS, 0)
    await expect.poll(() => pagerduty.taken, POLL).toEqual([`trigger ${key}`, `resolve ${key}`])
    await expect.poll(() => slack.taken, POLL).toEqual(['firing', 'resolved'])
  })

  it('whose notice was under way when the hub was killed comes again, under the same key', {
    timeout: 60_000,
  }, async () => {
    const atMs = startMs() - 10 * MINUTE_MS
    await start(atMs)
    // Both have it, and neither says so.
    slack.behave = () => {}
    pagerduty.behave = () => {}
    for (let m = 0; m < 5; m++) await minute(atMs + m * MINUTE_MS)
    await count(atMs + 5 * MINUTE_MS)
    await ask(atMs + 6 * MINUTE_MS + 2_000)
    await expect.poll(() => [slack.tried.length, pagerduty.tried.length], POLL).toEqual([1, 1])
    await served?.close()
    slack.behave = answers(200)
    pagerduty.behave = answers(202)
    await start(atMs + 7 * MINUTE_MS)
    await judged(atMs + 8 * MINUTE_MS)
    await expect.poll(() => [slack.tried.length, pagerduty.tried.length], POLL).toEqual([2, 2])
    expect(new Set(pagerduty.tried).size).toBe(1)
    expect(waiting(await judged(atMs + 9 * MINUTE_MS))).toEqual([0, 0, 0])
    expect([slack.tried.length, pagerduty.tried.length]).toEqual([2, 2])
  })
})
