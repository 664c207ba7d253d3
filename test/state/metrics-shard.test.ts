import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Batch } from '../../src/metrics/batch.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { increase } from '../../src/metrics/window.ts'
import { MetricsShard } from '../../workers/state/metrics-shard.ts'
import { FAKE_START_MS } from '../support/fake-clock.ts'
import { durableState } from './durable-state.ts'

// Hours cannot be waited for in workerd, so the object's own class runs here on SQLite.
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
const REQUESTS = 'requests_received_total'
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

function batch(isolate: string, seq: number, requests: number, more: Partial<Batch['added']> = {}): Batch {
  const tally = new Tally(100)
  tally.count(REQUESTS, requests)
  tally.observe('request_duration_seconds', requests, [1, 10])
  tally.sketch('request_duration_seconds', requests)
  const { counters, histograms, sketches } = tally.amounts()
  const startedAtMs = Date.now() - 250
  return { isolate, seq, startedAtMs, added: { counters, histograms, gauges: {}, ...more }, sketches }
}

function object() {
  const state = durableState('shard')
  const told: string[] = []
  const hub = { away: false }
  const expectNews = async (id: string) => {
    if (hub.away) throw new Error('away')
    told.push(id)
  }
  const env = { METRICS_HUB: { idFromName: () => 'hub', get: () => ({ expect: expectNews }) } as never }
  return { ...state, told, hub, start: () => new MetricsShard(state.ctx, env) }
}
const counted = (shard: MetricsShard) => shard.report(0).totals.counters[REQUESTS] ?? 0
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms)

beforeEach(() => vi.useFakeTimers({ now: FAKE_START_MS }))
afterEach(() => vi.useRealTimers())

