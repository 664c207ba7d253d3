import { afterEach, describe, expect, it, vi } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Clock } from '../../src/core/clock.ts'
import { MAX_CALLS_PER_S } from '../../src/metrics/batch.ts'
import { MetricsBuffer } from '../../src/metrics/buffer.ts'
import { SHARDS, shardName } from '../../src/metrics/shard-name.ts'
import { MetricsShard } from '../../workers/state/metrics-shard.ts'
import { FAKE_START_MS, settled } from '../support/fake-clock.ts'
import { durableState } from './durable-state.ts'

// A region under full load, in simulated time: its buffers and its shards are the real ones.

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
afterEach(() => vi.restoreAllMocks())

const SEED = Number(process.env.SEED ?? 7)

const REQUESTS = 'requests_received_total'
const REQUESTS_PER_S = 50_000
const UNWATCHED_MS = 12_000
const WATCHED_MS = 12_000

/** Time in steps of a millisecond, and what falls due in each. */
function wheel() {
  const due = new Map<number, (() => void)[]>()
  let nowMs = FAKE_START_MS
  const clock: Clock = {
    now: () => nowMs,
    after: (ms, fn) => {
      const at = Math.ceil(nowMs + Math.max(ms, 1))
      let canceled = false
      const list = due.get(at) ?? []
      list.push(() => {
        if (!canceled) fn()
      })
      due.set(at, list)
      return () => {
        canceled = true
      }
    },
  }
  const step = async () => {
    nowMs += 1
    const fns = due.get(nowMs) ?? []
    due.delete(nowMs)
    for (const fn of fns) fn()
    if (fns.length > 0) await settled()
  }
  return { clock, step }
}

async function region(isolates: number) {
  const random = seededRandom(SEED + isolates)
  const { clock, step } = wheel()
  vi.spyOn(Date, 'now').mockImplementation(clock.now)
  vi.spyOn(Math, 'random').mockImplementation(random)
  const hub = { idFromName: () => '', get: () => ({ expect: async () => {} }) }
  const shards = new Map<string, { shard: MetricsShard; callsBySecond: Map<number, number> }>()
  for (let n = 0; n < SHARDS; n++) {
    const { ctx } = durableState(`${n}`)
    const shard = new MetricsShard(ctx, { METRICS_HUB: hub as never })
    shards.set(`weur-${n}`, { shard, callsBySecond: new Map() })
  }
  const buffers = Array.from({ length: isolates }, (_, i) => {
    const isolate = `isolate ${i} ${random()}`
    const mine = shards.get(shardName('weur', isolate))
    if (!mine) throw new Error('no such shard')
    const wait = () => new Promise<void>((resolve) => void clock.after(2 + random() * 30, resolve))
    return new MetricsBuffer({
      clock,
      random,
      isolate,
      send: async (batch) => {
        await wait()
        const second = Math.floor(clock.now() / 1_000)
        mine.callsBySecond.set(second, (mine.callsBySecond.get(second) ?? 0) + 1)
        const answer = mine.shard.take(batch)
        await wait()
        return answer
      },
    })
  })
  let asked = 0
  const run = async (ms: number, watched: boolean) => {
    for (const endMs = clock.now() + ms; clock.now() < endMs; ) {
      for (let i = 0; i < REQUESTS_PER_S / 1_000; i++) {
        const buffer = buffers[Math.floor(random() * isolates)]
        buffer?.count(REQUESTS)
        buffer?.flushLater(() => {})
        asked += 1
      }
      if (watched && clock.now() % 500 === 0) for (const { shard } of shards.values()) shard.live(1)
      await step()
    }
  }
  /** Of any shard in any whole second since then. */
  const mostCalls = (sinceMs: number) =>
    Math.max(
      ...[...shards.values()].flatMap(({ callsBySecond }) =>
        [...callsBySecond].flatMap(([second, calls]) => (second * 1_000 >= sinceMs ? [calls] : [])),
      ),
    )
  const drained = async () => {
    for (let i = 0; i < 10_000; i++) await step()
    const counted = [...shards.values()].map(({ shard }) => shard.report(0).totals.counters[REQUESTS] ?? 0)
    return counted.reduce((sum, count) => sum + count, 0)
  }
  return { clock, run, mostCalls, drained, asked: () => asked }
}

describe('50,000 requests a second in one region', () => {
  it.each([100, 1_000, 5_000])(
    'over %i isolates: no shard takes more than 200 calls a second',
    {
      timeout: 120_000,
    },
    async (isolates) => {
      const { clock, run, mostCalls, drained, asked } = await region(isolates)
      await run(UNWATCHED_MS, false)
      const unwatched = mostCalls(0)
      const watchedFromMs = clock.now()
      await run(WATCHED_MS, true)
      const watched = mostCalls(watchedFromMs)
      console.log(
        `${isolates} isolates: a shard took ${unwatched} calls in a second, ${watched} while watched`,
      )
      expect(unwatched).toBeLessThanOrEqual(MAX_CALLS_PER_S)
      expect(watched).toBeLessThanOrEqual(MAX_CALLS_PER_S)
      expect(await drained()).toBe(asked())
      expect(asked()).toBe(((UNWATCHED_MS + WATCHED_MS) / 1_000) * REQUESTS_PER_S)
    },
  )
})
