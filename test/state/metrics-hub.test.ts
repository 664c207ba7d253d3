import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Live } from '../../src/metrics/batch.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import type { HeldByMinute, StockData } from '../../src/metrics/stock.ts'
import { increase } from '../../src/metrics/window.ts'
import { MetricsHub } from '../../workers/state/metrics-hub.ts'
import { MetricsShard } from '../../workers/state/metrics-shard.ts'
import { FAKE_START_MS } from '../support/fake-clock.ts'
import { durableState, type FakeState } from './durable-state.ts'

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

const REQUESTS = 'requests_received_total'
const MINUTE_MS = 60_000

beforeEach(() => vi.useFakeTimers({ now: Math.ceil(FAKE_START_MS / MINUTE_MS) * MINUTE_MS }))
afterEach(() => vi.useRealTimers())

/** Three shards and their hub, each on its own storage; a shard can be away, or silent. */
function fleet() {
  const hubState = durableState('hub')
  const faults = new Map<string, 'away' | 'silent' | 'slow'>()
  const asked: string[] = []
  let hub: MetricsHub
  const shardStates = new Map<string, FakeState>(['0', '1', '2'].map((id) => [id, durableState(id)]))
  const shards = new Map<string, MetricsShard>()
  const call = async <T>(id: string, fn: (shard: MetricsShard) => T): Promise<T> => {
    asked.push(id)
    if (faults.get(id) === 'away') throw new Error('away')
    if (faults.get(id) === 'silent') return new Promise<T>(() => {})
    const shard = shards.get(id)
    if (!shard) throw new Error(`no shard ${id}`)
    const answer = structuredClone(fn(shard))
    if (faults.get(id) === 'slow') await new Promise((resolve) => setTimeout(resolve, 1_500))
    return answer
  }
  const hubEnv = {
    METRICS_SHARD: {
      idFromString: (id: string) => id,
      get: (id: string) => ({
        report: (after: number) => call(id, (shard) => shard.report(after)),
        live: (seconds: number) => call(id, (shard) => shard.live(seconds)),
      }),
    } as never,
  }
  const startHub = () => {
    hub = new MetricsHub(hubState.ctx, hubEnv)
    return hub
  }
  startHub()
  const shardEnv = {
    METRICS_HUB: {
      idFromName: () => 'hub',
      get: () => ({ expect: (id: string) => hub.expect(id) }),
    } as never,
  }
  for (const [id, { ctx }] of shardStates) shards.set(id, new MetricsShard(ctx, shardEnv))
  const seqs = new Map<string, number>()
  const count = async (id: string, requests: number, stock?: StockData) => {
    const seq = (seqs.get(id) ?? 0) + 1
    seqs.set(id, seq)
    const tally = new Tally(10)
    tally.count(REQUESTS, requests)
    tally.sketch('request_duration_seconds', requests)
    const { counters, histograms, sketches } = tally.amounts()
    const added = { counters, histograms, gauges: { 'connections_active{kind="http"}': requests } }
    shards
      .get(id)
      ?.take({ isolate: id, seq, startedAtMs: Date.now(), added, sketches, ...(stock && { stock }) })
    await vi.advanceTimersByTimeAsync(0)
  }
  const counted = async () => {
    const snapshot = hub.snapshot()
    await vi.advanceTimersByTimeAsync(2_500)
    return (await snapshot).totals.counters[REQUESTS] ?? 0
  }
  /** To the next alarm, as the platform would ring it; false when none is set. */
  const ring = async () => {
    const atMs = hubState.alarmMs()
    if (atMs === null) return false
    await vi.advanceTimersByTimeAsync(Math.max(0, atMs - Date.now()))
    hubState.clearAlarm()
    const ringing = hub.alarm()
    await vi.advanceTimersByTimeAsync(2_500)
    await ringing
    return true
  }
  /** Shards start anew, as after an eviction. */
  const restartShards = () => {
    for (const [id, { ctx }] of shardStates) shards.set(id, new MetricsShard(ctx, shardEnv))
  }
  return { startHub, restartShards, hub: () => hub, count, counted, ring, faults, asked, hubState }
}

