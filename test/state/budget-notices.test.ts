import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bundle, freePort, type Served, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import { type Listening, listen, readText } from '../../scripts/stack/http.ts'
import type { Budget, BudgetState } from '../../src/cost/budget.ts'
import type { SpendVerdict } from '../../src/cost/spend.ts'
import { toParcel } from '../../src/feedback/outbox.ts'
import type { AlertOverview } from '../../workers/state/metrics-alerts.ts'
import { ROOT } from '../support/stores.ts'
import { idOf, paidRecord, rowOf } from '../support/telemetry.ts'

// Accounts and hub as they would be deployed, on raw workerd and on disk, with channels that are real HTTP; killed
// without warning between any two of them.

const DOOR = `export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok')
    const { object, name, calls } = await request.json()
    const stub = env[object].get(env[object].idFromName(name))
    const answers = await Promise.all(calls.map(async ([call, ...args]) => stub[call](...args)))
    return Response.json(answers.map((answer) => answer ?? null))
  }
}`
const TOKEN_NANO = 1_000
const MODEL = {
  route: 'own:m',
  provider: 'own',
  model: 'm',
  endpoint: 'own',
  price: { inputUsdPerMTok: 1, outputUsdPerMTok: 0 },
}
const POLL = { timeout: 20_000, interval: 20 }
const ALL = ['slack', 'pagerduty', 'email'] as const
type Name = (typeof ALL)[number]

interface Heard {
  readonly text: string
  /** Under which the other side knows it again. */
  readonly key: string
  readonly severity: string
}
interface Service extends Listening {
  readonly tried: Heard[]
  readonly taken: Heard[]
  behave: (response: ServerResponse) => void
}
const answers = (status: number) => (response: ServerResponse) => void response.writeHead(status).end('{}')

/** undefined where the sender was killed in the middle of it. */
const textOf = (request: IncomingMessage) => readText(request).catch(() => undefined)

async function service(): Promise<Service> {
  const [tried, taken]: [Heard[], Heard[]] = [[], []]
  const listening = await listen(0, async (request, response) => {
    const text = await textOf(request)
    if (text === undefined) return
    const body = JSON.parse(text)
    const key = body.dedup_key ?? request.headers['idempotency-key'] ?? ''
    const heard = { text, key, severity: body.payload?.severity ?? '' }
    tried.push(heard)
    response.once('finish', () => response.statusCode < 300 && taken.push(heard))
    made.behave(response)
  })
  const made: Service = Object.assign(listening, { tried, taken, behave: answers(200) })
  return made
}

