import { CacheChain } from '../../src/cache/chain.ts'
import type { CacheEntry } from '../../src/cache/entry.ts'
import { cacheLevels, TOTAL_DEADLINE_MS } from '../../src/cache/levels.ts'
import { SlotMaker } from '../../src/cache/slot.ts'
import type { CacheSlot, CacheTier, TierName } from '../../src/cache/tier.ts'
import { MemoryTier } from '../../src/cache/tiers/memory.ts'
import { Vault } from '../../src/core/vault.ts'
import { listBounds } from '../../src/cost/list-bounds.ts'
import { HitFolding } from '../../src/feedback/folding.ts'
import { KeyedHashes } from '../../src/feedback/keyed-hashes.ts'
import { Telemetry } from '../../src/feedback/telemetry.ts'
import { ModelStats } from '../../src/metrics/model-stats.ts'
import { RequestCounts } from '../../src/metrics/request-counts.ts'
import { DEFAULT_MODES } from '../../src/metrics/request-modes.ts'
import { Catalogue } from '../../src/models/catalogue.ts'
import { HealthBook } from '../../src/models/health.ts'
import type { Provider } from '../../src/models/provider.ts'
import { IdempotencyKeys } from '../../src/routing/idempotency-keys.ts'
import { RetryBudget } from '../../src/routing/retry-budget.ts'
import { Authenticator } from '../../src/tenants/authenticator.ts'
import { IsolateRates } from '../../src/tenants/isolate-rates.ts'
import type { Caller } from '../../src/tenants/tenant.ts'
import { createVirtualKey, KeyDigest } from '../../src/tenants/virtual-key.ts'
import { workerClock } from '../../workers/clock.ts'
import type { Administration } from '../../workers/gateway/administration.ts'
import { createFetch } from '../../workers/gateway/app.ts'
import { claimStore } from '../../workers/gateway/claims.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { flightsOf } from '../../workers/gateway/flights.ts'
import {
  isolateBuffer,
  isolateMetrics,
  knownRoutes,
  shardedBuffer,
} from '../../workers/gateway/isolate-metrics.ts'
import type { Services } from '../../workers/gateway/services.ts'
import { KEYS, keyBytes, TENANTS } from './workload.ts'

// The gateway as it is, on stores that answer from the isolate's own memory: what is left is its own work.

const MAX_HELD = 1_000

/** A remote tier's stand-in: sealed text in a map that costs as little as can be, and is emptied when full. */
class StandInTier implements CacheTier {
  readonly maxTtlMs = 60 * 60_000
  readonly name: TierName
  readonly #held = new Map<string, string>()
  readonly #waitMs: number

  /** @param waitMs how long a look-up takes */
  constructor(name: TierName, waitMs: number) {
    this.name = name
    this.#waitMs = waitMs
  }

