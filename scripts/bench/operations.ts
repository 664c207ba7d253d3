import { join } from 'node:path'
import { createVirtualKey } from '../../src/tenants/virtual-key.ts'
import { type Counts, costOf, type Operation, USD_A_MILLION } from './list-prices.ts'
import { startGateway } from './loopback-gateway.ts'
import type { Running } from './running.ts'
import { startStores } from './stores.ts'
import { bundle, freePort } from './workerd.ts'
import { body, KEYS, keyBytes, TENANTS } from './workload.ts'

export interface OperationsOptions {
  readonly root: string
  /** Folder for what is built. */
  readonly out: string
  /** The gateway's main file, bundled as for deployment. */
  readonly gateway: string
  readonly upstreamUrl: string
  readonly path: string
  readonly running: Running
}

/** What a request of one path takes. */
export interface PathCost {
  readonly path: string
  readonly requests: number
  /** Requests a second at which it was counted: what is sent in batches is shared by more of them where there are more. */
  readonly pace: number
  /** A request. */
  readonly counts: Counts
  readonly usd: number
}

/** Of each path. */
const REQUESTS = 200
/** Of Workers, generously: seen are less than 1 ms, on a machine of unknown speed. docs/deploy.md says the same. */
const HIT_CPU_MS = 2
const MISS_CPU_MS = 5
/** Nothing is under way any more when nothing was counted for so long: longer than any batch waits. */
const QUIET_MS = 6_000

/**
 * Counts what the platform would charge for, path by path: the bundle that would be uploaded, with stores and objects that are
 * really there, is asked one request after the other.
 */
