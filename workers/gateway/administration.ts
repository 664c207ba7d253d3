import type { SupabaseClient } from '@supabase/supabase-js'
import type { CacheChain } from '../../src/cache/chain.ts'
import { PurgeDesk } from '../../src/cache/purge-desk.ts'
import { SupabasePurges } from '../../src/cache/purge-supabase.ts'
import type { Clock } from '../../src/core/clock.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import type { Vault } from '../../src/core/vault.ts'
import type { BudgetDesk } from '../../src/cost/budget-desk.ts'
import type { CostStore } from '../../src/cost/costs.ts'
import type { Prices } from '../../src/cost/prices.ts'
import { SupabaseCosts } from '../../src/cost/supabase-costs.ts'
import { HistoryReader } from '../../src/dashboard/history-reader.ts'
import { FeedbackDesk } from '../../src/feedback/acceptance.ts'
import { outboxOfAnySize } from '../../src/feedback/any-size.ts'
import { DeadLetters } from '../../src/feedback/dead-letters.ts'
import type { KeyedHashes } from '../../src/feedback/keyed-hashes.ts'
import type { FeedbackReader } from '../../src/feedback/listing.ts'
import type { TelemetryMessage } from '../../src/feedback/outbox.ts'
import { Privacy } from '../../src/feedback/privacy.ts'
import { SupabasePrivacy } from '../../src/feedback/privacy-supabase.ts'
import type { RequestReader } from '../../src/feedback/request-story.ts'
import { SupabaseFeedback } from '../../src/feedback/supabase-feedback.ts'
import { SupabaseRecords } from '../../src/feedback/supabase-records.ts'
import { SupabaseRequests } from '../../src/feedback/supabase-requests.ts'
import { FeedbackTokens } from '../../src/feedback/token.ts'
import { CustomUsageReader } from '../../src/metrics/custom-usage.ts'
import type { Probes } from '../../src/metrics/probes.ts'
import type { SealedKeyStore } from '../../src/models/key-rotation.ts'
import type { ModelManagement, ProviderKeys } from '../../src/models/manage.ts'
import type { RegistryCache } from '../../src/models/registry-cache.ts'
import type { SupabaseModels } from '../../src/models/supabase-models.ts'
import { SupabaseSealedKeys } from '../../src/models/supabase-sealed-keys.ts'
import { adapterFor } from '../../src/providers/adapters.ts'
import type { AddressPolicy } from '../../src/providers/address-policy.ts'
import type { Fetch } from '../../src/providers/fetch.ts'
import type { SupabaseSwitches } from '../../src/switches/supabase-switches.ts'
import type { SwitchBoard } from '../../src/switches/switch-board.ts'
import { SwitchDesk } from '../../src/switches/switch-desk.ts'
import type { AuditLog } from '../../src/tenants/audit.ts'
import type { Authenticator } from '../../src/tenants/authenticator.ts'
import type { KvKeyRecords } from '../../src/tenants/kv-records.ts'
import type { LimitDesk } from '../../src/tenants/limit-desk.ts'
import { SupabaseAudit } from '../../src/tenants/supabase-audit.ts'
import { SupabaseDirectory } from '../../src/tenants/supabase-directory.ts'
import { SupabaseTenants } from '../../src/tenants/supabase-tenants.ts'
import type { TenantStore } from '../../src/tenants/tenant-settings.ts'
import type { KeyDigest } from '../../src/tenants/virtual-key.ts'
import { accountOutbox } from './account-outbox.ts'
import { type AccountOf, budgetDesk, limitDesk } from './accounts.ts'
import { redisConnector, serviceConnector } from './connectors.ts'
import type { Env } from './env.ts'
import type { IsolateMetrics } from './isolate-metrics.ts'
import { type ProbeIo, probe } from './probe.ts'
import { Readiness } from './readiness.ts'

/** What the routes that manage and rate need beside the services. */
export interface Administration {
  readonly audit: AuditLog
  readonly directory: SupabaseDirectory
  readonly tenants: TenantStore
  readonly keyRecords: KvKeyRecords
  readonly readiness: Readiness
  /** Tries, as a request would, all that requests need. */
  readonly probe: () => Promise<Probes>
  readonly models: ModelManagement
  /** What each tenant added to the catalogue, as this isolate knows it. */
  readonly registry: RegistryCache
  readonly sealedKeys: SealedKeyStore
  readonly feedback: {
    readonly desk: FeedbackDesk
    readonly tokens: FeedbackTokens
    readonly reader: FeedbackReader
  }
  readonly customUsage: CustomUsageReader
  readonly history: HistoryReader
  /** What is recorded of each request. */
  readonly requests: RequestReader
  readonly deadLetters: DeadLetters
  readonly privacy: Privacy
  readonly budgets: BudgetDesk
  readonly costs: CostStore
  readonly limits: LimitDesk
  readonly switchDesk: SwitchDesk
  readonly purges: PurgeDesk
  /** Tells the tenant's account object, after which the key never spends again. */
  revokeInAccount(tenantId: string, keyId: string): Promise<void>
}