  async get(slot: CacheSlot): Promise<CacheEntry | undefined> {
    if (this.#waitMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#waitMs))
    const sealed = this.#held.get(slot.id)
    return sealed === undefined ? undefined : slot.open(sealed)
  }

  async set(slot: CacheSlot, entry: CacheEntry): Promise<void> {
    if (this.#held.size >= MAX_HELD) this.#held.clear()
    this.#held.set(slot.id, await slot.seal(entry))
  }

  async delete(slot: CacheSlot): Promise<void> {
    this.#held.delete(slot.id)
  }
}

interface BenchEnv extends Env {
  readonly UPSTREAM: string
  /** How long a look-up in a stand-in takes; unset = no time. */
  readonly STAND_IN_MS?: string
  /** `no`: nothing is counted for /metrics, to see what that costs. */
  readonly COUNTED?: string
}

const LIMITS = {
  answerMs: 60_000,
  connectMs: 30_000,
  firstTokenMs: 60_000,
  idleMs: 60_000,
  maxAnswerBytes: 33_554_432,
  maxEntryLength: 1_048_576,
}

function standIns(env: BenchEnv): Services & Administration {
  const clock = workerClock
  const standInMs = Number(env.STAND_IN_MS ?? 0)
  const digest = new KeyDigest('p'.repeat(32))
  const endpoint = {
    id: 'bench',
    baseUrl: env.UPSTREAM,
    host: 'bench',
    credential: 'key',
    weight: 1,
    isForeign: false,
  }
  const provider: Provider = {
    name: 'bench',
    format: 'openai',
    endpoints: [endpoint],
    models: ['model'],
    plans: ['paid'],
    revision: '1',
  }
  const empty = { models: [], aliases: [], providerKeys: [], known: true }
  const catalogue = new Catalogue({
    clock,
    providers: [provider],
    list: async () => [],
    registry: { of: async () => empty },
  })
  // Where there are no shards a stand-in takes what is counted, as fast as can be.
  const {
    buffer,
    pools,
    observer: forCache,
  } = env.METRICS_SHARD
    ? shardedBuffer(env, clock, undefined)
    : isolateBuffer(clock, async () => ({ flushMs: 2_000 }))
  const isCounted = env.COUNTED !== 'no'
  const observer = isCounted ? forCache : undefined
  const chain = new CacheChain({
    clock,
    observer,
    random: Math.random,
    totalDeadlineMs: TOTAL_DEADLINE_MS,
    hitBefore: async () => false,
    levels: cacheLevels({
      memory: new MemoryTier({
        clock,
        maxEntries: Number(env.CACHE_MEMORY_ENTRIES),
        maxBytes: 96 * 1024 * 1024,
        observer,
      }),
      kv: new StandInTier('kv', standInMs),
      redis: new StandInTier('redis', standInMs),
      supabase: new StandInTier('supabase', standInMs),
    }),
  })
  const counts = new RequestCounts()
  const modelStats = new ModelStats(clock)
  const counting = isolateMetrics({
    buffer,
    pools,
    clock,
    routes: knownRoutes(catalogue, [provider]),
    modes: DEFAULT_MODES,
    reportedNames: { tools: new Set(), agents: new Set(), sources: new Set() },
    loadTenants: async () => Array.from({ length: TENANTS }, (_, i) => [`tenant-${i}`, `tenant-${i}`]),
    loadBudgets: async () => [],
  })
  const metrics = isCounted ? counting : { ...counting, received: () => {}, settled: () => {} }
  const vault = new Vault(new Uint8Array(32).fill(1))
  const slots = new SlotMaker(vault)
  const folding = new HitFolding({ now: clock.now, rowsPerSecond: 50 })
  const telemetry = new Telemetry({
    clock,
    random: Math.random,
    settle: async () => true,
    send: async () => {},
    folding,
    hashes: new KeyedHashes(vault, 'answer-hash'),
    labelling: counting.labelling,
  })
  const services: Services = {
    clock,
    catalogue,
    counts,
    modelStats,
    metrics,
    telemetry,
    record: (event, waitUntil) => {
      counts.add(event)
      modelStats.add(event)
      metrics.settled(event, waitUntil)
      telemetry.record(event, waitUntil)
    },
    authenticator: new Authenticator({
      clock,
      digest,
      directory: directory(digest),
      store: { get: async () => undefined, put: async () => {} },
    }),
    chat: {
      clock,
      fetch: (url, init) => fetch(url, init),
      random: Math.random,
      catalogue,
      health: new HealthBook(),
      retries: new RetryBudget(),
      hedgeAfterMs: undefined,
      openKey: async () => '',
      checkAddress: () => {},
      pseudonym: 'beast-bench',
      chain,
      slots,
      folding,
      userHashes: new KeyedHashes(vault, 'user-hash'),
      accounts: { maySpend: async () => ({ kind: 'allowed', isWatched: false, isHard: false }) },
      bounds: listBounds(),
      rates: new IsolateRates(),
      outputCapTokens: 4_096,
      flights: env.FLIGHT && flightsOf(clock, env.FLIGHT),
      limits: LIMITS,
    },
    idempotency: new IdempotencyKeys({ clock, vault, slots, store: claimStore(env.IDEMPOTENCY) }),
    maxBodyBytes: 10_000_000,
  }
  // The administration is not part of the load.
  return services as Services & Administration
}

function directory(digest: KeyDigest) {
  let callers: Map<string, Caller> | undefined
  return {
    find: async (wanted: string) => {
      callers ??= await makeCallers(digest)
      return callers.get(wanted)
    },
  }
}

async function makeCallers(digest: KeyDigest): Promise<Map<string, Caller>> {
  const callers = new Map<string, Caller>()
  for (let index = 0; index < KEYS; index++) {
    const name = `tenant-${index % TENANTS}`
    callers.set(await digest.of(createVirtualKey(keyBytes(index))), {
      keyId: `key-${index}`,
      expiresAtMs: null,
      tenant: {
        id: name,
        name,
        plan: 'paid',
        epoch: 1,
        cachePolicy: 'all',
        cacheByUser: true,
        keepsText: false,
        budget: 'none',
      },
    })
  }
  return callers
}

let services: (Services & Administration) | undefined
const servicesOf = (env: Env): Services & Administration => {
  services ??= standIns(env as BenchEnv)
  return services
}

export default { fetch: createFetch(servicesOf) }
