import { SlotMaker } from '../../src/cache/slot.ts'
import { fromBase64Url } from '../../src/core/bytes.ts'
import type { Clock, WaitUntil } from '../../src/core/clock.ts'
import { crc32 } from '../../src/core/crc32.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { Vault } from '../../src/core/vault.ts'
import { HitFolding } from '../../src/feedback/folding.ts'
import { KeyedHashes } from '../../src/feedback/keyed-hashes.ts'
import type { TelemetryMessage } from '../../src/feedback/outbox.ts'
import { Telemetry } from '../../src/feedback/telemetry.ts'
import { seriesName } from '../../src/metrics/catalogue.ts'
import { ModelStats } from '../../src/metrics/model-stats.ts'
import { RequestCounts } from '../../src/metrics/request-counts.ts'
import { Catalogue } from '../../src/models/catalogue.ts'
import { HealthBook } from '../../src/models/health.ts'
import { OpenedKeys } from '../../src/models/opened-keys.ts'
import type { Provider, SealedCredential } from '../../src/models/provider.ts'
import { RegistryCache, type RegistryTrouble } from '../../src/models/registry-cache.ts'
import { SupabaseModels } from '../../src/models/supabase-models.ts'
import { WELL_KNOWN_NAMES } from '../../src/models/well-known.ts'
import { guardedFetch } from '../../src/providers/address-policy.ts'
import type { Fetch } from '../../src/providers/fetch.ts'
import { listModels } from '../../src/providers/list-models.ts'
import type { ChatServices } from '../../src/routing/chat.ts'
import { IdempotencyKeys } from '../../src/routing/idempotency-keys.ts'
import { RetryBudget } from '../../src/routing/retry-budget.ts'
import type { RequestEvent } from '../../src/routing/settlement.ts'
import { kvSwitches } from '../../src/switches/kv-switches.ts'
import { SupabaseSwitches } from '../../src/switches/supabase-switches.ts'
import { SwitchBoard } from '../../src/switches/switch-board.ts'
import { Authenticator } from '../../src/tenants/authenticator.ts'
import { KvKeyRecords } from '../../src/tenants/kv-records.ts'
import { SupabaseDirectory } from '../../src/tenants/supabase-directory.ts'
import { KeyDigest } from '../../src/tenants/virtual-key.ts'
import { workerClock } from '../clock.ts'
import { spendingServices } from './accounts.ts'
import { addressPolicyOf } from './addresses.ts'
import { type Administration, createAdministration } from './administration.ts'
import { cacheChain } from './cache-chain.ts'
import { claimStore } from './claims.ts'
import { pooledKv, serviceConnector } from './connectors.ts'
import { type Env, MIN_SECRET_LENGTH, positiveInteger, requireSecret } from './env.ts'
import { flightsOf } from './flights.ts'
import {
  type IsolateMetrics,
  isolateMetrics,
  knownRoutes,
  reportedNames,
  requestModes,
  shardedBuffer,
} from './isolate-metrics.ts'
import { createKeyBox } from './key-box.ts'
import { configuredProviders } from './providers.ts'
import { largestTenants } from './tenant-names.ts'
import { withWorkersAi } from './workers-ai.ts'

/** What the routes work with: made once an isolate, of plain values and bindings only. */
export interface Services {
  readonly clock: Clock
  readonly authenticator: Authenticator
  /** What an operator turned off. */
  readonly switches: SwitchBoard
  readonly chat: ChatServices
  readonly idempotency: IdempotencyKeys
  readonly catalogue: Catalogue
  readonly counts: RequestCounts
  readonly modelStats: ModelStats
  readonly metrics: IsolateMetrics
  /** Takes every request's event. Never throws, and does its work behind the answer. */
  readonly record: (event: RequestEvent, waitUntil: WaitUntil) => void
  readonly telemetry: Telemetry
  readonly maxBodyBytes: number
}

/** What the platform says of where a request came from and which data centre took it. */
export interface Place {
  readonly continent?: string | undefined
  readonly colo?: string | undefined
}

const KIB = 1024
/** Nearly all that an isolate hands on is predictions. */
const IN_HAND = seriesName('write_queue_depth', { table: 'ml_predictions' })

/**
 * Builds the services from the environment.
 * @param place where the isolate's first request came from and arrived
 * @throws GatewayError `misconfigured`, naming the secret that is missing
 */
