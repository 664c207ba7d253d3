import { CacheChain } from '../../src/cache/chain.ts'
import type { CacheEntry } from '../../src/cache/entry.ts'
import { cacheLevels, TOTAL_DEADLINE_MS } from '../../src/cache/levels.ts'
import { SlotMaker } from '../../src/cache/slot.ts'
import type { CacheSlot, CacheTier, TierName } from '../../src/cache/tier.ts'
import { MemoryTier } from '../../src/cache/tiers/memory.ts'
import type { Clock } from '../../src/core/clock.ts'
import { Vault } from '../../src/core/vault.ts'
import { listBounds } from '../../src/cost/list-bounds.ts'
import { KeyedHashes } from '../../src/feedback/keyed-hashes.ts'
import { Telemetry } from '../../src/feedback/telemetry.ts'
import { ModelStats } from '../../src/metrics/model-stats.ts'
import { RequestCounts } from '../../src/metrics/request-counts.ts'
import { DEFAULT_MODES } from '../../src/metrics/request-modes.ts'
import { Catalogue } from '../../src/models/catalogue.ts'
import { HealthBook } from '../../src/models/health.ts'
import type { Endpoint, Provider } from '../../src/models/provider.ts'
import type { ModelSnapshot } from '../../src/models/registry-cache.ts'
import type { WireFormat } from '../../src/providers/adapter.ts'
import { productionPolicy } from '../../src/providers/address-policy.ts'
import type { Fetch } from '../../src/providers/fetch.ts'
import type { ChatLimits } from '../../src/routing/ask.ts'
import type { Flights } from '../../src/routing/flights.ts'
import { IdempotencyKeys } from '../../src/routing/idempotency-keys.ts'
import { RetryBudget } from '../../src/routing/retry-budget.ts'
import type { RequestEvent } from '../../src/routing/settlement.ts'
import type { Accounts } from '../../src/routing/spending.ts'
import { SwitchBoard } from '../../src/switches/switch-board.ts'
import { Authenticator } from '../../src/tenants/authenticator.ts'
import { IsolateRates } from '../../src/tenants/isolate-rates.ts'
import type { Limits } from '../../src/tenants/limits.ts'
import type { BudgetKind } from '../../src/tenants/tenant.ts'
import { KeyDigest } from '../../src/tenants/virtual-key.ts'
import { workerClock } from '../../workers/clock.ts'
import type { Administration } from '../../workers/gateway/administration.ts'
import { isolateBuffer, isolateMetrics, knownRoutes } from '../../workers/gateway/isolate-metrics.ts'
import type { Services } from '../../workers/gateway/services.ts'
import { memoryClaims } from './idempotency.ts'
import { hitFolding } from './telemetry.ts'

/** Asks for these in turn, whatever speed they have shown. */
export const inOrder = (name: string, ...models: readonly string[]): ModelSnapshot['aliases'][number] => ({
  id: `alias ${name}`,
  tenantId: 't',
  name,
  kind: 'fallback',
  targets: models.map((model) => ({ model, weight: 1 })),
  revision: 1,
  updatedAt: '2026-11-21T00:00:00.000Z',
})

/** What no answer may ever show. */
export const UPSTREAM_KEY = 'sk-upstream-0123456789abcdef'

export interface RoutingOptions {
  readonly providers: readonly Provider[]
  readonly aliases?: ModelSnapshot['aliases']
  readonly clock?: Clock
  readonly random?: () => number
  readonly limits?: Partial<ChatLimits>
  readonly hedgeAfterMs?: number
  readonly fetch?: Fetch
  readonly accounts?: Accounts
  readonly budget?: BudgetKind
  readonly keyLimits?: Limits | undefined
  readonly tenantLimits?: Limits | undefined
  readonly flights?: Flights
}

export interface RoutingServices {
  readonly services: Services & Administration
  /** Every request's event, oldest first. */
  readonly events: RequestEvent[]
  /** What was written to the tiers below memory. */
  readonly stored: CacheEntry[]
}

export const providerAt = (
  name: string,
  baseUrl: string,
  more: {
    readonly format?: WireFormat
    readonly keys?: readonly string[]
    readonly weights?: readonly number[]
    readonly isForeign?: boolean
  } = {},
): Provider => {
  const { format = 'openai', keys = [UPSTREAM_KEY], weights = [], isForeign = false } = more
  const [first, ...others] = keys.map(
    (credential, index): Endpoint => ({
      id: index === 0 ? name : `${name}#${index + 1}`,
      baseUrl,
      host: new URL(baseUrl).host,
      credential,
      weight: weights[index] ?? 1,
      isForeign,
    }),
  )
  if (!first) throw new Error('a provider needs a key')
  return {
    name,
    format,
    endpoints: [first, ...others],
    models: ['m'],
    plans: ['paid', 'free'],
    revision: '1',
  }
}

