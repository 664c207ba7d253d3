import {
  averageOf,
  level,
  over,
  type Panel,
  panel,
  quantileOf,
  rise,
  speed,
  speedOf,
  sum,
  sumBy,
  top10,
} from './panels-parts.ts'

export const HIT_RATE = over(
  sum(speed('cache_lookups_total', { result: 'hit' })),
  sum(speed('cache_lookups_total', { result: { not: 'bypass' } })),
)

export const PERFORMANCE: readonly Panel[] = [
  panel('Request rate', 'Requests settled, a second.', sum(speed('requests_total')), { unit: 'reqps' }),
  panel(
    'Average response time',
    'From the arrival of a request until its answer was whole.',
    averageOf('request_duration_seconds'),
    { unit: 's' },
  ),
  panel('P95 latency', '95 of 100 requests took no longer.', quantileOf(0.95, 'request_duration_seconds'), {
    unit: 's',
  }),
  panel('P99 latency', '99 of 100 requests took no longer.', quantileOf(0.99, 'request_duration_seconds'), {
    unit: 's',
  }),
  panel(
    'Error rate',
    "Requests that failed by the gateway's or its upstream's fault, also after a 200. The line is HighErrorRate's.",
    over(sum(speed('requests_total', { outcome: 'error' })), sum(speed('requests_total'))),
    { unit: 'percentunit', line: 0.05 },
  ),
  panel('Cache hit rate', 'Hits among the look-ups that did not bypass the cache.', HIT_RATE, {
    kind: 'gauge',
    unit: 'percentunit',
  }),
  panel(
    'Requests by mode',
    'Requests of the time shown, by their class.',
    sumBy('mode', rise('requests_total')),
    { kind: 'piechart' },
  ),
  panel(
    'Quality scores',
    'How many answers have which quality.',
    sumBy('le', speedOf('quality_score_ratio', 'bucket')),
    {
      kind: 'heatmap',
      unit: 'percentunit',
    },
  ),
  panel(
    'Degraded responses',
    'Answers that are less than what was asked for: of a fallback, stale or partial.',
    sum(speed('degraded_responses_total')),
    { unit: 'reqps' },
  ),
  panel('Active workflows', 'Workflows that run now.', sum(level('workflows_active')), { kind: 'stat' }),
  panel(
    'Success rate',
    'Requests answered, among those whose client stayed.',
    over(
      sum(speed('requests_total', { outcome: 'success' })),
      sum(speed('requests_total', { outcome: { not: 'cancelled' } })),
    ),
    { kind: 'gauge', unit: 'percentunit' },
  ),
  panel(
    'Top tenants',
    'The ten tenants with the most requests in the time shown.',
    top10(sumBy('tenant', rise('tenant_requests_total'))),
    { kind: 'table' },
  ),
]
