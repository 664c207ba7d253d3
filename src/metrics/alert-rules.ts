import {
  average,
  type Condition,
  counterOf,
  largest,
  quantile,
  rate,
  ratio,
  scaled,
  type Term,
} from './alert-terms.ts'
import { conditionText } from './promql.ts'

export const CHANNELS = ['slack', 'pagerduty', 'email'] as const
export type Channel = (typeof CHANNELS)[number]

/** One alert. The rules for Prometheus are made from it, and the gateway's own watch reads it. */
export interface AlertRule {
  readonly name: string
  /** What is wrong where this holds. */
  readonly threshold: Condition
  /** Hold as well, so that a few requests, or a few cents, wake nobody. */
  readonly guards: readonly Condition[]
  /** For so long without a break before it fires. */
  readonly forS: number
  readonly severity: 'warning' | 'critical'
  readonly channels: readonly Channel[]
  /** How to write the value: a part of one, or a number of this unit. */
  readonly unit: 'part' | 's' | 'USD' | 'USD a second' | 'a second'
  readonly summary: string
  /** The next step. */
  readonly tip: string
}

const MINUTE_S = 60
const HOUR_S = 3600
const DAY_S = 86_400

const above = (left: Term, right: number | Term): Condition => ({ left, is: '>', right })
const below = (left: Term, right: number | Term): Condition => ({ left, is: '<', right })
const costRate = (windowS: number, offsetS = 0): Term => rate(counterOf('cost_usd_total'), windowS, offsetS)
const shareOf = (family: 'tool_executions_total' | 'rag_retrievals_total'): Term =>
  ratio(rate(counterOf(family, { outcome: 'error' })), rate(counterOf(family)))

/** In requests a second: three a minute. */
const SOME_TRAFFIC = 0.05