let dir: string
let state: string
let services: Record<Name, Service>
let queue: Listening
let served: Served | undefined

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'beast-budget-notices-'))
  mkdirSync(join(dir, 'door'))
  writeFileSync(join(dir, 'door/door.js'), DOOR)
  state = join(bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state')), 'index.js')
})
beforeEach(async () => {
  mkdirSync(join(dir, 'disk'))
  const [slack, pagerduty, email] = await Promise.all([service(), service(), service()])
  services = { slack, pagerduty, email }
  queue = await listen(0, async (request, response) => {
    await textOf(request)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}')
  })
})
afterEach(async () => {
  await served?.close()
  served = undefined
  await Promise.all([queue.close(), ...ALL.map((name) => services[name].close())])
  rmSync(join(dir, 'disk'), { recursive: true, force: true })
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Setting {
  readonly on?: readonly Name[]
  /** Without it accounts cannot reach the hub. */
  readonly isHubThere?: boolean
  readonly by?: string
}

/** Kills what runs, and starts it on the same disk. */
async function start({ on = ALL, isHubThere = true, by = 'gateway' }: Setting = {}): Promise<void> {
  await served?.close()
  const port = await freePort()
  const door = {
    mainFile: join(dir, 'door/door.js'),
    bindings: ['Account', 'MetricsHub'].map(
      (name) => `(name = "${name}", durableObjectNamespace = (className = "${name}", serviceName = "state"))`,
    ),
  }
  const settings: Record<Name, Record<string, string>> = {
    slack: { SLACK_WEBHOOK_URL: `${services.slack.url}/hook` },
    pagerduty: { PAGERDUTY_ROUTING_KEY: 'key', PAGERDUTY_BASE_URL: services.pagerduty.url },
    email: {
      RESEND_API_KEY: 'key',
      RESEND_BASE_URL: services.email.url,
      ALERT_EMAIL_FROM: 'a@example.com',
      ALERT_EMAIL_TO: 'b@example.com',
    },
  }
  const names = ['Account', 'MetricsHub', 'MetricsShard']
  const objects = {
    mainFile: state,
    texts: { ALERTS_BY: by, ...Object.assign({}, ...on.map((name) => settings[name])) },
    bindings: [
      '(name = "TELEMETRY", queue = "queue")',
      '(name = "METRICS_SHARD", durableObjectNamespace = "MetricsShard")',
      ...(isHubThere ? ['(name = "METRICS_HUB", durableObjectNamespace = "MetricsHub")'] : []),
    ],
    more: [
      `durableObjectNamespaces = [${names.map((name) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`).join(', ')}]`,
      'durableObjectStorage = (localDisk = "disk")',
    ],
  }
  const config = writeConfig(join(dir, 'all.capnp'), port, door, { state: objects }, [
    `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`,
    `(name = "queue", external = (address = "127.0.0.1:${queue.port}", http = ()))`,
  ])
  served = await serve(config, port, '/')
}

async function calls<T>(object: string, name: string, ...wanted: readonly unknown[][]): Promise<T[]> {
  const response = await fetch(`http://127.0.0.1:${served?.port}/`, {
    method: 'POST',
    body: JSON.stringify({ object, name, calls: wanted }),
  })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return (await response.json()) as T[]
}
const budget = (tokens: number, more: Partial<Budget> = {}): Budget => ({
  keyId: null,
  period: 'month',
  limitNanoUsd: tokens * TOKEN_NANO,
  isHard: false,
  ...more,
})
const setBudget = (tenant: string, ...budgets: Budget[]) =>
  calls('Account', tenant, ['setBudgets', budgets, [], tenant])
const overview = async () => (await calls<AlertOverview>('MetricsHub', 'hub', ['alerts']))[0] as AlertOverview
const waiting = async () => (await overview()).channels.map((channel) => channel.waiting)

let number = 0
const ask = (id: number, tokens: number) => [
  'maySpend',
  'key',
  toParcel({ kind: 'prediction', row: rowOf(id, { keyId: 'key', receivedAtMs: Date.now() }) }),
  { predictionId: idOf(id), attempt: 0, nanoUsd: tokens * TOKEN_NANO, call: MODEL },
]
const settlement = (id: number, tokens: number) => [
  'settle',
  toParcel(
    paidRecord(rowOf(id, { keyId: 'key', receivedAtMs: Date.now() }), [
      { ...MODEL, usage: { inputTokens: tokens, outputTokens: 0 } },
    ]),
  ),
]
/** One request from its first question to its settlement. */
async function spend(tenant: string, tokens: number): Promise<SpendVerdict | undefined> {
  const id = ++number
  const [verdict] = await calls<SpendVerdict>('Account', tenant, ask(id, tokens))
  if (verdict?.kind === 'allowed') await calls('Account', tenant, settlement(id, tokens))
  return verdict
}

const stepOf = ({ text }: Heard): string => {
  const [, percent] = /(\d+) % of the (?:soft|hard)/.exec(text) ?? []
  const [, tenant] = /of tenant (\w+)/.exec(text) ?? []
  return `${tenant} ${percent ?? 100}`
}
const taken = (name: Name) => services[name].taken.map(stepOf)
const tried = (name: Name) => services[name].tried.map(stepOf)

