import { seededRandom } from '../../scripts/seeded-random.ts'
import { beginOf, type History, historyOf, STEP_SECONDS } from '../../src/dashboard/history.ts'
import type { LongView } from '../../src/dashboard/view.ts'
import { HOSTILE } from './traffic.ts'

const DAY_S = 86_400
const NOTHING = {
  requests: [],
  latency: [],
  costs: [],
  modes: [],
  mode_costs: [],
  tenants: [],
  tenant_costs: [],
  scores: [],
  troubles: [],
  choices: { mode: [], model: [], tenant: [] },
}

/** What the database tells of weeks with quiet nights, as `dashboard_history` would. Postgres' numbers may be text. */
export function toldOf(view: LongView, nowMs: number, summedToMs: number | null) {
  const random = seededRandom(view.minutes)
  const stepS = STEP_SECONDS[view.minutes]
  const fromS = beginOf(view, nowMs)
  const starts = Array.from(
    { length: Math.ceil((nowMs / 1_000 - fromS) / stepS) },
    (_, i) => fromS + i * stepS,
  )
  const steps = starts.map((startS) => {
    const isPart = startS + stepS > nowMs / 1_000 ? (nowMs / 1_000 - startS) / stepS : 1
    const day = 1.2 + Math.sin(((startS % DAY_S) / DAY_S) * 2 * Math.PI - 2)
    const requests = Math.round(stepS * isPart * day * (0.8 + 0.4 * random()) * 2)
    return { at: new Date(startS * 1_000).toISOString(), requests, wave: day }
  })
  const all = { at: null, requests: steps.reduce((sum, { requests }) => sum + requests, 0), wave: 1.2 }
  const rows = [...steps, all]
  return {
    ...NOTHING,
    summed_to: summedToMs === null ? null : new Date(summedToMs).toISOString(),
    requests: rows.map(({ at, requests }) => ({
      at,
      requests: String(requests),
      successes: Math.round(requests * 0.98),
      errors: Math.round(requests * 0.004),
      cancelled: Math.round(requests * 0.005),
      hits: Math.round(requests * 0.62),
      misses: Math.round(requests * 0.3),
    })),
    latency: rows.map(({ at, wave }) => ({
      at,
      mean_ms: 300 * wave,
      p95_ms: 2_400 * wave,
      p99_ms: 5_100 * wave,
    })),
    costs: rows.map(({ at, requests }) => ({
      at,
      asked: Math.round(requests * 0.37),
      cached: Math.round(requests * 0.62),
      input_tokens: requests * 240,
      output_tokens: requests * 90,
      cost_usd: (requests * 0.0006).toFixed(6),
      saved_by_cache_usd: requests * 0.001,
      saved_by_routing_usd: 0,
    })),
    modes: [1, 2, 3, 4, 0].map((mode, i) => ({
      mode,
      requests: Math.round(all.requests / (i + 2)),
      hits: Math.round(all.requests / (i + 3)),
      misses: Math.round(all.requests / (i + 5)),
      bypasses: i,
    })),
    mode_costs: [1, 2, 3].map((mode) => ({ mode, cost_usd: all.requests * 0.0002 })),
    tenants: ['acme', 'globex', 'initech', HOSTILE].map((tenant, i) => ({ tenant, requests: 90_000 >> i })),
    tenant_costs: ['acme', 'globex', HOSTILE].map((tenant, i) => ({ tenant, cost_usd: 40 / (i + 1) })),
    scores: rows.flatMap(({ at }, i) =>
      [0.1, 0.3, 0.5, 0.75, 1].map((at_most, place) => ({
        at,
        at_most,
        ratings: (place + 1) * (2 + (i % 3)),
        score: (place + 1) * (2 + (i % 3)) * at_most,
      })),
    ),
    troubles: rows.flatMap(({ at, requests }) => [
      { at, kind: 'error', type: 'upstream_timeout', requests: Math.round(requests * 0.003) },
      { at, kind: 'error', type: 'invalid_request', requests: Math.round(requests * 0.001) },
      { at, kind: 'degraded', type: 'fallback', requests: Math.round(requests * 0.002) },
      { at, kind: 'warning', type: 'unpriced', requests: Math.round(requests * 0.01) },
    ]),
    choices: { mode: ['1', '2', '3', '4'], model: ['gpt-large', 'support-bot'], tenant: ['acme', 'globex'] },
  }
}

export const storedHistory = (
  view: LongView,
  nowMs: number,
  summedToMs: number | null = nowMs - 80_000,
): History => historyOf(toldOf(view, nowMs, summedToMs), view, nowMs)

/** The same of a database that holds nothing. */
export const emptyHistory = (view: LongView, nowMs: number, summedToMs: number | null): History =>
  historyOf(
    { ...NOTHING, summed_to: summedToMs === null ? null : new Date(summedToMs).toISOString() },
    view,
    nowMs,
  )
