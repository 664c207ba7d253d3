import {
  averageOf,
  level,
  over,
  type Panel,
  panel,
  rise,
  speed,
  speedOf,
  sum,
  sumBy,
} from './panels-parts.ts'
import { HIT_RATE } from './panels-performance.ts'

export const CACHE_PANELS: readonly Panel[] = [
  panel('Hit rate over time', 'Hits among the look-ups that did not bypass the cache.', HIT_RATE, {
    unit: 'percentunit',
  }),
  panel('Operations', 'What the tiers do, all together.', sumBy('op', speed('cache_operations_total')), {
    unit: 'ops',
  }),
  panel('Cache size', 'Entries by tier.', sumBy('tier', level('cache_entries'))),
  panel('Cache memory', 'Bytes by tier.', sumBy('tier', level('cache_bytes')), { unit: 'bytes' }),
  panel(
    'Entry age',
    'How old entries are when they are hit.',
    sumBy('le', speedOf('cache_entry_age_seconds', 'bucket')),
    {
      kind: 'heatmap',
      unit: 's',
    },
  ),
  panel(
    'Hit/miss ratio',
    'Hits for each miss.',
    over(
      sum(speed('cache_lookups_total', { result: 'hit' })),
      sum(speed('cache_lookups_total', { result: 'miss' })),
    ),
    { kind: 'stat' },
  ),
  panel(
    'Evictions',
    'Entries given up because a tier was full (capacity) or their time was over (ttl).',
    sumBy('tier,reason', speed('cache_evictions_total')),
    { unit: 'ops' },
  ),
  panel(
    'Average entry lifetime',
    'How old entries were when they were removed.',
    averageOf('cache_entry_lifetime_seconds'),
    { kind: 'stat', unit: 's' },
  ),
  panel(
    'Per-mode cache stats',
    'Look-ups of the time shown, by class of request and by what the cache had.',
    sumBy('mode,result', rise('cache_lookups_total')),
    { kind: 'table' },
  ),
  panel(
    'Invalidations',
    'Entries removed before their time, a second.',
    sumBy('reason', speed('cache_invalidations_total')),
  ),
]
