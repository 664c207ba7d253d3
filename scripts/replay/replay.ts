import type { CacheSlot, TierName } from '../../src/cache/tier.ts'
import { DAY_MS, HOUR_MS } from '../../src/warming/calendar.ts'
import { advance, newPatterns, observe, type TenantPatterns } from '../../src/warming/patterns.ts'
import { planWarming, STRATEGIES, type StrategyName, type WarmingPlan } from '../../src/warming/plan.ts'
import { seededRandom } from '../seeded-random.ts'
import type { Trace, TraceRequest } from '../traces/trace.ts'
import { firstRequests } from './first-requests.ts'
import { type SimulatedCache, simulatedCache, simulatedClock } from './simulated-cache.ts'

export interface ReplayOptions {
  readonly warm: StrategyName
  /** Warm calls a day, for each tenant. */
  readonly budget: number
  readonly seed: number
  /** Told of every plan that is made. */
  readonly onPlan?: (tenant: string, nowMs: number, plan: WarmingPlan) => void
}

export interface ReplayReport {
  readonly requests: number
  readonly hits: number
  readonly by_kind: { readonly exact: number }
  readonly by_tier: Readonly<Record<TierName, number>>
  readonly false_hits: number
  readonly upstream_calls: number
  readonly upstream_cost_usd: number
  readonly warm_calls: number
  readonly warm_cost_usd: number
  readonly warm_kv_writes: number
  readonly first_requests: number
  readonly first_mean_ms: number
  readonly first_p95_ms: number
}

/** How often a plan is made. */
const EVERY_MS = HOUR_MS
/** Up to a tenth of a life is taken off at random. */
const LIFE_MS = 0.95 * DAY_MS
/** What it is worth that nobody waits a second, dollars. */
const USD_PER_SECOND = 0.01
/** What a look-up at each tier takes, milliseconds. */
const TIER_MS: Readonly<Record<TierName, number>> = { memory: 0, kv: 10, redis: 20, supabase: 50 }

/** An answer that was stored once, with what asking again needs. */
interface Shelved {
  readonly slot: CacheSlot
  readonly promptHash: string
  readonly request: TraceRequest
  expiresAtMs: number
}

interface TenantState {
  readonly known: TenantPatterns
  readonly shelf: Map<string, Shelved>
  warmCalls: number
}

/**
 * Replays a trace through the cache chain and the planner in simulated time. Warming begins, and counting with
 * it, at the trace's `countedFromMs`, so that all strategies start from the same cache.
 */
export async function replay(trace: Trace, options: ReplayOptions): Promise<ReplayReport> {
  const clock = simulatedClock()
  const cache = simulatedCache(clock, seededRandom(options.seed))
  const tenants = new Map<string, TenantState>()
  const slots = new Map<string, CacheSlot>()
  const count = newCount()
  let planAtMs = trace.countedFromMs
  for (const request of trace.requests) {
    for (; planAtMs <= request.atMs; planAtMs += EVERY_MS) {
      clock.set(planAtMs)
      const allowance = (options.budget * (planAtMs + EVERY_MS - trace.countedFromMs)) / DAY_MS
      for (const state of tenants.values())
        await warmTenant(cache, state, { ...options, nowMs: planAtMs, allowance }, count)
    }
    clock.set(request.atMs)
    const state = stateOf(tenants, request.tenant)
    const name = JSON.stringify([request.tenant, request.prompt])
    const slot = slots.get(name) ?? (await cache.slot(request.tenant, request.prompt))
    slots.set(name, slot)
    const served = await serve(cache, state, slot, request)
    if (request.atMs >= trace.countedFromMs) tally(count, served, request, slot)
  }
  return reportOf(count)
}

interface Served {
  readonly from: TierName | undefined
  readonly isFalse: boolean
  readonly tookMs: number
}

