import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Batch } from '../../src/metrics/batch.ts'
import { type CostBatch, type CostCount, tellCosts, toBatch } from '../../src/metrics/cost-counts.ts'
import { totalOf, totalsBy } from '../../src/metrics/totals.ts'
import { MetricsShard } from '../../workers/state/metrics-shard.ts'
import { FAKE_START_MS } from '../support/fake-clock.ts'
import { durableState } from './durable-state.ts'

// What is told of costs, on the shard's own class: hours pass, and both sides break off at any point.
vi.mock('cloudflare:workers', () => ({
  DurableObject: class {
    readonly ctx: unknown
    readonly env: unknown
    constructor(ctx: unknown, env: unknown) {
      this.ctx = ctx
      this.env = env
    }
  },
}))

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${SEED}`)
const HOUR_MS = 3_600_000

const spent = (spentUsd: number, more: Partial<CostCount> = {}): CostCount => ({
  tenant: 'acme',
  mode: 1,
  provider: 'openai',
  model: 'gpt-4o',
  spentUsd,
  savedUsd: 0,
  ...more,
})

/** The store's side, as `next_cost_batch` does it. */
function book() {
  let noted: CostCount[] = []
  let batch: CostBatch | undefined
  let number = 0
  return {
    add: (...counts: CostCount[]) => void noted.push(...counts),
    next: async (told: number | undefined): Promise<CostBatch | undefined> => {
      if (told === batch?.batch) batch = undefined
      if (batch || noted.length === 0) return batch
      batch = { teller: 't', batch: ++number, counts: noted }
      noted = []
      return batch
    },
  }
}

function object() {
  const state = durableState('shard')
  const env = {
    METRICS_HUB: { idFromName: () => 'hub', get: () => ({ expect: async () => {} }) } as never,
  }
  return () => new MetricsShard(state.ctx, env)
}
/** So many batches of others, after which the shard has folded, and forgotten whom it may. */
function others(shard: MetricsShard, name: string): void {
  const added = { counters: { requests_received_total: 1 }, gauges: {}, histograms: {} }
  for (let seq = 1; seq <= 1_001; seq++)
    shard.take({ isolate: name, seq, startedAtMs: Date.now(), added, sketches: {} })
}
const counted = (shard: MetricsShard) => totalOf(shard.report(0).totals.counters, 'cost_usd_total')
const now = () => Date.now()

beforeEach(() => vi.useFakeTimers({ now: FAKE_START_MS }))
afterEach(() => vi.useRealTimers())

describe('costs that are told', () => {
  it('come under the labels of the catalogue', () => {
    const { counters } = toBatch(
      {
        teller: 't',
        batch: 7,
        counts: [
          spent(1),
          spent(2, { mode: 3 }),
          spent(4, { tenant: 'other', mode: 0, provider: null, model: null }),
          { tenant: null, mode: 2, provider: null, model: null, spentUsd: 0, savedUsd: 8 },
        ],
      },
      0,
    ).added
    expect(counters).toEqual({
      'cost_usd_total{type="llm",mode="1",provider="openai",model="gpt-4o"}': 1,
      'cost_usd_total{type="llm",mode="3",provider="openai",model="gpt-4o"}': 2,
      'cost_usd_total{type="llm",mode="none",provider="other",model="other"}': 4,
      'tenant_cost_usd_total{tenant="acme"}': 3,
      'tenant_cost_usd_total{tenant="other"}': 4,
      'cost_saved_usd_total{mode="2",reason="cache"}': 8,
    })
  })

  it('count once when they are told again days later, and always when they were never told', async () => {
    const start = object()
    const { add, next } = book()
    add(spent(1))
    const first = (await next(undefined)) as CostBatch
    start().take(toBatch(first, now()))
    vi.setSystemTime(now() + 50 * HOUR_MS)
    others(start(), 'a')
    vi.setSystemTime(now() + 50 * HOUR_MS)
    const shard = start()
    others(shard, 'b')
    add(spent(2))
    await tellCosts({ now, next, take: async (_, batch) => shard.take(batch) })
    expect(counted(shard)).toBe(3)
    expect(counted(start())).toBe(3)
  })

  it('add up to what was booked, whatever breaks off between the two', async () => {
    const start = object()
    const { add, next } = book()
    const random = seededRandom(SEED)
    let shard = start()
    let booked = 0
    const tenants: Record<string, number> = {}
    const takes: Batch[] = []
    const teller = () =>
      tellCosts({
        now,
        next: async (told) => {
          if (random() < 0.1) throw new Error('the store is away')
          const batch = await next(told)
          // It was marked as told, and whoever asked has died.
          if (random() < 0.1) throw new Error('killed')
          return batch
        },
        take: async (_, batch) => {
          takes.push(batch)
          if (random() < 0.15) throw new Error('the shard is away')
          const answer = shard.take(batch)
          if (random() < 0.15) throw new Error('the answer was lost')
          return answer
        },
      }).catch(() => {})
    for (let i = 0; i < 600; i++) {
      const tenant = `tenant ${Math.floor(random() * 3)}`
      const usd = Math.ceil(random() * 1e6) / 1e6
      add(spent(usd, { tenant, mode: 1 + Math.floor(random() * 4) }))
      booked += usd
      tenants[tenant] = (tenants[tenant] ?? 0) + usd
      // Two recorders at once; now and then somebody slow tells what is long over.
      await Promise.all(random() < 0.5 ? [teller()] : [teller(), teller()])
      const late = takes[Math.floor(random() * takes.length)]
      if (late && random() < 0.1) shard.take(late)
      if (random() < 0.05) shard = start()
      if (random() < 0.02) vi.setSystemTime(now() + 3 * HOUR_MS)
    }
    for (let i = 0; i < 50; i++) await teller()
    expect(await next(undefined)).toBeUndefined()
    const { counters } = start().report(0).totals
    expect(totalOf(counters, 'cost_usd_total')).toBeCloseTo(booked, 6)
    const by = totalsBy(counters, 'tenant_cost_usd_total', 'tenant')
    for (const [tenant, usd] of Object.entries(tenants)) expect(by[tenant]).toBeCloseTo(usd, 6)
  })
})
