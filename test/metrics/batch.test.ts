import { describe, expect, it } from 'vitest'
import { flushIntervalMs } from '../../src/metrics/batch.ts'
import { mergeGauges, stillLeased } from '../../src/metrics/batch-gauges.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { sketchOf } from '../../src/metrics/sketch.ts'

const BOUNDS = [0.1, 1]

describe('a tally', () => {
  it('of batches is the tally of all that is in them', () => {
    const [whole, sum] = [new Tally(100), new Tally(100)]
    for (const values of [[0.05, 0.1, 0.5], [1], [2, 0]]) {
      const part = new Tally(100)
      for (const tally of [part, whole]) {
        for (const value of values) {
          tally.count('requests_total{mode="1"}', 1)
          tally.observe('request_duration_seconds', value, BOUNDS)
          tally.sketch('request_duration_seconds', value)
        }
      }
      const amounts = JSON.parse(JSON.stringify(part.amounts()))
      sum.add(amounts)
      sum.addSketches(amounts.sketches)
    }
    expect(sum.amounts()).toEqual(whole.amounts())
    expect(whole.amounts()).toMatchObject({
      counters: { 'requests_total{mode="1"}': 6 },
      // An edge belongs to the bucket below it.
      histograms: { request_duration_seconds: { counts: [3, 2, 1], sum: 3.65 } },
    })
    expect(
      sketchOf(whole.amounts().sketches.request_duration_seconds ?? { zeroes: 0, buckets: [] }).count,
    ).toBe(6)
  })

  it('takes nothing that is no amount, and says how often', () => {
    const tally = new Tally(100)
    for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      tally.count('a', value)
      tally.observe('b', value, BOUNDS)
      tally.sketch('c', value)
      tally.add({ counters: { a: value }, histograms: { b: { counts: [1, 1, 1], sum: value } } })
      tally.add({ counters: {}, histograms: { b: { counts: [1, value, 1], sum: 1 } } })
    }
    tally.addSketches({ c: { zeroes: 1, buckets: [1] } })
    expect(tally.amounts().counters).toEqual({ 'telemetry_dropped_total{reason="invalid"}': 19 })
    expect(tally.amounts().histograms).toEqual({})
  })

  it('leaves a histogram whole when another of its name has other buckets', () => {
    const tally = new Tally(100)
    tally.observe('h', 0.5, BOUNDS)
    tally.observe('h', 0.5, [1])
    tally.add({ counters: {}, histograms: { h: { counts: [1, 1, 1, 1], sum: 4 } } })
    expect(tally.amounts().histograms.h).toEqual({ counts: [0, 1, 0], sum: 0.5 })
    expect(tally.amounts().counters).toEqual({ 'telemetry_dropped_total{reason="invalid"}': 2 })
  })

  it('takes no series beyond its bound, counts on with those it has, and says how often', () => {
    const tally = new Tally(3)
    tally.count('a', 1)
    tally.observe('b', 1, BOUNDS)
    tally.sketch('b', 1)
    tally.count('c', 1)
    tally.observe('d', 1, BOUNDS)
    tally.sketch('e', 1)
    tally.count('a', 2)
    // It came full from elsewhere, and what was dropped there still counts.
    tally.add({ counters: { 'telemetry_dropped_total{reason="late"}': 4 }, histograms: {} })
    expect(tally.amounts().counters).toEqual({
      a: 3,
      'telemetry_dropped_total{reason="cardinality"}': 3,
      'telemetry_dropped_total{reason="late"}': 4,
    })
  })

  it('takes names that objects have of their own', () => {
    const tally = new Tally(10)
    const names = ['__proto__', 'constructor', 'toString']
    for (const name of names) tally.count(name, 1)
    const again = new Tally(10)
    again.add(JSON.parse(JSON.stringify(tally.amounts())))
    expect(Object.entries(again.amounts().counters)).toEqual(names.map((name) => [name, 1]))
  })
})

describe('gauges', () => {
  it('add up, but for those that are the same everywhere', () => {
    const parts = [
      { 'connections_active{kind="sse"}': 3, 'build_info{version="1",commit="a"}': 1, start_time_seconds: 5 },
      { 'connections_active{kind="sse"}': 4, 'build_info{version="1",commit="a"}': 1, start_time_seconds: 9 },
    ]
    expect(mergeGauges(parts)).toEqual({
      'connections_active{kind="sse"}': 7,
      'build_info{version="1",commit="a"}': 1,
      start_time_seconds: 9,
    })
  })

  it('are believed for a minute, workflows for a quarter of an hour', () => {
    const gauges = { 'connections_active{kind="sse"}': 1, 'workflows_active{mode="2"}': 1 }
    expect(stillLeased(gauges, 59_999)).toEqual(gauges)
    expect(stillLeased(gauges, 60_000)).toEqual({ 'workflows_active{mode="2"}': 1 })
    expect(stillLeased(gauges, 900_000)).toEqual({})
  })
})

it.each([
  [1, true, 250],
  [40, true, 250],
  [313, true, 1_957],
  [1, false, 3_500],
  [400, false, 3_500],
  [1_600, false, 10_000],
])('%i isolates, watched %s: a batch each %i ms', (isolates, watched, ms) => {
  expect(flushIntervalMs(isolates, watched, 0.5)).toBe(ms)
})