/** What administration shares with the way of a request. */
export interface Shared {
  readonly clock: Clock
  readonly vault: Vault
  readonly supabase: () => SupabaseClient
  readonly account: AccountOf
  readonly chain: CacheChain
  readonly digest: KeyDigest
  readonly keyRecords: KvKeyRecords
  readonly authenticator: Authenticator
  readonly switches: SwitchBoard
  readonly switchStore: SupabaseSwitches
  readonly modelStore: SupabaseModels
  readonly registry: RegistryCache
  readonly keys: ProviderKeys
  readonly policy: AddressPolicy
  /** For addresses that tenants gave. */
  readonly guarded: Fetch
  readonly userHashes: KeyedHashes
  readonly metrics: Pick<IsolateMetrics, 'rated'>
  readonly upstream: Pick<ProbeIo, 'providers' | 'list'>
  /** Stand before a model's own name. */
  readonly providerNames: readonly string[]
  readonly send: (message: TelemetryMessage) => Promise<void>
}

/** For whole batches, pages and months, which no model's answer waits for. */
const BATCH_TIMEOUT_MS = 20_000
/** For a change that an operator waits for: given up early, nobody would know whether it was made. */
const CHANGE_TIMEOUT_MS = 10_000
/** For a search, which somebody waits for, and which may have to read many rows. */
const SEARCH_TIMEOUT_MS = 8_000
/** Of the records only ratings are stored from here. */
const NO_PRICES: Prices = { priceOf: () => undefined }

/** Builds what manages and rates. */
export function createAdministration(env: Env, shared: Shared): Administration {
  const { clock, vault, supabase, account, digest, keyRecords, authenticator, send } = shared
  const forget = (tenantId: string): void => authenticator.forget(tenantId)
  const patient = serviceConnector(env, { timeoutMs: CHANGE_TIMEOUT_MS })
  const readiness = new Readiness(clock, {
    kv: async () => void (await env.CACHE.get('readiness', 'text')),
    redis: async () => void (await redisConnector(env)().get('readiness')),
    supabase: async () => void (await supabase().from('tenants').select('id').limit(1).throwOnError()),
  })
  return {
    audit: new SupabaseAudit(patient),
    directory: new SupabaseDirectory(patient, digest, clock.now),
    tenants: new SupabaseTenants(patient),
    keyRecords,
    readiness,
    probe: () => probe({ readiness, ...shared.upstream }),
    models: {
      clock,
      store: shared.modelStore,
      keys: shared.keys,
      policy: shared.policy,
      fetch: shared.guarded,
      adapterFor,
      newId: () => uuidv7(clock.now()),
    },
    registry: shared.registry,
    sealedKeys: new SupabaseSealedKeys(supabase),
    feedback: {
      desk: new FeedbackDesk(
        clock.now,
        outboxOfAnySize(accountOutbox(env.ACCOUNT), new SupabaseRecords(supabase, NO_PRICES)),
        (row) => shared.metrics.rated(row),
      ),
      tokens: new FeedbackTokens(vault),
      reader: new SupabaseFeedback(supabase, clock.now),
    },
    customUsage: new CustomUsageReader(supabase),
    history: new HistoryReader(serviceConnector(env, { timeoutMs: BATCH_TIMEOUT_MS }), clock.now),
    requests: new SupabaseRequests(
      serviceConnector(env, { timeoutMs: SEARCH_TIMEOUT_MS }),
      shared.providerNames,
    ),
    deadLetters: new DeadLetters(supabase, send),
    privacy: new Privacy({
      store: new SupabasePrivacy(serviceConnector(env, { timeoutMs: BATCH_TIMEOUT_MS })),
      hashes: shared.userHashes,
      now: clock.now,
      eraseAccount: async (tenantId) => account(tenantId).erase(),
      removeKeyRecord: (digest) => keyRecords.remove(digest),
      forget,
    }),
    budgets: budgetDesk(supabase, account, clock.now, forget),
    costs: new SupabaseCosts(serviceConnector(env, { timeoutMs: BATCH_TIMEOUT_MS }), clock.now),
    limits: limitDesk(supabase, account, forget),
    switchDesk: new SwitchDesk(clock, shared.switchStore, shared.switches),
    purges: new PurgeDesk({
      now: clock.now,
      store: new SupabasePurges(supabase),
      chain: shared.chain,
      forget,
    }),
    revokeInAccount: async (tenantId, keyId) => account(tenantId).revoke(keyId),
  }
}
