import type { CacheObserver } from '../../src/cache/observer.ts'
import type { Clock, WaitUntil } from '../../src/core/clock.ts'
import { GatewayError } from '../../src/core/errors.ts'
import type { CostLabelling } from '../../src/feedback/cost-labels.ts'
import type { Batch, BatchAnswer } from '../../src/metrics/batch.ts'
import { type BudgetUse, BudgetUses } from '../../src/metrics/budget-use.ts'
import { MetricsBuffer } from '../../src/metrics/buffer.ts'
import { NONE, seriesName } from '../../src/metrics/catalogue.ts'
import { LargestTenants } from '../../src/metrics/largest-tenants.ts'
import { Pools } from '../../src/metrics/pools.ts'
import type { RequestFacts } from '../../src/metrics/request-facts.ts'
import { RequestMetrics } from '../../src/metrics/request-metrics.ts'
import { cacheMetrics, tellCapacities } from '../../src/metrics/request-metrics-cache.ts'
import { countRating, type RatingFacts } from '../../src/metrics/request-metrics-quality.ts'
import { type ModeByKind, modeNumber, modesOf } from '../../src/metrics/request-modes.ts'
import { type KnownRoutes, RouteLabels } from '../../src/metrics/route-names.ts'
import { regionOf, shardName } from '../../src/metrics/shard-name.ts'
import { ReportedMetrics, type ReportedNames } from '../../src/metrics/telemetry-counts.ts'
import type { TelemetryEvent } from '../../src/metrics/telemetry-events.ts'
import type { Catalogue } from '../../src/models/catalogue.ts'
import type { Provider } from '../../src/models/provider.ts'
import { WELL_KNOWN_NAMES } from '../../src/models/well-known.ts'
import { type Env, listOf, positiveInteger } from './env.ts'

/** What this isolate counts. */
export interface IsolateMetrics {
  readonly buffer: MetricsBuffer
  /** Names for what is counted elsewhere. */
  readonly labelling: CostLabelling
  /** A chat request is here; nothing more is known of it. */
  received(): void
  /** Its answer begins, and is passed on as it comes. */
  streams(waitUntil: WaitUntil): void
  /** It is over. Sends what was counted, behind the answer. */
  settled(facts: RequestFacts, waitUntil: WaitUntil): void
  /** An application told of its own work. @throws GatewayError `too_many_events` */
  reported(tenantId: string, keyId: string, events: readonly TelemetryEvent[], waitUntil: WaitUntil): void
  /** Ratings were accepted. Told with what comes next; whoever accepted them sees to that. */
  rated(rating: RatingFacts): void
}

export interface IsolateMetricsOptions {
  readonly buffer: MetricsBuffer
  readonly pools: Pools
  readonly clock: Clock
  readonly routes: KnownRoutes
  readonly modes: ModeByKind
  readonly reportedNames: Omit<ReportedNames, 'hasModel'>
  readonly loadTenants: () => Promise<readonly (readonly [id: string, name: string])[]>
  readonly loadBudgets: (tenantId: string) => Promise<readonly BudgetUse[]>
}

export function isolateMetrics({ buffer, pools, clock, ...options }: IsolateMetricsOptions): IsolateMetrics {
  const tenants = new LargestTenants({ now: clock.now, load: options.loadTenants })
  const requests = new RequestMetrics({
    sink: buffer,
    routes: options.routes,
    modes: options.modes,
    tenantLabel: (id) => tenants.labelOf(id),
  })
  const budgets = new BudgetUses({
    now: clock.now,
    sink: buffer,
    tenantLabel: (id) => tenants.labelOf(id),
    load: options.loadBudgets,
  })
  buffer.gaugesFrom(() => ({ ...requests.gauges(), ...pools.gauges(requests.open), ...budgets.gauges() }))
  const reported = new ReportedMetrics(buffer, {
    ...options.reportedNames,
    hasModel: (id) => options.routes.hasRoute(id),
  })
  const labels = new RouteLabels(options.routes)
  return {
    buffer,
    labelling: {
      modeOf: (routeId) => modeNumber(routeId, options.modes),
      tenantOf: (id) => tenants.labelOf(id),
      routeOf: (routeId) => labels.of(routeId),
    },
    received: () => requests.received(),
    streams: (waitUntil) => {
      requests.streams()
      // It may be the only one for long.
      buffer.flushLater(waitUntil)
    },
    rated: (rating) => countRating(buffer, rating),
    settled: (facts, waitUntil) => {
      requests.settled(facts)
      budgets.settled(facts, waitUntil)
      reported.expire(clock.now())
      tenants.refresh(waitUntil)
      buffer.flushLater(waitUntil)
    },
    reported: (tenantId, keyId, events, waitUntil) => {
      reported.add(tenantId, keyId, events, clock.now())
      buffer.flushLater(waitUntil)
    },
  }
}

/** A buffer with what an isolate has to say of itself, and the observer for its cache. */
export function isolateBuffer(
  clock: Clock,
  send: (batch: Batch) => Promise<BatchAnswer>,
  isolate: string = crypto.randomUUID(),
): { buffer: MetricsBuffer; observer: CacheObserver; pools: Pools } {
  const buffer = new MetricsBuffer({ clock, random: Math.random, isolate, send })
  buffer.gauge(seriesName('start_time_seconds'), clock.now() / 1_000)
  return { buffer, observer: cacheMetrics(buffer), pools: new Pools() }
}

/** The same, sending to its shard. @param continent of the isolate's first request, by which it keeps to a region */
export function shardedBuffer(env: Env, clock: Clock, continent: string | undefined) {
  const isolate = crypto.randomUUID()
  const name = shardName(regionOf(continent), isolate)
  const { METRICS_SHARD } = env
  const made = isolateBuffer(
    clock,
    async (batch) => METRICS_SHARD.get(METRICS_SHARD.idFromName(name)).take(batch),
    isolate,
  )
  const { BUILD_VERSION: version = NONE, BUILD_COMMIT: commit = NONE } = env
  made.buffer.gauge(seriesName('build_info', { version, commit }), 1)
  const planned = positiveInteger(env, 'CACHE_PLANNED_ENTRIES', 10_000)
  tellCapacities(made.buffer, {
    memory: positiveInteger(env, 'CACHE_MEMORY_ENTRIES', 1_000),
    kv: planned,
    redis: planned,
    supabase: planned,
  })
  return made
}

/** Providers that are configured or widely known; of models those that every tenant sees. */
export function knownRoutes(catalogue: Catalogue, providers: readonly Provider[]): KnownRoutes {
  const names = new Set([...WELL_KNOWN_NAMES, ...providers.map(({ name }) => name), 'custom'])
  return {
    hasProvider: (name) => names.has(name),
    hasRoute: (routeId) => catalogue.isShared(routeId),
  }
}

/** Names that applications' reports may bring into the metrics. */
export const reportedNames = (env: Env): IsolateMetricsOptions['reportedNames'] => ({
  tools: new Set(listOf(env.METRICS_TOOLS)),
  agents: new Set(listOf(env.METRICS_AGENTS)),
  sources: new Set(listOf(env.METRICS_SOURCES)),
})

/** @throws GatewayError `misconfigured` */
export function requestModes(env: Env): ModeByKind {
  try {
    return modesOf(listOf(env.REQUEST_MODES))
  } catch (cause) {
    throw new GatewayError(
      'misconfigured',
      'The gateway is not configured: REQUEST_MODES is not a list of kinds and modes.',
      'Set REQUEST_MODES as in named=1,custom=2,choice=3,task=4, modes from 1 to 4, and deploy again.',
      { cause },
    )
  }
}
