import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Amounts } from '../../src/metrics/batch-tally.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import {
  CATALOGUE,
  type CounterName,
  type HistogramName,
  type LabelArguments,
  seriesName,
} from '../../src/metrics/catalogue.ts'
import type { MinuteSlot } from '../../src/metrics/rings.ts'

export const MODELS = ['gpt-large', 'gpt-small', 'sonnet', 'support-bot', 'code-reviewer'] as const
const PROVIDERS = ['openai', 'openai', 'anthropic', 'custom', 'custom'] as const
/** Names that somebody chose to do harm with. */
export const HOSTILE = '<img src=x onerror=alert(1)>'
const TENANTS = ['acme', 'globex', 'initech', 'umbrella', HOSTILE] as const

/** Ten isolates' worth of a busy minute, or a part of one. @param size requests */
export function traffic(seed: number, size: number): Amounts {
  const random = seededRandom(seed)
  const tally = new Tally(4_000)
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() ** 1.6 * values.length)] as T
  const count = <N extends CounterName>(family: N, amount: number, ...labels: LabelArguments<N>) =>
    tally.count(seriesName(family, ...labels), amount)
  const observe = <N extends HistogramName>(family: N, value: number, ...labels: LabelArguments<N>) => {
    const series = seriesName(family, ...labels)
    tally.observe(series, value, CATALOGUE[family].buckets)
    tally.sketch(series, value)
  }
  for (let i = 0; i < size; i++) {
    const place = Math.floor(random() ** 1.5 * MODELS.length)
    const [model = '', provider = ''] = [MODELS[place], PROVIDERS[place]]
    const mode = pick(['1', '2', '3', '4'] as const)
    const isHit = random() < 0.62
    const cache = isHit ? 'hit' : random() < 0.1 ? 'bypass' : 'miss'
    const ill = random()
    const outcome =
      ill < 0.0006 ? 'error' : ill < 0.02 ? 'client_error' : ill < 0.025 ? 'cancelled' : 'success'
    const tenant = pick(TENANTS)
    const tier = pick(['memory', 'kv', 'redis', 'supabase'] as const)
    const seconds = isHit ? 0.002 + random() * 0.02 : 0.3 + random() ** 4 * 9
    const costUsd = isHit ? 0 : 0.0002 + random() * 0.004
    count('requests_received_total', 1)
    count('requests_total', 1, { mode, provider, model, outcome, cache, stream: pick(['true', 'false']) })
    count('tenant_requests_total', 1, { tenant })
    count('llm_calls_total', 1, { provider, model, cached: isHit ? 'true' : 'false' })
    observe('request_duration_seconds', seconds, { mode, cache })
    observe('gateway_overhead_seconds', 0.002 + random() ** 6 * 0.09, { cache })
    count('cache_lookups_total', 1, { mode, result: cache, match: isHit ? 'exact' : 'none', tier })
    count('cache_operations_total', 1, {
      tier,
      op: pick(['hit', 'miss', 'write', 'promote', 'evict']),
      result: 'ok',
    })
    observe('cache_operation_duration_seconds', 0.0005 + random() ** 5 * 0.02, { tier, op: 'hit' })
    observe('quality_score_ratio', 1 - random() ** 2.5 * 0.6, { mode })
    if (outcome === 'error')
      count('request_errors_total', 1, { type: pick(['upstream_timeout', 'upstream_failed']), provider })
    if (isHit) {
      observe('cache_entry_age_seconds', 30 + random() ** 3 * 9_000, { tier })
      count('cost_saved_usd_total', 0.002, { mode, reason: 'cache' })
      continue
    }
    observe('upstream_duration_seconds', seconds - 0.01, { provider, model })
    count('cost_usd_total', costUsd, {
      type: random() < 0.9 ? 'llm' : pick(['tools', 'rag']),
      mode,
      provider,
      model,
    })
    count('tenant_cost_usd_total', costUsd, { tenant })
    count('tokens_total', 300 + random() * 900, { type: 'input', provider, model })
    count('tokens_total', 100 + random() * 400, { type: 'output', provider, model })
    if (random() < 0.2) count('cost_saved_usd_total', 0.001, { mode, reason: 'routing' })
    if (random() < 0.04) count('degraded_responses_total', 1, { mode })
    if (random() < 0.05) count('warnings_total', 1, { type: pick(['truncated', 'unpriced', 'low_quality']) })
    if (random() < 0.05) count('cache_evictions_total', 1, { tier, reason: pick(['capacity', 'ttl']) })
    if (random() < 0.05) observe('cache_entry_lifetime_seconds', 600 + random() * 7_000, { tier })
    if (random() < 0.02) count('fallbacks_total', 1, { from: 'support-bot', to: 'gpt-small' })
  }
  return tally.amounts()
}

/** So many minutes of a day's afternoon, more at some times than at others. */
export const minutesOf = (endMinute: number, count: number, size: number): MinuteSlot[] =>
  Array.from({ length: count }, (_, i) => {
    const minute = endMinute - count + i
    const wave = 1 + 0.35 * Math.sin(minute / 17) + 0.15 * Math.sin(minute / 3)
    return { minute, amounts: traffic(minute, Math.round(size * wave)) }
  })

export const GAUGES: Readonly<Record<string, number>> = {
  'cache_entries{tier="memory"}': 998,
  'cache_entries{tier="kv"}': 6_412,
  'cache_entries{tier="redis"}': 8_930,
  'cache_entries{tier="supabase"}': 3_120,
  'cache_bytes{tier="memory"}': 14_200_000,
  'cache_bytes{tier="kv"}': 48_000_000,
  'cache_bytes{tier="redis"}': 61_500_000,
  'connections_active{kind="http"}': 42,
  'connections_active{kind="sse"}': 17,
  'pool_connections{pool="redis",state="in_use"}': 12,
  'pool_max_connections{pool="redis"}': 60,
  'pool_connections{pool="supabase",state="in_use"}': 31,
  'pool_max_connections{pool="supabase"}': 40,
  'build_info{version="0.1.0",commit="dfe5791"}': 1,
  start_time_seconds: Date.UTC(2026, 10, 19) / 1_000,
}