export const ALERT_RULES: readonly AlertRule[] = [
  {
    name: 'HighErrorRate',
    threshold: above(
      ratio(rate(counterOf('requests_total', { outcome: 'error' })), rate(counterOf('requests_total'))),
      0.05,
    ),
    guards: [above(rate(counterOf('requests_total')), SOME_TRAFFIC)],
    forS: 5 * MINUTE_S,
    severity: 'warning',
    channels: ['slack', 'pagerduty'],
    unit: 'part',
    summary: 'More than 5 % of requests fail',
    tip: 'See which error and which provider: panel "Error types" of System Health.',
  },
  {
    name: 'HighLatency',
    threshold: above(quantile(0.95, 'request_duration_seconds'), 10),
    guards: [],
    forS: 5 * MINUTE_S,
    severity: 'warning',
    channels: ['slack'],
    unit: 's',
    summary: 'One request in 20 takes longer than 10 s',
    tip: 'Compare upstream_duration_seconds by provider: a slow model is the usual cause.',
  },
  {
    name: 'VeryHighLatency',
    threshold: above(quantile(0.99, 'request_duration_seconds'), 30),
    guards: [],
    forS: 5 * MINUTE_S,
    severity: 'critical',
    channels: ['pagerduty'],
    unit: 's',
    summary: 'One request in 100 takes longer than 30 s',
    tip: 'Find the provider in upstream_duration_seconds and take it out of service, or shorten its deadline.',
  },
  {
    name: 'LowCacheHitRate',
    threshold: below(
      ratio(
        rate(counterOf('cache_lookups_total', { result: 'hit' })),
        rate(counterOf('cache_lookups_total', { result: { not: 'bypass' } })),
      ),
      0.4,
    ),
    guards: [above(rate(counterOf('cache_lookups_total')), SOME_TRAFFIC)],
    forS: 15 * MINUTE_S,
    severity: 'warning',
    channels: ['slack'],
    unit: 'part',
    summary: 'Fewer than 40 % of look-ups are hits',
    tip: 'Look for failing tiers in cache_operations_total, then for a changed prompt or model.',
  },
  {
    name: 'CacheNearCapacity',
    // A healthy memory tier is always full.
    threshold: above(
      ratio(
        largest('cache_entries', 'tier', { tier: { not: 'memory' } }),
        largest('cache_capacity_entries', 'tier', { tier: { not: 'memory' } }),
      ),
      0.95,
    ),
    guards: [],
    forS: 10 * MINUTE_S,
    severity: 'warning',
    channels: ['slack'],
    unit: 'part',
    summary: 'Tier {{ $labels.tier }} of the cache is 95 % full',
    tip: 'Raise its capacity, or shorten the life of its entries.',
  },
  {
    name: 'HighCacheEvictionRate',
    threshold: above(rate(counterOf('cache_evictions_total', { reason: 'capacity' })), 10),
    guards: [],
    forS: 10 * MINUTE_S,
    severity: 'warning',
    channels: ['slack'],
    unit: 'a second',
    summary: 'More than 10 entries a second are pushed out of the cache',
    tip: 'See which tier in panel "Evictions", and raise its capacity.',
  },
  {
    name: 'HighDailyCost',
    threshold: above(scaled(costRate(HOUR_S), DAY_S), 100),
    guards: [],
    forS: HOUR_S,
    severity: 'warning',
    channels: ['email'],
    unit: 'USD',
    summary: 'At the pace of the last hour a day costs more than $100',
    tip: 'See which tenant and mode: panels "Most expensive tenants" and "Cost per mode".',
  },
  {
    name: 'SuddenCostSpike',
    // The baseline is an hour older than the spike: one that ended with it would absorb it before `for` is over.
    threshold: {
      left: costRate(10 * MINUTE_S),
      is: '>=',
      right: scaled(costRate(HOUR_S, HOUR_S), 2),
    },
    guards: [above(scaled(costRate(10 * MINUTE_S), HOUR_S), 1)],
    forS: 10 * MINUTE_S,
    severity: 'critical',
    channels: ['pagerduty', 'email'],
    unit: 'USD a second',
    summary: 'Spending has doubled within two hours',
    tip: 'Find the tenant in "Most expensive tenants"; revoke its key or set a hard budget.',
  },
  {
    name: 'LowQualityScore',
    threshold: below(average('quality_score_ratio'), 0.8),
    guards: [],
    forS: 10 * MINUTE_S,
    severity: 'warning',
    channels: ['slack'],
    unit: 'part',
    summary: 'The average quality of answers is below 0.8',
    tip: 'Compare the quality by mode, and what changed: a model, a prompt, an experiment.',
  },
  {
    name: 'HighDegradationRate',
    threshold: above(
      ratio(
        rate(counterOf('degraded_responses_total')),
        rate(counterOf('requests_total', { outcome: 'success' })),
      ),
      0.2,
    ),
    guards: [],
    forS: 10 * MINUTE_S,
    severity: 'warning',
    channels: ['slack'],
    unit: 'part',
    summary: 'More than 20 % of answers are less than what was asked for',
    tip: 'degradations_total names the reason; for "fallback" see which provider fails.',
  },
  {
    name: 'ToolFailureRateHigh',
    threshold: above(shareOf('tool_executions_total'), 0.1),
    guards: [],
    forS: 10 * MINUTE_S,
    severity: 'warning',
    channels: ['slack'],
    unit: 'part',
    summary: 'More than 10 % of tool runs fail',
    tip: 'tool_executions_total names the tool.',
  },
  {
    name: 'RAGFailureRateHigh',
    threshold: above(shareOf('rag_retrievals_total'), 0.05),
    guards: [],
    forS: 10 * MINUTE_S,
    severity: 'critical',
    channels: ['pagerduty'],
    unit: 'part',
    summary: 'More than 5 % of retrievals fail',
    tip: 'rag_retrievals_total names the source.',
  },
]

/** The rule in Prometheus' language. */
export const exprOf = ({ threshold, guards }: AlertRule): string =>
  [threshold, ...guards].map(conditionText).join(' and ')

export const routeOf = ({ channels }: AlertRule): string => channels.join('-')