export async function measureOperations(options: OperationsOptions): Promise<readonly PathCost[]> {
  const { root, out, gateway, path, running } = options
  const noted = new Map<Operation, number>()
  const stores = await startStores(root, running, (operation, count = 1) => {
    noted.set(operation, (noted.get(operation) ?? 0) + count)
  })
  const state = join(
    bundle(root, 'scripts/bench/state-wrangler.toml', join(out, 'counted-state')),
    'counted-state.js',
  )
  const up = async (name: string, more: Record<string, string>) => {
    const statePort = await freePort()
    const config = join(out, `operations-${name}.capnp`)
    const texts = { SIMULATED_PROVIDER_URL: options.upstreamUrl, ...more }
    const served = await running.own(() => startGateway({ config, gateway, state, statePort, stores, texts }))
    const counts = async (): Promise<Counts> => {
      const objects = (await (await fetch(`http://127.0.0.1:${statePort}/`)).json()) as Counts
      return { ...Object.fromEntries(noted), ...objects }
    }
    return { port: served.port, counts }
  }
  type Gateway = Awaited<ReturnType<typeof up>>

  /** @returns the tier that answered */
  const ask = async ({ port }: Gateway, index: number): Promise<string | undefined> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${createVirtualKey(keyBytes(index % KEYS))}` },
      body: body(index),
    })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`The gateway answered ${response.status}`)
    return /beast-(\w+); hit/.exec(response.headers.get('cache-status') ?? '')?.[1]
  }
  const measure = async (
    name: string,
    of: Gateway,
    first: number,
    tier: string | undefined,
  ): Promise<PathCost> => {
    const before = await quiet(of.counts)
    const started = performance.now()
    let expected = 0
    for (let index = first; index < first + REQUESTS; index++) if ((await ask(of, index)) === tier) expected++
    const pace = REQUESTS / ((performance.now() - started) / 1_000)
    // A tier that was too late once in a while belongs to the path; another path does not.
    if (expected < REQUESTS * 0.95)
      throw new Error(`Of ${REQUESTS} requests only ${expected} took the path "${name}"`)
    const after = await quiet(of.counts)
    const counts: Record<string, number> = {
      'worker request': 1,
      'CPU millisecond': tier === undefined ? MISS_CPU_MS : HIT_CPU_MS,
    }
    for (const [operation, count] of Object.entries(after)) {
      const each = (count - (before[operation as Operation] ?? 0)) / REQUESTS
      if (each > 0) counts[operation] = each
    }
    return { path: name, requests: REQUESTS, pace, counts, usd: costOf(counts) }
  }

  const lower = await up('lower', { CACHE_MEMORY_ENTRIES: '1' })
  const memory = await up('memory', {})
  // Objects of all tenants are made, and keys known, before anything is counted.
  for (let index = 0; index < KEYS; index++)
    await Promise.all([ask(lower, 9_000 + index), ask(memory, 9_000 + index)])
  const [first, second, third] = [0, REQUESTS, 2 * REQUESTS]
  const rows = [
    await measure('miss', lower, first, undefined),
    await measure('hit in Redis', lower, first, 'redis'),
    await measure('the same, second time: copied to KV', lower, first, 'redis'),
    await measure('hit in KV', lower, first, 'kv'),
  ]
  for (let index = second; index < second + REQUESTS; index++) await ask(lower, index)
  await quiet(lower.counts)
  await redis(stores.texts, ['FLUSHDB'])
  rows.push(await measure('hit in Supabase', lower, second, 'supabase'))
  for (let index = second; index < second + REQUESTS; index++) await ask(memory, index)
  rows.push(await measure('hit in memory', memory, second, 'memory'))
  await setBudgets(lower.port, stores.operatorToken)
  rows.push(await measure('miss under a budget', lower, third, undefined))
  return rows
}

/** What a request costs at such a share of hits, US dollars: hits as 80 % memory, 15 % KV, 5 % Redis of which half are copied. */
export function blendedUsd(rows: readonly PathCost[], hitShare: number): number {
  const usd = (path: string) => rows.find((row) => row.path === path)?.usd ?? Number.NaN
  const hit =
    0.8 * usd('hit in memory') +
    0.15 * usd('hit in KV') +
    0.025 * (usd('hit in Redis') + usd('the same, second time: copied to KV'))
  return hitShare * hit + (1 - hitShare) * usd('miss')
}

const SHARES = [0.99, 0.95, 0.9, 0.7, 0.5, 0]
const OPERATIONS = Object.keys(USD_A_MILLION) as Operation[]

/** For people. */
export function operationsTable(rows: readonly PathCost[]): string {
  const cell = (value: number | undefined) => (value === undefined ? '-' : value.toFixed(2)).padStart(9)
  const head = OPERATIONS.map((operation) => operation.replace(/.* (?=.{9})/, '').padStart(9)).join(' ')
  const lines = rows.map(
    ({ path, counts, usd }) =>
      `${path.padEnd(36)}${OPERATIONS.map((operation) => cell(counts[operation])).join(' ')}  ${(usd * 1e6).toFixed(2).padStart(6)}`,
  )
  const shares = SHARES.map(
    (share) => `${share * 100} % $${(blendedUsd(rows, share) * 1e6).toFixed(2)} a million`,
  )
  return `
What a request costs, without the provider's tokens: operations that were counted, ${REQUESTS} requests a path, at list prices.
${' '.repeat(36)}${head}   $/million
${lines.join('\n')}
By hit rate: ${shares.join(', ')} (wanted under $10 at 50 %)
`
}

async function quiet(counts: () => Promise<Counts>): Promise<Counts> {
  let known = await counts()
  let since = performance.now()
  while (performance.now() - since < QUIET_MS) {
    await new Promise((resolve) => setTimeout(resolve, 250))
    const now = await counts()
    // Alarms and looks of their own go on for ever; requests leave more than these.
    if (JSON.stringify(now) !== JSON.stringify(known)) since = performance.now()
    known = now
  }
  return known
}

async function redis(texts: Readonly<Record<string, string>>, command: readonly string[]): Promise<void> {
  const headers = { authorization: `Bearer ${texts.UPSTASH_REDIS_REST_TOKEN}` }
  const url = texts.UPSTASH_REDIS_REST_URL ?? ''
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(command) })
  if (!response.ok) throw new Error(`Redis answered ${response.status}`)
}

/** A soft one of each tenant: what is reserved, and what is written for it, is the same as under a hard one. */
async function setBudgets(port: number, operatorToken: string): Promise<void> {
  for (let tenant = 0; tenant < TENANTS; tenant++) {
    const response = await fetch(`http://127.0.0.1:${port}/api/budgets`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${operatorToken}` },
      body: JSON.stringify({ tenant: `tenant-${tenant}`, period: 'month', limit_usd: 1_000, hard: false }),
    })
    if (!response.ok) throw new Error(`The budget was refused: ${await response.text()}`)
  }
}