const LIMITS: ChatLimits = {
  answerMs: 2_000,
  connectMs: 2_000,
  firstTokenMs: 2_000,
  idleMs: 2_000,
  maxAnswerBytes: 32 * 1_024 * 1_024,
  maxEntryLength: 1_024 * 1_024,
}

class RecordingTier implements CacheTier {
  readonly name: TierName
  readonly maxTtlMs = 3_600_000
  readonly #stored: CacheEntry[]

  constructor(name: TierName, stored: CacheEntry[]) {
    this.name = name
    this.#stored = stored
  }

  async get(): Promise<undefined> {
    return undefined
  }

  async set(_slot: CacheSlot, entry: CacheEntry): Promise<void> {
    this.#stored.push(entry)
  }

  async delete(): Promise<void> {}
}

/** The gateway's own services around these providers; stores are the isolate's memory, and one caller is known. */
export function routingServices(options: RoutingOptions): RoutingServices {
  const { providers, aliases = [], clock = workerClock, random = Math.random, limits } = options
  const events: RequestEvent[] = []
  const stored: CacheEntry[] = []
  const snapshot: ModelSnapshot = { models: [], aliases, providerKeys: [], known: true }
  const catalogue = new Catalogue({
    clock,
    providers,
    list: async () => [],
    registry: { of: async () => snapshot },
  })
  const switches = new SwitchBoard({
    clock,
    list: async () => [],
    copies: { get: async () => undefined, put: async () => {} },
  })
  const counts = new RequestCounts()
  const { buffer, pools } = isolateBuffer(clock, async () => ({ flushMs: 2_000 }))
  const metrics = isolateMetrics({
    buffer,
    pools,
    clock,
    routes: knownRoutes(catalogue, providers),
    modes: DEFAULT_MODES,
    reportedNames: { tools: new Set(), agents: new Set(), sources: new Set() },
    loadTenants: async () => [],
    loadBudgets: async () => [],
  })
  const vault = new Vault(new Uint8Array(32).fill(1))
  const slots = new SlotMaker(vault)
  const folding = hitFolding(clock.now)
  const services: Services = {
    clock,
    catalogue,
    counts,
    modelStats: new ModelStats(clock),
    // Sent to nobody: whoever waits for what goes on behind the answers need not wait for a batch.
    metrics: { ...metrics, streams: () => {} },
    idempotency: new IdempotencyKeys({ clock, vault, slots, store: memoryClaims(clock).store }),
    telemetry: new Telemetry({
      clock,
      random,
      settle: async () => true,
      send: async () => {},
      folding,
      hashes: new KeyedHashes(vault, 'answer-hash'),
    }),
    record: (event) => {
      counts.add(event)
      events.push(event)
    },
    authenticator: new Authenticator({
      clock,
      digest: new KeyDigest('p'.repeat(32)),
      directory: {
        find: async () => ({
          keyId: 'key',
          expiresAtMs: null,
          tenant: {
            id: 't',
            name: 't',
            plan: 'paid',
            epoch: 1,
            cachePolicy: 'all',
            cacheByUser: true,
            keepsText: false,
            budget: options.budget ?? 'none',
            limits: options.tenantLimits,
          },
          limits: options.keyLimits,
        }),
      },
      store: { get: async () => undefined, put: async () => {} },
    }),
    switches,
    chat: {
      clock,
      switches,
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      random,
      catalogue,
      health: new HealthBook(),
      folding,
      userHashes: new KeyedHashes(vault, 'user-hash'),
      retries: new RetryBudget(),
      hedgeAfterMs: options.hedgeAfterMs,
      openKey: async () => UPSTREAM_KEY,
      // As in production: nothing on loopback, where all of this runs.
      checkAddress: (url) => void productionPolicy().check(url),
      pseudonym: 'beast-faults',
      chain: new CacheChain({
        clock,
        random,
        totalDeadlineMs: TOTAL_DEADLINE_MS,
        hitBefore: async () => false,
        levels: cacheLevels({
          memory: new MemoryTier({ clock, maxEntries: 1_000, maxBytes: 8_000_000 }),
          kv: new RecordingTier('kv', []),
          redis: new RecordingTier('redis', stored),
          supabase: new RecordingTier('supabase', []),
        }),
      }),
      slots,
      flights: options.flights,
      accounts: options.accounts ?? {
        maySpend: async () => ({ kind: 'allowed', isWatched: false, isHard: false }),
      },
      bounds: listBounds(),
      rates: new IsolateRates(),
      outputCapTokens: 4_096,
      limits: { ...LIMITS, ...limits },
    },
    maxBodyBytes: 10_000_000,
  }
  // No administration takes part.
  return { services: services as Services & Administration, events, stored }
}