describe('the hub', () => {
  it('adds up all shards', async () => {
    const { count, counted, hub } = fleet()
    await count('0', 3)
    await count('1', 4)
    expect(await counted()).toBe(7)
    await count('2', 5)
    await count('0', 1)
    expect(await counted()).toBe(13)
    const snapshot = await hub().snapshot()
    expect(snapshot.day?.amounts.counters[REQUESTS]).toBe(13)
    expect(snapshot).toMatchObject({ isolates: 3, away: 0 })
    expect(snapshot.totals.gauges['connections_active{kind="http"}']).toBe(10)
  })

  it.each(['away', 'silent'] as const)(
    'never tells less when a shard is %s, nor after its own restart',
    async (fault) => {
      const { count, counted, faults, startHub, hub } = fleet()
      await count('0', 3)
      await count('1', 4)
      expect(await counted()).toBe(7)
      faults.set('1', fault)
      await count('0', 1)
      expect(await counted()).toBe(8)
      startHub()
      expect(await counted()).toBe(8)
      const snapshot = hub().snapshot()
      await vi.advanceTimersByTimeAsync(2_500)
      expect((await snapshot).away).toBe(1)
      // What it counted meanwhile comes with it.
      await count('1', 10)
      faults.clear()
      expect(await counted()).toBe(18)
    },
  )

  it('has every minute of every shard once, also of one that was away for some', async () => {
    const { count, counted, ring, hub, faults, startHub } = fleet()
    for (let m = 0; m < 20; m++) {
      if (m === 5) faults.set('1', 'away')
      if (m === 12) faults.clear()
      await count('0', 1)
      await count('1', 2)
      // Others ask too.
      await counted()
      await Promise.all([ring(), hub().snapshot()])
      if (m === 15) startHub()
    }
    const window = hub().window(30 * 60)
    expect(window.amounts.counters[REQUESTS]).toBe(60)
    expect(increase(hub().window(600, 300), REQUESTS, 600)).toBe(30)
    // Of whole minutes only, whenever it is asked.
    await vi.advanceTimersByTimeAsync(59_000 - (Date.now() % MINUTE_MS))
    expect(increase(hub().window(300), REQUESTS, 300)).toBe(15)
    expect(hub().window(60).amounts.counters[REQUESTS]).toBe(3)
    expect(hub().window(60).seconds).toBe(60)
  })

  it('counts a minute once that it asked for twice at once, and believes the newer answer', async () => {
    const { count, hub, faults } = fleet()
    await count('0', 3)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    await Promise.all([hub().snapshot(), hub().snapshot()])
    expect(hub().window(300).amounts.counters[REQUESTS]).toBe(3)
    faults.set('0', 'slow')
    const older = hub().snapshot()
    await vi.advanceTimersByTimeAsync(1_000)
    faults.clear()
    await count('0', 4)
    expect((await hub().snapshot()).totals.counters[REQUESTS]).toBe(7)
    await vi.advanceTimersByTimeAsync(1_000)
    expect((await older).totals.counters[REQUESTS]).toBe(7)
  })

  it('asks nobody who is silent, and rests when nothing is left to tell', async () => {
    const { count, ring, asked, hub, hubState } = fleet()
    await count('0', 1)
    expect(hubState.alarmMs()).toBeGreaterThan(Date.now())
    for (let i = 0; i < 4; i++) await ring()
    const before = asked.length
    let rings = 0
    while (await ring()) rings += 1
    expect(asked.length).toBe(before)
    expect(rings).toBeGreaterThan(170)
    expect(rings).toBeLessThan(185)
    expect((await hub().snapshot()).totals.counters[REQUESTS]).toBe(1)
    await count('0', 2)
    expect(hubState.alarmMs()).toBeGreaterThan(Date.now())
    expect((await hub().snapshot()).totals.counters[REQUESTS]).toBe(3)
  })

  it('shows the last seconds of all shards, twice a second, while somebody watches', async () => {
    const { count, hub, asked, faults } = fleet()
    await count('0', 3)
    await count('1', 4)
    const reader = hub().watch(10).getReader()
    const next = async () => JSON.parse(new TextDecoder().decode((await reader.read()).value)) as Live
    await vi.advanceTimersByTimeAsync(0)
    const first = await next()
    expect(first.window.amounts.counters).toEqual({ [REQUESTS]: 7 })
    expect(first.isolates).toBe(2)
    // One that does not answer holds nobody up for long.
    faults.set('1', 'silent')
    await vi.advanceTimersByTimeAsync(1_500)
    expect((await next()).window.amounts.counters).toEqual({ [REQUESTS]: 3 })
    faults.clear()
    const before = asked.length
    for (let i = 0; i < 10; i++) {
      await vi.advanceTimersByTimeAsync(500)
      await next()
    }
    expect(asked.length - before).toBeGreaterThanOrEqual(18)
    expect(asked.length - before).toBeLessThanOrEqual(24)
    await reader.cancel()
    await vi.advanceTimersByTimeAsync(1_000)
    const after = asked.length
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked.length).toBe(after)
    // And anew for the next, as often as for one.
    const hasty = hub().watch(10)
    await hasty.cancel()
    const again = hub().watch(10).getReader()
    await vi.advanceTimersByTimeAsync(0)
    expect((await again.read()).done).toBe(false)
    const anew = asked.length
    for (let i = 0; i < 10; i++) {
      await vi.advanceTimersByTimeAsync(500)
      await again.read()
    }
    expect(asked.length - anew).toBe(20)
    await again.cancel()
  })

  it('lets lines go that a reader does not fetch', async () => {
    const { count, hub } = fleet()
    await count('0', 3)
    const reader = hub().watch(10).getReader()
    await vi.advanceTimersByTimeAsync(600_000)
    const { value } = await reader.read()
    expect(new TextDecoder().decode(value).split('\n')).toHaveLength(2)
    await reader.cancel()
  })
})

