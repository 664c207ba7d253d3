import { seriesName } from './catalogue.ts'
import { AGE_SECONDS, WAIT_SECONDS } from './families/buckets.ts'
import type { TIERS } from './families/values.ts'
import type { Sink } from './request-facts.ts'
import { seconds } from './request-metrics.ts'
import { memoised } from './series-memo.ts'
import type { StoreTier } from './stock.ts'

type Tier = (typeof TIERS)[number]
type Operation = 'hit' | 'miss' | 'write' | 'evict' | 'promote' | 'delete'
type Result = 'ok' | 'error' | 'timeout'

const operations = memoised((tier: Tier, op: Operation, result: Result) =>
  seriesName('cache_operations_total', { tier, op, result }),
)
const durations = memoised((tier: Tier, op: Operation) =>
  seriesName('cache_operation_duration_seconds', { tier, op }),
)
const ages = memoised((tier: Tier) => seriesName('cache_entry_age_seconds', { tier }))
const lifetimes = memoised((tier: Tier) => seriesName('cache_entry_lifetime_seconds', { tier }))
const evictions = memoised((tier: Tier, reason: 'capacity' | 'ttl') =>
  seriesName('cache_evictions_total', { tier, reason }),
)
const invalidations = memoised((tier: Tier, reason: 'request' | 'corrupt') =>
  seriesName('cache_invalidations_total', { tier, reason }),
)
const entriesIn = memoised((tier: Tier) => seriesName('cache_entries', { tier }))
const bytesIn = memoised((tier: Tier) => seriesName('cache_bytes', { tier }))

/** Where what the cache's tiers do goes; a `MetricsBuffer` is one. */
export interface CacheSink extends Sink {
  /** @param lifeMs how long what is taken in, or let go, has to live */
  stock(tier: StoreTier, entries: number, bytes: number, lifeMs: number): void
}

/** Counts what the cache's tiers do: to be handed to them as their observer. */
export const cacheMetrics = (sink: CacheSink) => ({
  operation(tier: Tier, op: Operation, result: Result, ms: number | undefined): void {
    sink.count(operations(tier, op, result))
    if (ms !== undefined) sink.observe(durations(tier, op), seconds(ms), WAIT_SECONDS)
  },
  hitAge(tier: Tier, ageMs: number): void {
    sink.observe(ages(tier), seconds(ageMs), AGE_SECONDS)
  },
  gaveUp(tier: Tier, reason: 'capacity' | 'ttl', ageMs: number): void {
    sink.count(operations(tier, 'evict', 'ok'))
    sink.count(evictions(tier, reason))
    sink.observe(lifetimes(tier), seconds(ageMs), AGE_SECONDS)
  },
  invalidated(tier: Tier, reason: 'request' | 'corrupt'): void {
    sink.count(invalidations(tier, reason))
  },
  stock(tier: StoreTier, entries: 1 | -1, bytes: number, lifeMs: number): void {
    sink.stock(tier, entries, entries * bytes, lifeMs)
  },
  holds(tier: Tier, entries: number, bytes: number): void {
    sink.gauge(entriesIn(tier), entries)
    sink.gauge(bytesIn(tier), bytes)
  },
})

/** As configured, for each tier. */
export function tellCapacities(sink: Sink, capacities: Readonly<Record<Tier, number>>): void {
  for (const [tier, entries] of Object.entries(capacities) as [Tier, number][])
    sink.gauge(seriesName('cache_capacity_entries', { tier }), entries)
}
