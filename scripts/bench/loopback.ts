import { join } from 'node:path'
import type { Generator } from './generator.ts'
import type { LoadResult, LoadTask } from './load.ts'
import { startGateway, type TierCounts } from './loopback-gateway.ts'
import type { Running } from './running.ts'
import { startStores } from './stores.ts'
import { bundle } from './workerd.ts'

export interface LoopbackOptions {
  readonly root: string
  /** Folder for what is built. */
  readonly out: string
  /** The gateway's main file, bundled as for deployment. */
  readonly gateway: string
  readonly upstreamUrl: string
  readonly path: string
  readonly generator: Generator
  readonly running: Running
  readonly rounds: number
  /** The most connections that a run may use. */
  readonly connections: number
}

export interface LoopbackRow {
  readonly runs: readonly LoadResult[]
  readonly connections: number
  /** What became of the look-ups, over all runs. */
  readonly tiers: TierCounts
}

export interface Loopback {
  /** What stands behind Upstash's protocol. */
  readonly redis: string
  readonly hit: LoopbackRow
  readonly lowerHit: LoopbackRow
  readonly miss: LoopbackRow
}

/** So few, because the embedded Supabase has to take in each of them before. */
export const LOOPBACK_DISTINCT = 200
export const LOOPBACK_SECONDS = 2
/** More at once wait for the KV service, or for the embedded Supabase, until the tier's deadline. */
const LOWER_CONNECTIONS = 8
const MISS_CONNECTIONS = 4
const WARM_SECONDS = 1

/** The load of the benchmark on the bundle that would be uploaded, over stores that are really there. */
export async function measureLoopback(options: LoopbackOptions): Promise<Loopback> {
  const { root, out, gateway, path, running, generator } = options
  const stores = await startStores(root, running)
  const state = join(bundle(root, 'workers/state/wrangler.toml', join(out, 'state')), 'index.js')
  const up = (name: string, more: Record<string, string> = {}) => {
    const config = join(out, `loopback-${name}.capnp`)
    const texts = { SIMULATED_PROVIDER_URL: options.upstreamUrl, ...more }
    return running.own(() => startGateway({ config, gateway, state, stores, texts }))
  }
  const gateways = {
    memory: await up('memory'),
    // A memory of one entry never has what comes next in turn.
    lower: await up('lower', { CACHE_MEMORY_ENTRIES: '1' }),
    misses: await up('misses'),
  }
  type Target = keyof typeof gateways
  type Order = LoadTask['order']
  const load = (target: Target, order: Order, connections: number, seconds = LOOPBACK_SECONDS) => {
    const { port } = gateways[target]
    const distinct = LOOPBACK_DISTINCT
    return generator.run({ port, path, connections, seconds, order, distinct, stream: false, seed: 42 })
  }
  const row = async (target: Target, order: Order, connections: number): Promise<LoopbackRow> => {
    const before = await gateways[target].tiers()
    const runs: LoadResult[] = []
    for (let round = 1; round <= options.rounds; round++) runs.push(await load(target, order, connections))
    return { runs, connections, tiers: since(before, await gateways[target].tiers()) }
  }
  const some = Math.min(LOWER_CONNECTIONS, options.connections)
  const few = Math.min(MISS_CONNECTIONS, options.connections)

  await load('memory', 'each', few)
  const hit = await row('memory', 'zipf', options.connections)
  // Twice from Redis, which lets an entry into KV, and once more to wait for that.
  for (let pass = 1; pass <= 3; pass++) await load('lower', 'each', few)
  const lowerHit = await row('lower', 'turns', some)
  await load('misses', 'unique', few, WARM_SECONDS)
  const miss = await row('misses', 'unique', few)
  return { redis: stores.redis, hit, lowerHit, miss }
}

const since = (before: TierCounts, after: TierCounts): TierCounts => {
  const counts = (tier: string) =>
    Object.entries(after[tier] ?? {}).map(([name, count]) => [name, count - (before[tier]?.[name] ?? 0)])
  return Object.fromEntries(Object.keys(after).map((tier) => [tier, Object.fromEntries(counts(tier))]))
}
