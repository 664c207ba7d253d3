import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { MINUTE_MS, MINUTES, Rings } from '../../src/metrics/rings.ts'
import {
  bucketQuantile,
  histogramOf,
  increase,
  mergeWindows,
  rate,
  sketchQuantile,
} from '../../src/metrics/window.ts'
import { FAKE_START_MS } from '../support/fake-clock.ts'

const BOUNDS = [0.1, 0.5, 1]
/** A whole day, minute and second begin here. */
const START_MS = Math.ceil(FAKE_START_MS / 86_400_000) * 86_400_000

const requests = (count: number, seconds: readonly number[] = []) => {
  const tally = new Tally(100)
  tally.count('requests_total{outcome="success"}', count)
  for (const value of seconds) {
    tally.observe('request_duration_seconds{mode="1"}', value, BOUNDS)
    tally.sketch('request_duration_seconds', value)
  }
  return tally.amounts()
}
const isRequests = (series: string) => series.startsWith('requests_total')

describe('rings', () => {
  it('know the rate of the last seconds and of the last minutes', () => {
    const rings = new Rings()
    // One a second for ten minutes, then ten a second for ten more.
    for (let s = 0; s < 1_200; s++) rings.add(requests(s < 600 ? 1 : 10), START_MS + s * 1_000)
    const nowMs = START_MS + 1_200_000 - 1
    expect(rate(rings.lastSeconds(nowMs, 10), isRequests)).toBeCloseTo(10, 1)
    expect(rate(rings.lastMinutes(nowMs, 300), isRequests)).toBeCloseTo(10, 1)
    expect(rate(rings.lastMinutes(nowMs, 300, 660), isRequests)).toBe(1)
    expect(increase(rings.lastMinutes(nowMs, 300, 660), 'requests_total{outcome="success"}', 300)).toBe(300)
    expect(rings.lastMinutes(nowMs, 300, 660).seconds).toBe(300)
    expect(rings.lastSeconds(nowMs, 10).seconds).toBeCloseTo(11, 2)
    expect(rate(rings.lastSeconds(nowMs, 10), 'requests_total')).toBe(0)
    // Silence is seen as silence.
    expect(rate(rings.lastSeconds(nowMs + 61_000, 60), isRequests)).toBe(0)
    expect(rings.totals().counters).toEqual({ 'requests_total{outcome="success"}': 6_600 })
  })

  it('hold 180 minutes and forget what is older, but in no total', () => {
    const rings = new Rings()
    for (let m = 0; m < 400; m++) rings.add(requests(1), START_MS + m * MINUTE_MS)
    expect(rings.minutes(0)).toHaveLength(MINUTES + 1)
    expect(rings.totals().counters).toEqual({ 'requests_total{outcome="success"}': 400 })
    const nowMs = START_MS + 399 * MINUTE_MS + 59_999
    expect(rate(rings.lastMinutes(nowMs, MINUTES * 60), isRequests) * 60).toBeCloseTo(1, 3)
    expect(rate(rings.lastMinutes(nowMs, 3_600, 3_600), isRequests) * 60).toBe(1)
  })

  it('begin a day anew at midnight UTC', () => {
    const rings = new Rings()
    rings.add(requests(3), START_MS - 1)
    rings.add(requests(4), START_MS)
    expect(rings.day()).toMatchObject({
      day: START_MS / 86_400_000,
      amounts: { counters: { 'requests_total{outcome="success"}': 4 } },
    })
    expect(rings.totals().counters).toEqual({ 'requests_total{outcome="success"}': 7 })
  })

  it('go on where they were kept', () => {
    const rings = new Rings()
    for (let m = 0; m < 200; m++) rings.add(requests(m, [m / 100]), START_MS + m * MINUTE_MS)
    const state = { totals: rings.totals(), day: rings.day(), minutes: rings.minutes(0) }
    const again = new Rings(JSON.parse(JSON.stringify(state)))
    for (const each of [rings, again]) each.add(requests(5, [0.2]), START_MS + 200 * MINUTE_MS)
    expect(again.totals()).toEqual(rings.totals())
    expect(again.day()).toEqual(rings.day())
    expect(again.minutes(0)).toEqual(rings.minutes(0))
  })

  it('have quantiles by buckets over minutes, and by sketches over seconds', () => {
    const random = seededRandom(7)
    const rings = new Rings()
    const values = Array.from({ length: 3_000 }, () => random())
    for (const [i, value] of values.entries())
      rings.add(requests(1, [value]), START_MS + Math.floor(i / 50) * 1_000)
    const nowMs = START_MS + 59_999
    const minutes = rings.lastMinutes(nowMs, 300)
    const histogram = histogramOf(minutes, (series) => series.startsWith('request_duration_seconds'))
    const byBuckets = bucketQuantile(0.95, BOUNDS, histogram?.counts ?? [])
    expect(Math.abs((byBuckets ?? 0) - 0.95)).toBeLessThan(0.02)
    const truth = [...values].sort((a, b) => a - b)[Math.ceil(0.95 * 3_000) - 1] ?? 0
    const bySketch = sketchQuantile(rings.lastSeconds(nowMs, 60), 'request_duration_seconds', 0.95) ?? 0
    expect(Math.abs(bySketch / truth - 1)).toBeLessThanOrEqual(0.0101)
    expect(sketchQuantile(minutes, 'request_duration_seconds', 0.95)).toBeUndefined()
  })

  it('of two shards are one', () => {
    const [a, b] = [new Rings(), new Rings()]
    a.add(requests(2, [0.2]), START_MS)
    b.add(requests(3, [0.9, 0.9]), START_MS)
    const both = mergeWindows([a.lastSeconds(START_MS + 999, 5), b.lastSeconds(START_MS + 999, 5)], 100)
    expect(both.amounts).toEqual(
      (() => {
        const one = new Rings()
        one.add(requests(5, [0.2, 0.9, 0.9]), START_MS)
        return one.lastSeconds(START_MS + 999, 5).amounts
      })(),
    )
  })
})

describe('quantiles by buckets', () => {
  it.each([
    // Figures of promql's histogram_quantile.
    [0.5, [2, 2, 0, 0], 0.1],
    [0.75, [2, 2, 0, 0], 0.3],
    [0.25, [2, 2, 0, 0], 0.05],
    [0.99, [0, 0, 0, 5], 1],
    [1, [0, 0, 4, 0], 1],
    [0.5, [0, 0, 4, 0], 0.75],
  ])('%f of %j is %f', (q, counts, expected) => {
    expect(bucketQuantile(q, BOUNDS, counts)).toBeCloseTo(expected, 10)
  })

  it('are unknown where nothing was counted', () => {
    expect(bucketQuantile(0.5, BOUNDS, [0, 0, 0, 0])).toBeUndefined()
  })
})