async function serve(
  cache: SimulatedCache,
  { known, shelf }: TenantState,
  slot: CacheSlot,
  request: TraceRequest,
): Promise<Served> {
  const { entry, from, asked } = await cache.read(slot)
  const lookupMs = asked.reduce((sum, { tier }) => sum + TIER_MS[tier], 0)
  const { atMs, tenant, costUsd, latencyMs } = request
  observe(known, { tenant, promptHash: slot.id, atMs, hit: entry !== undefined, costUsd, latencyMs })
  if (entry) return { from, isFalse: entry.body !== request.meaning, tookMs: lookupMs }
  const expiresAtMs = await cache.store(slot, request.meaning)
  shelf.set(slot.id, { slot, promptHash: slot.id, request, expiresAtMs })
  return { from, isFalse: false, tookMs: lookupMs + latencyMs }
}

/** One plan, carried out at once. What earlier plans left of the budget may be used later. */
async function warmTenant(
  cache: SimulatedCache,
  state: TenantState,
  { warm, onPlan, nowMs, allowance }: ReplayOptions & { readonly nowMs: number; readonly allowance: number },
  count: Count,
): Promise<void> {
  advance(state.known, nowMs)
  const calls = Math.floor(allowance - state.warmCalls)
  if (calls < 1) return
  const { price } = state.known
  const budget = { calls, usd: (calls * price.costUsd) / price.calls, kvWrites: calls }
  const terms = { nowMs, everyMs: EVERY_MS, lifeMs: LIFE_MS, usdPerSecond: USD_PER_SECOND, budget }
  const plan = planWarming(state.known, state.shelf.values(), terms, STRATEGIES[warm])
  onPlan?.(state.known.tenant, nowMs, plan)
  for (const { promptHash, toKv } of plan.warmings) {
    const shelved = state.shelf.get(promptHash)
    if (!shelved) continue
    shelved.expiresAtMs = await cache.warm(shelved.slot, shelved.request.meaning, toKv)
    state.warmCalls += 1
    count.warmCalls += 1
    count.warmCostUsd += shelved.request.costUsd
    if (toKv) count.kvWrites += 1
  }
}

function stateOf(tenants: Map<string, TenantState>, tenant: string): TenantState {
  const state = tenants.get(tenant) ?? { known: newPatterns(tenant), shelf: new Map(), warmCalls: 0 }
  tenants.set(tenant, state)
  return state
}

const newCount = () => ({
  requests: 0,
  byTier: { memory: 0, kv: 0, redis: 0, supabase: 0 } as Record<TierName, number>,
  falseHits: 0,
  upstreamCalls: 0,
  upstreamCostUsd: 0,
  warmCalls: 0,
  warmCostUsd: 0,
  kvWrites: 0,
  firsts: firstRequests(),
})
type Count = ReturnType<typeof newCount>

function tally(
  count: Count,
  { from, isFalse, tookMs }: Served,
  request: TraceRequest,
  slot: CacheSlot,
): void {
  count.requests += 1
  if (from) count.byTier[from] += 1
  else {
    count.upstreamCalls += 1
    count.upstreamCostUsd += request.costUsd
  }
  if (isFalse) count.falseHits += 1
  count.firsts.add(slot.id, request.atMs, tookMs)
}

function reportOf(count: Count): ReplayReport {
  const hits = count.requests - count.upstreamCalls
  return {
    requests: count.requests,
    hits,
    by_kind: { exact: hits },
    by_tier: count.byTier,
    false_hits: count.falseHits,
    upstream_calls: count.upstreamCalls,
    upstream_cost_usd: dollars(count.upstreamCostUsd),
    warm_calls: count.warmCalls,
    warm_cost_usd: dollars(count.warmCostUsd),
    warm_kv_writes: count.kvWrites,
    first_requests: count.firsts.count(),
    first_mean_ms: Math.round(count.firsts.mean()),
    first_p95_ms: Math.round(count.firsts.quantile(0.95)),
  }
}

const dollars = (usd: number): number => Math.round(usd * 1e6) / 1e6
