import { AGE_SECONDS, WAIT_SECONDS } from './buckets.ts'
import { counter, gauge, histogram } from './family.ts'
import { LOOKED_UP, MODES, TIERS } from './values.ts'

/** What the cache holds, and what it does. */
export const CACHE = {
  cache_lookups_total: counter('Requests that reached the cache, by what it had.', 'C1 C5', {
    mode: MODES,
    result: LOOKED_UP,
    match: ['exact', 'semantic'],
    tier: TIERS,
  }),
  cache_operations_total: counter('Operations on a tier.', 'C5', {
    tier: TIERS,
    op: ['hit', 'miss', 'write', 'evict', 'promote', 'delete'],
    result: ['ok', 'error', 'timeout'],
  }),
  cache_operation_duration_seconds: histogram(
    'One operation on a tier.',
    'cache access: below 10 ms',
    WAIT_SECONDS,
    { tier: TIERS, op: ['hit', 'miss', 'write', 'evict', 'promote', 'delete'] },
  ),
  cache_entries: gauge(
    'Entries that a tier holds: of memory as it is, of the others as their writes and removals add up.',
    'C2',
    { tier: TIERS },
  ),
  cache_capacity_entries: gauge(
    'Entries that a tier may hold: in memory a bound, elsewhere what is planned for.',
    'C2',
    { tier: TIERS },
  ),
  cache_bytes: gauge('Bytes that these entries take, as they are stored.', 'C3', { tier: TIERS }),
  cache_entry_age_seconds: histogram('Age of an entry when it was hit.', 'C4', AGE_SECONDS, { tier: TIERS }),
  cache_entry_lifetime_seconds: histogram('Age of an entry when it was removed.', 'C4', AGE_SECONDS, {
    tier: TIERS,
  }),
  cache_evictions_total: counter('Entries that a tier gave up.', 'C6', {
    tier: TIERS,
    reason: ['capacity', 'ttl'],
  }),
  cache_invalidations_total: counter('Entries removed before their time.', 'C5', {
    tier: TIERS,
    // `request`: asked for over the API; `epoch`: a tenant's whole cache; `revision`: its model changed.
    reason: ['request', 'epoch', 'revision', 'corrupt'],
  }),
} as const