describe('what stores of the cache hold', () => {
  const inMinutes = (minutes: number, entries: number, bytes: number): HeldByMinute => ({
    [Math.floor(Date.now() / MINUTE_MS) + minutes]: { entries, bytes },
  })
  /** Entries and bytes of a tier, as everybody is told. */
  const heldIn = async ({ hub }: ReturnType<typeof fleet>, tier: string) => {
    const snapshot = hub().snapshot()
    await vi.advanceTimersByTimeAsync(2_500)
    const { gauges } = (await snapshot).totals
    return [gauges[`cache_entries{tier="${tier}"}`], gauges[`cache_bytes{tier="${tier}"}`]]
  }

  it('is the sum of all shards, whoever took in and whoever let go, and ends by itself in silence', async () => {
    const all = fleet()
    await all.count('0', 1, { kv: inMinutes(40, 3, 300), redis: inMinutes(100, 1, 70) })
    await all.count('1', 1, { kv: inMinutes(50, 2, 20) })
    await all.count('2', 1, { kv: inMinutes(40, -1, -100) })
    expect(await heldIn(all, 'kv')).toEqual([4, 220])
    expect(await heldIn(all, 'redis')).toEqual([1, 70])
    expect(await heldIn(all, 'supabase')).toEqual([undefined, undefined])
    all.restartShards()
    all.startHub()
    expect(await heldIn(all, 'kv')).toEqual([4, 220])
    await vi.advanceTimersByTimeAsync(45 * MINUTE_MS)
    expect(await heldIn(all, 'kv')).toEqual([2, 20])
    await vi.advanceTimersByTimeAsync(60 * MINUTE_MS)
    expect([await heldIn(all, 'kv'), await heldIn(all, 'redis')]).toEqual([
      [0, 0],
      [0, 0],
    ])
  })

  it('is set right by a count of Supabase, upon which later writes go on', async () => {
    const all = fleet()
    await all.count('0', 1, { supabase: inMinutes(90, 5, 500) })
    await all.count('1', 1, { supabase: inMinutes(200, 4, 400), kv: inMinutes(30, 1, 1) })
    expect(await heldIn(all, 'supabase')).toEqual([9, 900])
    // Of one tenant's entries the oldest were pruned; something older is there of which nothing was heard.
    const told = all
      .hub()
      .cacheCounted({ ...inMinutes(90, 3, 300), ...inMinutes(300, 10, 10), ...inMinutes(200, 4, 400) })
    await vi.advanceTimersByTimeAsync(2_500)
    await told
    expect(await heldIn(all, 'supabase')).toEqual([17, 710])
    expect(await heldIn(all, 'kv')).toEqual([1, 1])
    await all.count('0', 1, { supabase: inMinutes(210, 1, 5) })
    all.startHub()
    expect(await heldIn(all, 'supabase')).toEqual([18, 715])
    await vi.advanceTimersByTimeAsync(91 * MINUTE_MS)
    expect(await heldIn(all, 'supabase')).toEqual([15, 415])
  })
})

describe('probes', () => {
  const gauges = async ({ hub }: ReturnType<typeof fleet>) =>
    Object.fromEntries(
      Object.entries((await hub().snapshot()).totals.gauges).filter(([series]) =>
        series.startsWith('probe_'),
      ),
    )

  it('are believed for as long as they keep coming; then it is the gateway that fails', async () => {
    const all = fleet()
    expect(await gauges(all)).toEqual({})
    all.hub().probed({ gateway: 1, redis: 0 })
    const known = { 'probe_success{target="gateway"}': 1, 'probe_success{target="redis"}': 0 }
    expect(await gauges(all)).toEqual(known)
    all.startHub()
    await vi.advanceTimersByTimeAsync(2 * MINUTE_MS)
    expect(await gauges(all)).toEqual(known)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(await gauges(all)).toEqual({ 'probe_success{target="gateway"}': 0 })
    all.hub().probed({ gateway: 1 })
    expect(await gauges(all)).toEqual({ 'probe_success{target="gateway"}': 1 })
  })
})