describe('a budget', () => {
  it('is told of once at each threshold, two tenants side by side, and stops nothing', {
    timeout: 60_000,
  }, async () => {
    await start()
    await setBudget('acme', budget(100))
    await setBudget('globex', budget(1_000, { isHard: true, period: 'day' }))
    for (let i = 0; i < 12; i++) {
      expect((await spend('acme', 10))?.kind).toBe('allowed')
      await spend('globex', 10)
    }
    const acme = ['acme 50', 'acme 80', 'acme 100']
    await expect.poll(() => taken('slack'), POLL).toEqual(acme)
    // A hard budget of which no more fits: nine refusals, one notice.
    for (let i = 0; i < 6; i++) await spend('globex', 120)
    for (let i = 0; i < 9; i++) expect((await spend('globex', 180))?.kind).toBe('exceeded')
    const globex = ['globex 50', 'globex 80', 'globex 100']
    await expect.poll(() => taken('slack'), POLL).toEqual([...acme, ...globex])
    await expect.poll(() => taken('email'), POLL).toEqual([...acme, ...globex])
    await expect.poll(() => taken('pagerduty'), POLL).toEqual([...acme.slice(1), ...globex.slice(1)])
    expect(services.pagerduty.taken.map(({ severity }) => severity)).toEqual([
      'info',
      'info',
      'info',
      'warning',
    ])
    expect(services.slack.taken.at(-1)?.text).toContain('is used up: requests are refused')
    expect(await waiting()).toEqual([0, 0, 0])
    expect(ALL.map((name) => services[name].tried.length)).toEqual([6, 4, 6])
  })

  it('that two hundred settlements at once take over 80 % is told of once', { timeout: 60_000 }, async () => {
    await start()
    await setBudget('acme', budget(2_200))
    const ids = Array.from({ length: 200 }, () => ++number)
    await calls('Account', 'acme', ...ids.map((id) => ask(id, 10)))
    // Half of them are told twice, as by a gateway that had no answer.
    const settlements = ids.flatMap((id) =>
      id % 2 ? [settlement(id, 10)] : Array(2).fill(settlement(id, 10)),
    )
    await Promise.all(
      Array.from({ length: 4 }, (_, part) =>
        calls('Account', 'acme', ...settlements.filter((_, place) => place % 4 === part)),
      ),
    )
    const [states] = await calls<BudgetState[]>('Account', 'acme', ['budgetStates'])
    expect(states).toMatchObject([{ spentNanoUsd: 2_000 * TOKEN_NANO, reservedNanoUsd: 0 }])
    await expect.poll(() => taken('slack'), POLL).toEqual(['acme 50', 'acme 80'])
    // What it had to tell more would come with this, or before it.
    await setBudget('globex', budget(100))
    await spend('globex', 60)
    await expect.poll(() => taken('slack'), POLL).toEqual(['acme 50', 'acme 80', 'globex 50'])
    await expect.poll(() => taken('email'), POLL).toEqual(['acme 50', 'acme 80', 'globex 50'])
    expect(tried('pagerduty')).toEqual(['acme 80'])
  })
})

