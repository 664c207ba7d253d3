/** Values of series by name, in the words of promtool: `0+2x40` rises by 2, forty times. */
export type Course = Readonly<Record<string, string>>

export interface AlertCase {
  /** Just past its threshold. */
  readonly beyond: Course
  /** From which minute its condition holds there. */
  readonly fromMin: number
  /** The label of what it names, where it names something. */
  readonly names?: string
  /** Just short of it, or held back by a guard. */
  readonly silent: Readonly<Record<string, Course>>
}

const HOURS_5 = 300
/** A counter that rises evenly. */
const rising = (aMinute: number): string => `0+${aMinute}x${HOURS_5}`
const standing = (value: number): string => `${value}x${HOURS_5}`

const requests = (error: number, success: number): Course => ({
  'beast_requests_total{outcome="error",mode="1"}': rising(error),
  'beast_requests_total{outcome="success",mode="1"}': rising(success),
})
/** Of 100 requests a minute so many take no longer than the bound; the others fall between it and the next. */
const durations = (below: string, bound: string, next: string, within: number): Course => ({
  [`beast_request_duration_seconds_bucket{le="${below}"}`]: rising(0),
  [`beast_request_duration_seconds_bucket{le="${bound}"}`]: rising(within),
  [`beast_request_duration_seconds_bucket{le="${next}"}`]: rising(100),
  'beast_request_duration_seconds_bucket{le="+Inf"}': rising(100),
})
const lookups = (hit: number, miss: number): Course => ({
  'beast_cache_lookups_total{result="hit"}': rising(hit),
  'beast_cache_lookups_total{result="miss"}': rising(miss),
})
const entries = (kv: number): Course => ({
  'beast_cache_entries{tier="kv"}': standing(kv),
  'beast_cache_capacity_entries{tier="kv"}': standing(10_000),
  'beast_cache_entries{tier="memory"}': standing(1000),
  'beast_cache_capacity_entries{tier="memory"}': standing(1000),
})
const evictions = (capacity: number): Course => ({
  'beast_cache_evictions_total{reason="capacity",tier="kv"}': rising(capacity),
  'beast_cache_evictions_total{reason="ttl",tier="kv"}': rising(6000),
})
const outcomes = (family: string, error: number): Course => ({
  [`${family}{outcome="error"}`]: rising(error),
  [`${family}{outcome="success"}`]: rising(100 - error),
})
const cost = (aMinute: number): Course => ({ 'beast_cost_usd_total{type="llm"}': rising(aMinute) })

const SPIKE_MIN = 130
/** So much a minute for a while, then so many times as much. */
const spike = (aMinute: number, times: number): Course => {
  const reached = aMinute * SPIKE_MIN
  return {
    'beast_cost_usd_total{type="llm"}': `0+${aMinute}x${SPIKE_MIN} ${reached + aMinute * times}+${aMinute * times}x60`,
  }
}

const A_DAY = 1440

export const ALERT_CASES: Readonly<Record<string, AlertCase>> = {
  HighErrorRate: {
    beyond: requests(5.1, 94.9),
    fromMin: 1,
    silent: { 'at 4.9 %': requests(4.9, 95.1), 'with hardly a request': requests(2.9, 0) },
  },
  HighLatency: {
    beyond: durations('5.0', '10.0', '20.0', 94.9),
    fromMin: 1,
    silent: { 'just below 10 s': durations('5.0', '10.0', '20.0', 95.1) },
  },
  VeryHighLatency: {
    beyond: durations('20.0', '30.0', '60.0', 98.99),
    fromMin: 1,
    silent: { 'just below 30 s': durations('20.0', '30.0', '60.0', 99.01) },
  },
  LowCacheHitRate: {
    beyond: { ...lookups(39.9, 60.1), 'beast_cache_lookups_total{result="bypass"}': rising(900) },
    fromMin: 1,
    silent: {
      'at 40.1 %': { ...lookups(40.1, 59.9), 'beast_cache_lookups_total{result="bypass"}': rising(900) },
      'with hardly a look-up': lookups(0, 2.9),
    },
  },
  CacheNearCapacity: {
    beyond: entries(9510),
    fromMin: 0,
    names: 'tier="kv"',
    silent: { 'at 94.9 %, memory being full': entries(9490) },
  },
  HighCacheEvictionRate: {
    beyond: evictions(606),
    fromMin: 5,
    silent: { 'at 9.9 a second, whatever has run out': evictions(594) },
  },
  HighDailyCost: {
    beyond: cost(101 / A_DAY),
    fromMin: 60,
    silent: { 'at $99': cost(99 / A_DAY) },
  },
  SuddenCostSpike: {
    beyond: spike(0.02, 2.02),
    fromMin: SPIKE_MIN + 10,
    silent: { 'at 1.98 times': spike(0.02, 1.98), 'below $1 an hour': spike(0.001, 10) },
  },
  LowQualityScore: {
    beyond: { beast_quality_score_ratio_sum: rising(79.9), beast_quality_score_ratio_count: rising(100) },
    fromMin: 1,
    silent: {
      'at 0.801': {
        beast_quality_score_ratio_sum: rising(80.1),
        beast_quality_score_ratio_count: rising(100),
      },
    },
  },
  HighDegradationRate: {
    beyond: { ...requests(100, 100), beast_degraded_responses_total: rising(20.1) },
    fromMin: 1,
    silent: { 'at 19.9 %': { ...requests(100, 100), beast_degraded_responses_total: rising(19.9) } },
  },
  ToolFailureRateHigh: {
    beyond: outcomes('beast_tool_executions_total', 10.1),
    fromMin: 1,
    silent: { 'at 9.9 %': outcomes('beast_tool_executions_total', 9.9) },
  },
  RAGFailureRateHigh: {
    beyond: outcomes('beast_rag_retrievals_total', 5.1),
    fromMin: 1,
    silent: { 'at 4.9 %': outcomes('beast_rag_retrievals_total', 4.9) },
  },
}
