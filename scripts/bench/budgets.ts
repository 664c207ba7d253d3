import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uuidv7 } from '../../src/core/ids.ts'
import type { Budget, BudgetState } from '../../src/cost/budget.ts'
import type { OutboxRecord } from '../../src/feedback/outbox.ts'
import { callsOf, toAbandonedRow, toPredictionRow } from '../../src/feedback/prediction.ts'
import type { LimitState, Limits } from '../../src/tenants/limits.ts'
import { type Listening, listen, readText } from '../stack/http.ts'
import { median } from './report.ts'
import { bundle, freePort, type Served, serve, writeConfig } from './workerd.ts'

// How many misses a second one tenant's account object takes under budgets and limits: each asks, reserves, is announced and
// settled.
// On raw workerd, with its SQLite on disk. Run: npx node scripts/bench/budgets.ts

const ROUNDS = 3
const PAIRS = 1_000
const AT_ONCE = 64

/** Sends as many pairs as it is told, so many at once. */
const DOOR = `export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok')
    const { call, args, pairs, atOnce } = await request.json()
    const account = () => env.ACCOUNT.get(env.ACCOUNT.idFromName('tenant'))
    if (call) return Response.json((await account()[call](...args)) ?? null)
    const rest = pairs.values()
    const work = async () => {
      for (const { abandoned, ask, settled } of rest) {
        const verdict = await account().maySpend('key', abandoned, ask)
        if (verdict.kind !== 'allowed') throw new Error(verdict.kind)
        await account().settle(settled)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    return new Response('done')
  }
}`

const ROOT = join(import.meta.dirname, '../..')
const USAGE = { inputTokens: 900, outputTokens: 200 }
const TOKENS = { inputTokens: 900, maxTokens: 300, choices: 1 }
const CALL = { route: 'openai:gpt-4o-mini', provider: 'openai', model: 'gpt-4o-mini', endpoint: 'openai' }

function pair() {
  const nowMs = Date.now()
  const attempt = {
    routeId: CALL.route,
    provider: CALL.provider,
    model: CALL.model,
    price: undefined,
    endpointId: CALL.endpoint,
    startedAtMs: nowMs,
    ms: 800,
    firstByteMs: 300,
    result: 'answered',
    failure: undefined,
    mayBeBilled: true,
    usage: USAGE,
    reservedNanoUsd: 3_000_000,
  } as const
  const facts = {
    predictionId: uuidv7(nowMs),
    requestId: 'request',
    outcome: 'success',
    errorCode: undefined,
    tenantId: '01890000-0000-7000-8000-00000000000a',
    keyId: '01890000-0000-7000-8000-00000000000b',
    routeId: CALL.route,
    stream: false,
    cache: 'miss',
    replayed: false,
    tier: undefined,
    origin: undefined,
    userHash: undefined,
    promptHash: undefined,
    sentBytes: 3_600,
    receivedAtMs: nowMs,
    totalMs: 810,
    upstreamMs: 800,
    usage: USAGE,
    attempts: [attempt],
    explain: undefined,
  } as const
  const parcel = (record: object) => ({ id: facts.predictionId, text: JSON.stringify(record) })
  const row = toAbandonedRow({ ...facts, attempts: [] })
  const settled = { kind: 'prediction', row: toPredictionRow(facts), calls: callsOf(facts) }
  return {
    abandoned: parcel({ kind: 'prediction', row } as OutboxRecord),
    ask: {
      predictionId: facts.predictionId,
      attempt: 0,
      nanoUsd: attempt.reservedNanoUsd,
      call: CALL,
      tokens: TOKENS,
    },
    settled: parcel(settled),
  }
}

function configure(dir: string, port: number, queuePort: number): string {
  const state = bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state'))
  const door = {
    mainFile: join(dir, 'door/door.js'),
    bindings: ['(name = "ACCOUNT", durableObjectNamespace = (className = "Account", serviceName = "state"))'],
  }
  const objects = {
    mainFile: join(state, 'index.js'),
    bindings: ['(name = "TELEMETRY", queue = "queue")'],
    more: [
      'durableObjectNamespaces = [(className = "Account", uniqueKey = "account", enableSql = true)]',
      'durableObjectStorage = (localDisk = "disk")',
    ],
  }
  return writeConfig(join(dir, 'all.capnp'), port, door, { state: objects }, [
    `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`,
    `(name = "queue", external = (address = "127.0.0.1:${queuePort}", http = ()))`,
  ])
}

async function post<T>(port: number, body: object): Promise<T | undefined> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: JSON.stringify(body) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${text}`)
  return text === 'done' ? undefined : (JSON.parse(text) as T)
}

const BUDGET: Budget = { keyId: null, period: 'month', limitNanoUsd: 1e12, isHard: true }
const LIMITS: Limits = { requestsPerMinute: 1e6, tokensPerMinute: 1e9, concurrency: 1e4, maxTokens: 1e4 }
const BUDGETS = [BUDGET, { ...BUDGET, keyId: 'key', period: 'day' }]
/** Of the tenant and of the key, each of every kind. */
const ALL_LIMITS = [
  { keyId: null, ...LIMITS },
  { keyId: 'key', ...LIMITS },
]
const SETTINGS = [
  { name: 'neither', budgets: [], limits: [] },
  { name: 'budgets', budgets: BUDGETS, limits: [] },
  { name: 'requests a minute', budgets: [], limits: [{ keyId: 'key', requestsPerMinute: 1e6 }] },
  { name: 'all limits', budgets: [], limits: ALL_LIMITS },
  { name: 'budgets and all limits', budgets: BUDGETS, limits: ALL_LIMITS },
]

/** In turns, so that what else the machine does meets all of them. */
async function measure(port: number): Promise<void> {
  const rates = SETTINGS.map((): number[] => [])
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [place, { budgets, limits }] of SETTINGS.entries()) {
      await post(port, { call: 'setBudgets', args: [budgets, []] })
      await post(port, { call: 'setLimits', args: [limits] })
      const pairs = Array.from({ length: PAIRS }, pair)
      const started = performance.now()
      await post(port, { pairs, atOnce: AT_ONCE })
      // The first round warms, and reads the table of prices.
      if (round > 0) rates[place]?.push(PAIRS / ((performance.now() - started) / 1_000))
    }
  }
  for (const [place, { name }] of SETTINGS.entries()) {
    const own = rates[place] ?? []
    console.log(`${name}: ${Math.round(median(own))} pairs/s (${own.map(Math.round).join(', ')})`)
  }
  const [budget] = (await post<BudgetState[]>(port, { call: 'budgetStates', args: [] })) ?? []
  const [limit] = (await post<LimitState[]>(port, { call: 'limitStates', args: [] })) ?? []
  console.log(
    `${AT_ONCE} at once; in the end held back: ${budget?.reservedNanoUsd}, under way: ${limit?.inFlight}`,
  )
}

const dir = mkdtempSync(join(tmpdir(), 'beast-bench-budgets-'))
let queue: Listening | undefined
let served: Served | undefined
try {
  for (const name of ['disk', 'door']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'door/door.js'), DOOR)
  queue = await listen(0, async (request, response) => {
    await readText(request)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}')
  })
  const port = await freePort()
  served = await serve(configure(dir, port, queue.port), port, '/')
  await measure(port)
} finally {
  await served?.close()
  await queue?.close()
  rmSync(dir, { recursive: true, force: true })
}