describe('a notice', () => {
  it('survives that the hub is away, and that account, hub and channel are killed, and is taken once', {
    timeout: 90_000,
  }, async () => {
    await start({ isHubThere: false })
    await setBudget('acme', budget(100))
    expect((await spend('acme', 85))?.kind).toBe('allowed')
    // It has tried, and goes on taking requests.
    await expect.poll(async () => (await spend('acme', 1))?.kind, POLL).toBe('allowed')
    expect(ALL.flatMap(tried)).toEqual([])

    for (const name of ALL) services[name].behave = answers(503)
    await start()
    // The account's own alarm wakes it: nobody asks it for anything.
    await expect.poll(() => ALL.every((name) => tried(name).length > 0), POLL).toBe(true)
    // They have it, and do not say so.
    for (const name of ALL) services[name].behave = () => {}
    await start()
    const before = ALL.map((name) => tried(name).length)
    await expect
      .poll(async () => {
        await overview()
        return ALL.every((name, place) => tried(name).length > (before[place] ?? 0))
      }, POLL)
      .toBe(true)
    for (const name of ALL) services[name].behave = answers(200)
    await start()
    await expect.poll(() => taken('slack'), POLL).toEqual(['acme 50', 'acme 80'])
    await expect.poll(() => taken('email'), POLL).toEqual(['acme 50', 'acme 80'])
    await expect.poll(() => taken('pagerduty'), POLL).toEqual(['acme 80'])
    // However often it was tried: to those who know keys it is one.
    for (const name of ['pagerduty', 'email'] as const)
      expect(new Set(services[name].tried.map(({ key }) => key)).size).toBe(taken(name).length)

    // Awake anew, the account knows what it told.
    await setBudget('acme', budget(100))
    await spend('acme', 1)
    await setBudget('globex', budget(100))
    await spend('globex', 60)
    await expect.poll(() => taken('slack'), POLL).toEqual(['acme 50', 'acme 80', 'globex 50'])
    expect(taken('pagerduty')).toEqual(['acme 80'])
  })

  it('that the hub has already, because its answer was lost, changes nothing', {
    timeout: 60_000,
  }, async () => {
    await start()
    const news = {
      id: 'object tenant 2026-11 80',
      tenant: 'acme',
      keyId: null,
      period: 'month',
      periodName: '2026-11',
      percent: 80,
      isHard: false,
      limitNanoUsd: 100,
      spentNanoUsd: 80,
      resetsAtMs: Date.now(),
      atMs: Date.now(),
    }
    await calls('MetricsHub', 'hub', ...Array(20).fill(['budgetNews', [news, news]]))
    await expect.poll(() => [taken('slack'), taken('pagerduty')], POLL).toEqual([['acme 80'], ['acme 80']])
    await expect.poll(waiting, POLL).toEqual([0, 0, 0])
    await start()
    await calls('MetricsHub', 'hub', ['budgetNews', [news]])
    await calls('MetricsHub', 'hub', ['budgetNews', [{ ...news, id: 'other', percent: 50 }]])
    await expect.poll(() => taken('slack'), POLL).toEqual(['acme 80', 'acme 50'])
  })

  it('goes out beside Alertmanager and in a silence; a channel that is off gets it when it is on', {
    timeout: 60_000,
  }, async () => {
    await start({ on: ['email'], by: 'alertmanager' })
    await calls('MetricsHub', 'hub', ['silence', 'all', Date.now() + 3_600_000])
    await setBudget('acme', budget(100))
    await spend('acme', 85)
    await expect.poll(() => taken('email'), POLL).toEqual(['acme 50', 'acme 80'])
    await start({ by: 'alertmanager' })
    expect((await overview()).sentBy).toBe('alertmanager')
    await expect.poll(() => taken('slack'), POLL).toEqual(['acme 50', 'acme 80'])
    await expect.poll(() => taken('pagerduty'), POLL).toEqual(['acme 80'])
    await start()
    await overview()
    await spend('acme', 20)
    await expect.poll(() => taken('pagerduty'), POLL).toEqual(['acme 80', 'acme 100'])
    await expect.poll(() => taken('slack'), POLL).toEqual(['acme 50', 'acme 80', 'acme 100'])
    expect(tried('email').slice(0, 2)).toEqual(['acme 50', 'acme 80'])
  })

  it('of a tenant that is erased meanwhile is dropped', { timeout: 60_000 }, async () => {
    await start({ isHubThere: false })
    await setBudget('gone', budget(100))
    await spend('gone', 85)
    await calls('Account', 'gone', ['erase'])
    await start()
    expect(await calls('Account', 'gone', ['budgetStates'])).toEqual([[]])
    await setBudget('acme', budget(100))
    await spend('acme', 60)
    await expect.poll(() => taken('slack'), POLL).toEqual(['acme 50'])
  })

  it('of several thresholds at once comes in their order', { timeout: 60_000 }, async () => {
    await start()
    await setBudget('acme', budget(100))
    await spend('acme', 100)
    await expect.poll(() => taken('email'), POLL).toEqual(['acme 50', 'acme 80', 'acme 100'])
    await expect.poll(() => taken('slack'), POLL).toEqual(['acme 50', 'acme 80', 'acme 100'])
    await expect.poll(() => taken('pagerduty'), POLL).toEqual(['acme 80', 'acme 100'])
  })
})
