import { AsyncLocalStorage } from 'node:async_hooks'
import { beforeEach, describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Batch, BatchAnswer } from '../../src/metrics/batch.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { MetricsBuffer } from '../../src/metrics/buffer.ts'
import { FAKE_START_MS, type FakeClock, fakeClock, settled } from '../support/fake-clock.ts'

const REQUESTS = 'requests_received_total'
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${SEED}`)

type Send = (batch: Batch) => Promise<BatchAnswer>
const FLUSH_MS = 1_000

/** Counts each (isolate, seq) once, as a shard does. */
function shard() {
  const tally = new Tally(10_000)
  const calls: Batch[] = []
  let last = 0
  const take: Send = async (batch) => {
    calls.push(batch)
    if (batch.seq > last) tally.add(batch.added)
    last = Math.max(last, batch.seq)
    return { flushMs: FLUSH_MS }
  }
  return { take, calls, counted: (series = REQUESTS) => tally.amounts().counters[series] ?? 0 }
}

let clock: FakeClock
let pending: Promise<unknown>[]
let timers: number
/** Each request in its own life: one that was ended hears no timer any more. */
const lives = new AsyncLocalStorage<{ ended: boolean }>()

beforeEach(() => {
  clock = fakeClock()
  pending = []
  timers = 0
})

/** The first is drawn for the first wait, which so is the shortest, 2 s. */
const draws =
  (first = 0) =>
  () => {
    const drawn = first
    first = 0.5
    return drawn
  }

function bufferOf(send: Send, random: () => number = draws()) {
  const after = (ms: number, fn: () => void) => {
    const life = lives.getStore()
    timers += 1
    return clock.after(ms, () => {
      if (!life?.ended) fn()
    })
  }
  const buffer = new MetricsBuffer({ clock: { now: clock.now, after }, random, isolate: 'i', send })
  const request = () => {
    const life = { ended: false }
    lives.run(life, () => {
      buffer.count(REQUESTS)
      buffer.flushLater((work) => void pending.push(work))
    })
    return life
  }
  return { buffer, request }
}

describe('the buffer of an isolate', () => {
  it('sends all that requests added as one batch, by the first that wakes', async () => {
    const { take, calls, counted } = shard()
    const { buffer, request } = bufferOf(take)
    for (let i = 0; i < 100; i++) {
      buffer.observe('request_duration_seconds', 0.3, [0.1, 1])
      buffer.sketch('request_duration_seconds', 0.3)
      buffer.gauge('connections_active{kind="http"}', i)
      request()
    }
    expect(calls).toHaveLength(0)
    await clock.advance(2_000)
    expect(calls).toHaveLength(1)
    expect(calls[0]).toMatchObject({
      isolate: 'i',
      seq: 1,
      startedAtMs: FAKE_START_MS,
      added: {
        counters: { [REQUESTS]: 100 },
        gauges: { 'connections_active{kind="http"}': 99 },
        histograms: { request_duration_seconds: { counts: [0, 100, 0] } },
      },
    })
    expect(structuredClone(JSON.parse(JSON.stringify(calls[0])))).toEqual(calls[0])
    expect(counted()).toBe(100)
    // Nothing is left that anybody waits for, and silence costs no call.
    await Promise.all(pending)
    await clock.advance(60_000)
    expect(calls).toHaveLength(1)
  })

  it('asks for few timers, and sends at the pace that the shard gave', async () => {
    const { take, calls, counted } = shard()
    const { request } = bufferOf(take)
    for (let ms = 0; ms < 20_000; ms++) {
      request()
      await clock.advance(1)
    }
    await clock.advance(3_000)
    expect(counted()).toBe(20_000)
    expect(calls.map(({ seq }) => seq)).toEqual(calls.map((_, i) => i + 1))
    expect(calls.length).toBeGreaterThanOrEqual(18)
    expect(calls.length).toBeLessThanOrEqual(20)
    // Four sleepers and one deadline for each batch, not one for each request.
    expect(timers).toBeLessThanOrEqual(calls.length * 6)
    await Promise.all(pending)
  })

  it('keeps nobody waiting after a silence, and the pace all the same', async () => {
    const sentMs: number[] = []
    const { request } = bufferOf(async () => {
      sentMs.push(clock.now() - FAKE_START_MS)
      return { flushMs: 4_000, soonMs: 250 }
    })
    request()
    await clock.advance(2_000)
    // Too early for another, though it was silent for a second.
    await clock.advance(1_000)
    request()
    await clock.advance(3_000)
    await clock.advance(10_000)
    request()
    await clock.advance(250)
    request()
    await clock.advance(3_999)
    expect(sentMs).toEqual([2_000, 6_000, 16_250])
    await clock.advance(1)
    expect(sentMs.at(-1)).toBe(20_250)
  })

  it('does not wait to be told that somebody looks, where they came through its isolate', async () => {
    const { take, calls } = shard()
    const { buffer, request } = bufferOf(take)
    buffer.hasten()
    request()
    await clock.advance(249)
    expect(calls).toHaveLength(0)
    await clock.advance(1)
    expect(calls).toHaveLength(1)
  })

  it('loses nothing when those who sleep are ended, while any request comes', async () => {
    const { take, counted } = shard()
    const { request } = bufferOf(take)
    for (let i = 0; i < 4; i++) request().ended = true
    await clock.advance(30_000)
    expect(counted()).toBe(0)
    request()
    await clock.advance(5_000)
    expect(counted()).toBe(5)
  })

  it('is sent by another when only the first sleeper is ended', async () => {
    const { take, counted } = shard()
    const { request } = bufferOf(take)
    request().ended = true
    request()
    await clock.advance(5_000)
    expect(counted()).toBe(2)
  })

  it.each([
    ['before the shard had it', false],
    ['after the shard had it', true],
  ])('sends again under the same number when the call broke %s', async (_, arrives) => {
    const { take, calls, counted } = shard()
    let breaks = 2
    const { request } = bufferOf(async (batch) => {
      if (breaks > 0 && !arrives) {
        breaks -= 1
        throw new Error('lost')
      }
      const answer = await take(batch)
      if (breaks-- > 0) throw new Error('lost')
      return answer
    })
    request()
    await clock.advance(2_500)
    request()
    await clock.advance(15_000)
    expect(counted()).toBe(2)
    expect(calls.map(({ seq }) => seq)).toEqual(arrives ? [1, 1, 1, 2] : [1, 2])
    await Promise.all(pending)
  })

  it('sends again what hung, when its request was ended on the way', async () => {
    const { take, calls, counted } = shard()
    let hangs = true
    const { request } = bufferOf((batch) => {
      const answer = take(batch)
      return hangs ? new Promise(() => {}) : answer
    })
    const first = request()
    await clock.advance(2_500)
    first.ended = true
    hangs = false
    request()
    await clock.advance(20_000)
    expect(calls.map(({ seq }) => seq)).toEqual([1, 1, 2])
    expect(counted()).toBe(2)
  })

  it('takes a late word about one batch for no word about the next', async () => {
    const calls: { seq: number; answer: () => void; fail: () => void }[] = []
    const { request } = bufferOf(
      ({ seq }) =>
        new Promise((resolve, reject) => {
          calls.push({
            seq,
            answer: () => resolve({ flushMs: FLUSH_MS }),
            fail: () => reject(new Error('lost')),
          })
        }),
    )
    const first = request()
    await clock.advance(2_500)
    first.ended = true
    request()
    await clock.advance(5_000)
    calls[1]?.answer()
    await clock.advance(2_000)
    expect(calls.map(({ seq }) => seq)).toEqual([1, 1, 2])
    calls[0]?.answer()
    await clock.advance(100)
    calls[2]?.fail()
    await clock.advance(2_000)
    expect(calls.map(({ seq }) => seq)).toEqual([1, 1, 2, 2])
  })

  it('keeps no request longer than its batch', async () => {
    const { take } = shard()
    const { request } = bufferOf(take)
    for (let i = 0; i < 100; i++) {
      request()
      await clock.advance(50)
    }
    let ended = 0
    for (const work of pending) void work.then(() => (ended += 1))
    await settled()
    // All but those of the gathering that is open, and of the one before.
    expect(ended).toBeGreaterThanOrEqual(pending.length - 8)
    expect(pending.length).toBeGreaterThan(12)
  })

  it('goes on counting while the shard is away for long, without ever more timers or memory', async () => {
    const { take, calls, counted } = shard()
    let away = true
    let tries = 0
    const { request } = bufferOf((batch) => {
      tries += 1
      return away ? Promise.reject(new Error('away')) : take(batch)
    })
    for (let i = 0; i < 600; i++) {
      request()
      await clock.advance(1_000)
    }
    expect(tries).toBeGreaterThan(30)
    expect(tries).toBeLessThan(400)
    expect(timers).toBeLessThan(8_000)
    away = false
    request()
    await clock.advance(60_000)
    expect(calls).toHaveLength(2)
    expect(counted()).toBe(601)
  })

  it('holds so many series, and says what it dropped', async () => {
    const { take, calls } = shard()
    const { buffer, request } = bufferOf(take)
    for (let i = 0; i < 5_000; i++) buffer.count(`tenant_requests_total{tenant="${i}"}`)
    buffer.gauge('connections_active{kind="http"}', Number.NaN)
    request()
    await clock.advance(3_000)
    const { counters = {}, gauges } = calls[0]?.added ?? {}
    expect(Object.keys(counters)).toHaveLength(2_002)
    expect(counters['telemetry_dropped_total{reason="cardinality"}']).toBe(3_001)
    expect(counters['telemetry_dropped_total{reason="invalid"}']).toBe(1)
    expect(gauges).toEqual({})
  })

  it('is counted exactly, however calls and requests break', { timeout: 60_000 }, async () => {
    for (let run = 0; run < 40; run++) {
      clock = fakeClock()
      const random = seededRandom(SEED + run)
      const { take, counted } = shard()
      const { request } = bufferOf(async (batch) => {
        if (random() < 0.2) throw new Error('did not arrive')
        if (random() < 0.1) await new Promise<void>((resolve) => void clock.after(random() * 9_000, resolve))
        await take(batch)
        if (random() < 0.2) throw new Error('answer lost')
        if (random() < 0.1) return new Promise(() => {})
        return { flushMs: random() < 0.5 ? 250 : 3_000 }
      }, random)
      let asked = 0
      for (; asked < 150; asked++) {
        const life = request()
        if (random() < 0.3) void clock.after(random() * 3_000, () => (life.ended = true))
        await clock.advance(random() < 0.05 ? random() * 30_000 : random() * 300)
      }
      // Whatever was ended with its requests goes with later ones.
      for (let i = 0; counted() < asked && i < 50; i++) {
        request()
        asked += 1
        await clock.advance(25_000)
      }
      await settled()
      expect(counted(), `run ${run}`).toBe(asked)
    }
  })
})