export function createServices(env: Env, place: Place = {}): Services & Administration {
  const clock = workerClock
  const vault = new Vault(rootSecret(env))
  const { buffer, observer, pools } = shardedBuffer(env, clock, place.continent)
  const supabase = serviceConnector(env, { pools })
  const digest = new KeyDigest(requireSecret(env, 'KEY_PEPPER', MIN_SECRET_LENGTH))
  const directory = new SupabaseDirectory(supabase, digest, clock.now)
  const kv = pooledKv(env.CACHE, pools)
  const keyRecords = new KvKeyRecords(kv, vault)
  const authenticator = new Authenticator({
    clock,
    digest,
    directory,
    store: keyRecords,
    noteUse: (keyId, atMs) => directory.used(keyId, atMs),
  })
  const switchStore = new SupabaseSwitches(supabase, clock.now)
  const switches = new SwitchBoard({ clock, list: () => switchStore.list(), copies: kvSwitches(kv, vault) })
  const chain = cacheChain({ env, clock, observer, pools, kv, supabase, switches })
  const fetchUpstream: Fetch = (url, init) => pools.hold('upstream', fetch(url, init))
  const policy = addressPolicyOf(env)
  const guarded = guardedFetch(fetchUpstream, policy)
  const modelStore = new SupabaseModels(supabase, clock.now)
  const keys = createKeyBox(env)
  const opened = new OpenedKeys(keys, clock)
  const openKey = ({ place, sealed }: SealedCredential) => opened.open(place, sealed)
  const registry = new RegistryCache({ clock, store: modelStore, report: reportRegistryTrouble })
  const providers = configuredProviders(env)
  const list = (provider: Provider) => listModels({ fetch: fetchUpstream, guarded, openKey }, provider)
  const catalogue = new Catalogue({ clock, providers, registry, list })
  const pseudonym = env.GATEWAY_ID || `beast-${crc32(requireSecret(env, 'SUPABASE_URL'))}`
  const account = (tenantId: string) => env.ACCOUNT.get(env.ACCOUNT.idFromName(tenantId))
  const counts = new RequestCounts()
  const modelStats = new ModelStats(clock)
  const metrics = isolateMetrics({
    buffer,
    pools,
    clock,
    routes: knownRoutes(catalogue, providers),
    modes: requestModes(env),
    reportedNames: reportedNames(env),
    loadTenants: () => largestTenants(kv, supabase, clock.now()),
    loadBudgets: async (tenantId) => account(tenantId).budgetStates(),
  })
  const slots = new SlotMaker(vault)
  const userHashes = new KeyedHashes(vault, 'user-hash')
  const folding = new HitFolding({
    now: clock.now,
    rowsPerSecond: positiveInteger(env, 'HIT_ROWS_PER_SECOND', 50),
  })
  const send = async (message: TelemetryMessage) => void (await env.TELEMETRY.send(message))
  const telemetry = new Telemetry({
    clock,
    random: Math.random,
    settle: async (tenantId, parcel, text) => account(tenantId).settle(parcel, text),
    send,
    folding,
    hashes: new KeyedHashes(vault, 'answer-hash'),
    labelling: metrics.labelling,
  })
  buffer.gaugesFrom(() => ({ [IN_HAND]: telemetry.states().held }))
  return {
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
    authenticator,
    switches,
    chat: {
      clock,
      fetch: withWorkersAi(fetchUpstream, env.AI),
      random: Math.random,
      catalogue,
      health: new HealthBook(),
      retries: new RetryBudget(),
      hedgeAfterMs: env.HEDGE_AFTER_MS ? positiveInteger(env, 'HEDGE_AFTER_MS', 1) : undefined,
      openKey,
      checkAddress: (url) => void policy.check(url),
      pseudonym,
      chain,
      switches,
      slots,
      folding,
      userHashes,
      flights: env.FLIGHT && flightsAreOn(env) ? flightsOf(clock, env.FLIGHT, place.colo) : undefined,
      ...spendingServices(env, account),
      limits: {
        answerMs: positiveInteger(env, 'UPSTREAM_TIMEOUT_MS', 300_000),
        connectMs: positiveInteger(env, 'UPSTREAM_CONNECT_MS', 30_000),
        firstTokenMs: positiveInteger(env, 'UPSTREAM_FIRST_TOKEN_MS', 60_000),
        idleMs: positiveInteger(env, 'UPSTREAM_IDLE_MS', 60_000),
        maxAnswerBytes: 32 * KIB * KIB,
        maxEntryLength: KIB * KIB,
      },
    },
    idempotency: new IdempotencyKeys({ clock, vault, slots, store: claimStore(env.IDEMPOTENCY) }),
    maxBodyBytes: positiveInteger(env, 'MAX_BODY_BYTES', 10_000_000),
    ...createAdministration(env, {
      clock,
      vault,
      supabase,
      account,
      chain,
      digest,
      keyRecords,
      authenticator,
      switches,
      switchStore,
      modelStore,
      registry,
      keys,
      policy,
      guarded,
      userHashes,
      upstream: { providers, list },
      metrics,
      providerNames: [...new Set(['custom', ...WELL_KNOWN_NAMES, ...providers.map(({ name }) => name)])],
      send,
    }),
  }
}

/** @throws GatewayError `misconfigured` */
function flightsAreOn({ FLIGHTS = 'on' }: Env): boolean {
  if (FLIGHTS === 'on' || FLIGHTS === 'off') return FLIGHTS === 'on'
  throw new GatewayError(
    'misconfigured',
    'The gateway is not configured: FLIGHTS must be on or off.',
    'Correct FLIGHTS and deploy again.',
  )
}

const reportRegistryTrouble = (trouble: RegistryTrouble): void =>
  console.error(JSON.stringify({ level: 'error', code: 'registry', ...trouble }))

function rootSecret(env: Env): Uint8Array<ArrayBuffer> {
  const text = requireSecret(env, 'ROOT_KEY', MIN_SECRET_LENGTH)
  try {
    return new Uint8Array(fromBase64Url(text))
  } catch {
    throw new GatewayError(
      'misconfigured',
      'The gateway is not configured: ROOT_KEY is not base64url.',
      'Set ROOT_KEY to 32 random bytes as base64url.',
    )
  }
}