describe('a shard', () => {
  it('counts a batch once, however often and late it is sent again', () => {
    const { start } = object()
    const shard = start()
    const first = batch('a', 1, 10)
    for (const each of [first, first, batch('a', 2, 5), first, batch('b', 1, 1)]) shard.take(each)
    expect(counted(shard)).toBe(16)
    expect(shard.report(0).totals.histograms.request_duration_seconds).toEqual({ counts: [1, 2, 0], sum: 16 })
    expect(counted(start())).toBe(16)
    start().take(first)
    expect(counted(start())).toBe(16)
  })

  it('counts what went into a store once, however often it is told, and over a restart', () => {
    const { start } = object()
    const stock = { kv: { [Math.floor(Date.now() / MINUTE_MS) + 30]: { entries: 2, bytes: 9 } } }
    const shard = start()
    for (let i = 0; i < 3; i++) shard.take({ ...batch('a', 1, 1), stock })
    const held = (from: MetricsShard) => from.report(0).totals.gauges['cache_entries{tier="kv"}']
    expect([held(shard), held(start())]).toEqual([2, 2])
    // So many that the batches are folded.
    for (let seq = 2; seq < 1_200; seq++) shard.take(batch('a', seq, 1))
    shard.take({ ...batch('b', 1, 1), stock })
    expect([held(shard), held(start())]).toEqual([4, 4])
    // Of one whose isolate is forgotten it is not known whether it was counted.
    shard.take({ ...batch('c', 1, 1), startedAtMs: Date.now() - 2 * HOUR_MS, stock })
    expect(held(shard)).toBe(4)
    pass(31 * MINUTE_MS)
    expect([held(shard), held(start())]).toEqual([0, 0])
  })

  it('is exact after 6,000 batches, with restarts at any of them, on storage that does not grow', () => {
    const { start, rows } = object()
    const random = seededRandom(SEED)
    const seqs = new Map<string, number>()
    let shard = start()
    let sum = 0
    let last: Batch | undefined
    for (let i = 0; i < 6_000; i++) {
      const isolate = `isolate ${Math.floor(random() * 40)}`
      const seq = (seqs.get(isolate) ?? 0) + 1
      seqs.set(isolate, seq)
      const requests = Math.floor(random() * 100)
      if (last && random() < 0.1) shard.take(last)
      last = batch(isolate, seq, requests)
      shard.take(last)
      sum += requests
      if (random() < 0.01) {
        const before = shard.report(0)
        shard = start()
        const after = shard.report(0)
        expect([after.totals.counters, after.totals.histograms]).toEqual([
          before.totals.counters,
          before.totals.histograms,
        ])
        expect([after.minutes, after.day]).toEqual([before.minutes, before.day])
      }
      pass(random() * 500)
    }
    expect(counted(shard)).toBe(sum)
    pass(MINUTE_MS)
    const minutes = shard.report(0).minutes.map(({ amounts }) => amounts.counters[REQUESTS] ?? 0)
    expect(minutes.reduce((all, one) => all + one, 0)).toBe(sum)
    expect(rows('batches')).toBeLessThanOrEqual(1_000)
    expect(rows('kept')).toBeLessThan(200)
  })

  it('keeps a batch that is too long for a row', () => {
    const { start, rows } = object()
    const counters = Object.fromEntries(
      Array.from({ length: 9_000 }, (_, i) => [`series ${i} ${'x'.repeat(90)}`, 1]),
    )
    start().take(batch('a', 1, 0, { counters: { ...counters, [REQUESTS]: 7 } }))
    expect(rows('batches')).toBe(0)
    expect(counted(start())).toBe(7)
    start().take(batch('a', 1, 7))
    start().take(batch('a', 2, 2))
    expect(counted(start())).toBe(9)
    expect(Object.keys(start().report(0).totals.counters)).toHaveLength(9_001)
  })

  it('does not count what it may have counted under a number that it has forgotten', () => {
    const { start } = object()
    const shard = start()
    const unacknowledged = batch('a', 1, 10)
    shard.take(unacknowledged)
    pass(2 * HOUR_MS)
    for (let i = 1; i <= 1_001; i++) shard.take(batch('b', i, 0))
    shard.take(unacknowledged)
    shard.take(unacknowledged)
    expect(start().report(0).totals.counters).toMatchObject({
      [REQUESTS]: 10,
      'telemetry_dropped_total{reason="late"}': 1,
    })
    // What it gathers now is its own word again.
    shard.take(batch('a', 2, 3))
    expect(counted(start())).toBe(13)
  })

  it('has three hours of minutes, over restarts', () => {
    const { start, rows } = object()
    for (let m = 0; m < 400; m++) {
      const shard = start()
      shard.take(batch('a', m + 1, 1))
      pass(MINUTE_MS)
    }
    const { minutes, throughMinute } = start().report(0)
    // With the one that has just ended.
    expect(minutes).toHaveLength(181)
    expect(minutes.at(-1)?.minute).toBe(throughMinute)
    expect(new Set(minutes.map(({ amounts }) => amounts.counters[REQUESTS]))).toEqual(new Set([1]))
    expect(start().report(throughMinute - 3).minutes).toHaveLength(3)
    expect(rows('kept') + rows('batches')).toBeLessThan(1_200)
  })

  it('changes no minute that it told as over, though the clock was set back', () => {
    const { start } = object()
    const shard = start()
    shard.take(batch('a', 1, 1))
    pass(5 * MINUTE_MS)
    shard.take(batch('a', 2, 1))
    const told = shard.report(0)
    pass(-4 * MINUTE_MS)
    shard.take(batch('a', 3, 1))
    const restarted = start()
    restarted.take(batch('a', 4, 1))
    pass(6 * MINUTE_MS)
    const [first, open, ...more] = restarted.report(0).minutes
    expect([first]).toEqual(told.minutes)
    expect(open?.amounts.counters[REQUESTS]).toBe(3)
    expect(more).toEqual([])
  })

  it('writes a row for a batch, and little else', () => {
    const { start, statements } = object()
    const shard = start()
    const before = statements()
    for (let i = 1; i <= 10_000; i++) {
      shard.take(batch('a', i, 1))
      pass(100)
    }
    expect(statements() - before).toBeGreaterThanOrEqual(10_000)
    expect(statements() - before).toBeLessThan(10_100)
  })

  it('adds up the gauges of isolates that are heard of', () => {
    const { start } = object()
    const gauge = 'connections_active{kind="sse"}'
    start().take(batch('a', 1, 1, { gauges: { [gauge]: 3 } }))
    pass(30_000)
    start().take(batch('b', 1, 1, { gauges: { [gauge]: 4 } }))
    expect(start().report(0).totals.gauges[gauge]).toBe(7)
    pass(31_000)
    expect(start().report(0).totals.gauges[gauge]).toBe(4)
    pass(30_000)
    expect(start().report(0).totals.gauges[gauge]).toBeUndefined()
  })

  it('says how often to send: seldom, and more often while somebody watches', () => {
    const { start } = object()
    const shard = start()
    shard.take(batch('isolate 0', 1, 1))
    pass(2_000)
    const waits = (from: number) =>
      Array.from({ length: 200 }, (_, i) => shard.take(batch(`isolate ${i}`, from, 1)).flushMs)
    expect(Math.min(...waits(2))).toBeGreaterThanOrEqual(2_000)
    expect(Math.max(...waits(3))).toBeLessThanOrEqual(5_000)
    shard.live(1)
    pass(1_000)
    expect(shard.take(batch('one', 1, 1)).flushMs).toBe(Math.ceil(201 / 0.16))
    pass(29_500)
    shard.live(1)
    // Those who fell silent are not reckoned with.
    expect(shard.take(batch('one', 2, 1)).flushMs).toBe(250)
    pass(6_000)
    expect(shard.take(batch('one', 3, 1)).flushMs).toBeGreaterThanOrEqual(2_000)
  })

  it('that was silent is taken for watched until the hub can have looked, unless many speak at once', () => {
    const { start } = object()
    const shard = start()
    const answer = (isolate: string, seq: number) => shard.take(batch(isolate, seq, 1))
    expect(answer('one', 1)).toEqual({ flushMs: 250, soonMs: 250 })
    pass(1_000)
    expect(answer('one', 2).flushMs).toBe(250)
    pass(1_000)
    // Nobody looked; who falls silent itself is soon heard all the same.
    expect(answer('one', 3)).toEqual({ flushMs: expect.toSatisfy((ms) => ms >= 2_000), soonMs: 250 })
    pass(121_000)
    for (let i = 0; i < 40; i++) answer(`isolate ${i}`, 1)
    expect(answer('isolate 40', 1).flushMs).toBeGreaterThanOrEqual(2_000)
    expect(answer('isolate 40', 2).soonMs).toBe(Math.ceil(41 / 0.16))
  })

  it('shows the last seconds', () => {
    const { start } = object()
    const shard = start()
    for (let s = 1; s <= 20; s++) {
      shard.take(batch('a', s, 8))
      pass(1_000)
    }
    const { window, isolates } = shard.live(10)
    expect(increase(window, REQUESTS, 10)).toBe(80)
    expect(window.amounts.sketches.request_duration_seconds?.buckets).toHaveLength(2)
    expect(isolates).toBe(1)
  })

  it('tells the hub once a minute, and by its alarm when it could not', async () => {
    const { start, told, hub, alarmMs } = object()
    hub.away = true
    const shard = start()
    for (let i = 1; i < 10; i++) shard.take(batch('a', i, 1))
    await vi.advanceTimersByTimeAsync(0)
    expect(told).toHaveLength(0)
    expect(alarmMs()).toBeGreaterThan(Date.now())
    hub.away = false
    shard.alarm()
    for (let i = 10; i < 20; i++) shard.take(batch('a', i, 1))
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    shard.take(batch('a', 20, 1))
    expect(told).toEqual(['shard', 'shard'])
  })
})
