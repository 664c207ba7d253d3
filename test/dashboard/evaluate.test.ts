import { describe, expect, it } from 'vitest'
import { evaluate, type Filter } from '../../src/dashboard/evaluate.ts'
import { parsePromql } from '../../src/dashboard/promql.ts'
import { PastMinutes, Timeline } from '../../src/dashboard/timeline.ts'
import type { Amounts } from '../../src/metrics/batch-tally.ts'
import { CATALOGUE } from '../../src/metrics/catalogue.ts'
import { Rings } from '../../src/metrics/rings.ts'
import { bucketQuantile, histogramOf, sketchQuantile } from '../../src/metrics/window.ts'
import { GAUGES, minutesOf, traffic } from './traffic.ts'

const END = 29_900_000
const NONE = { counters: {}, histograms: {}, sketches: {} }
const requests = (mode: string, outcome: string, count: number) => ({
  [`requests_total{mode="${mode}",provider="p",model="m",outcome="${outcome}",cache="miss",stream="false"}`]:
    count,
})
const counted = (...parts: Record<string, number>[]): Amounts => ({
  ...NONE,
  counters: Object.assign({}, ...parts),
})

function timeline(minutes: readonly Amounts[], open: Amounts = NONE, openSeconds = 30, gauges = {}) {
  const slots = minutes.map((amounts, i) => ({ minute: END - minutes.length + i, amounts }))
  const past = new PastMinutes(slots, END, 180)
  return new Timeline(past, open, gauges, (END * 60 + openSeconds) * 1_000, [open.sketches])
}
const ask = (text: string, of: Timeline, filter: Filter = {}, rangeMinutes = 15, minute?: number) =>
  evaluate(parsePromql(text), { timeline: of, filter, rangeMinutes, minute, found: new Map() })
const one = (...args: Parameters<typeof ask>) => ask(...args)[0]?.value

const RATE = 'sum(rate(beast_requests_total{job=~"$job"}[$__rate_interval]))'

describe('speed', () => {
  const of = timeline(
    [counted(requests('1', 'success', 60)), counted(requests('1', 'success', 120))],
    counted(requests('2', 'error', 45)),
  )

  it('now is that of the last minute and what came since', () => {
    expect(one(RATE, of)).toBeCloseTo(165 / 90)
  })

  it('of a minute that is over is that of the minute, and 0 where nothing came', () => {
    expect([177, 178, 179].map((minute) => one(RATE, of, {}, 15, minute))).toEqual([0, 1, 2])
  })

  it('over an hour is spread over all of it', () => {
    expect(one('sum(rate(beast_requests_total[1h]))', of)).toBeCloseTo(225 / 3_630)
    expect(one('sum(rate(beast_requests_total[1h])) * 86400', of, {}, 15, 179)).toBeCloseTo(
      (180 / 3_600) * 86_400,
    )
  })

  it('of nothing is unknown, not 0', () => {
    expect(ask(RATE, timeline([]))).toEqual([])
  })
})

describe('what came', () => {
  it('in the time shown counts its minutes and what came since', () => {
    const of = timeline(
      [10, 20, 30, 40].map((count) => counted(requests('1', 'success', count))),
      counted(requests('1', 'success', 5)),
    )
    const increase = 'sum by(mode)(increase(beast_requests_total[$__range]))'
    expect(ask(increase, of, {}, 2)).toContainEqual({ labels: { mode: '1' }, value: 75 })
    expect(ask(increase, of, {}, 15)).toContainEqual({ labels: { mode: '1' }, value: 105 })
  })

  it('is told apart by what is chosen, where the series know it', () => {
    const of = timeline([
      counted(requests('1', 'success', 3), requests('2', 'success', 4), {
        'tenant_requests_total{tenant="a"}': 7,
      }),
    ])
    const all = 'sum(increase(beast_requests_total[$__range]))'
    expect(one(all, of, { mode: '2' })).toBe(4)
    expect(one(all, of, { mode: '2', tenant: 'a' })).toBe(4)
    expect(one(all, of, { mode: '3' })).toBe(0)
    expect(one('sum(increase(beast_tenant_requests_total[$__range]))', of, { mode: '2' })).toBe(7)
    expect(one('sum(increase(beast_tenant_requests_total[$__range]))', of, { tenant: 'b' })).toBeUndefined()
  })
})

describe('a part of a whole', () => {
  const share =
    'sum(rate(beast_requests_total{outcome="error"}[$__rate_interval])) / sum(rate(beast_requests_total[$__rate_interval]))'

  it('is 0 where it never happened, and unknown where there is no whole', () => {
    expect(one(share, timeline([counted(requests('1', 'success', 9))]))).toBe(0)
    expect(one(share, timeline([counted(requests('1', 'success', 9))]), { mode: '1' })).toBe(0)
    const ofModel = share.replaceAll('{', '{model="m",').replace('total[', 'total{model="m"}[')
    expect(one(ofModel, timeline([counted(requests('1', 'success', 9))]))).toBe(0)
    expect(
      one(ofModel.replaceAll('"m"', '"x"'), timeline([counted(requests('1', 'success', 9))])),
    ).toBeUndefined()
    expect(one(share, timeline([NONE, NONE]))).toBeUndefined()
    expect(one(share, timeline([counted(requests('1', 'success', 9)), NONE], NONE))).toBeUndefined()
  })

  it('is matched label by label', () => {
    const gauges = { ...GAUGES, 'pool_connections{pool="kv",state="in_use"}': 3 }
    const used =
      'sum by(pool)(beast_pool_connections{state="in_use"}) / sum by(pool)(beast_pool_max_connections)'
    expect(ask(used, timeline([], NONE, 30, gauges))).toEqual([
      { labels: { pool: 'redis' }, value: 0.2 },
      { labels: { pool: 'supabase' }, value: 31 / 40 },
    ])
    expect(ask(used, timeline([], NONE, 30, gauges), {}, 15, 100)).toEqual([])
  })
})

describe('quantiles', () => {
  const minutes = minutesOf(END, 30, 200).map(({ amounts }) => ({ ...amounts, sketches: {} }))
  const open = traffic(7, 400)
  const p95 =
    'histogram_quantile(0.95,sum by(le)(rate(beast_request_duration_seconds_bucket[$__rate_interval])))'
  const wanted = (series: string) => series.startsWith('request_duration_seconds')

  it('of a minute that is over are those of its buckets', () => {
    const window = { amounts: minutes[20] ?? NONE, seconds: 60 }
    const counts = histogramOf(window, wanted)?.counts ?? []
    const expected = bucketQuantile(0.95, CATALOGUE.request_duration_seconds.buckets, counts)
    expect(one(p95, timeline(minutes), {}, 15, 170)).toBeCloseTo(expected ?? Number.NaN, 9)
  })

  it('now are those of the sketches, where enough was seen', () => {
    const expected = sketchQuantile({ amounts: open, seconds: 30 }, wanted, 0.95)
    expect(one(p95, timeline(minutes, open))).toBe(expected)
    expect(one(p95, timeline(minutes, traffic(7, 20)))).not.toBe(expected)
    expect(one(p95, timeline([]))).toBeUndefined()
  })

  it('are one for each child that is asked for', () => {
    const each =
      'topk(2,histogram_quantile(0.5,sum by(le,model)(rate(beast_upstream_duration_seconds_bucket[$__rate_interval]))))'
    const rows = ask(each, timeline(minutes, open))
    expect(rows).toHaveLength(2)
    expect(rows[0]?.value).toBeGreaterThanOrEqual(rows[1]?.value ?? Number.POSITIVE_INFINITY)
    expect(Object.keys(rows[0]?.labels ?? {})).toEqual(['model'])
  })
})

describe('all together', () => {
  it('is what the rings of the hub say', () => {
    const rings = new Rings()
    const minutes = minutesOf(END, 40, 100)
    for (const slot of minutes) rings.addMinute(slot)
    const { amounts } = rings.lastMinutes(END * 60_000, 15 * 60)
    const sum = Object.entries(amounts.counters).reduce(
      (total, [series, amount]) => (series.startsWith('cost_usd_total') ? total + amount : total),
      0,
    )
    const of = timeline(minutes.map((slot) => slot.amounts))
    expect(one('sum(increase(beast_cost_usd_total[$__range]))', of, {}, 15)).toBeCloseTo(sum, 9)
  })

  it('tells how long it runs', () => {
    expect(
      one(
        'time() - max(beast_start_time_seconds)',
        timeline([], NONE, 30, { start_time_seconds: END * 60 - 30 }),
      ),
    ).toBe(60)
  })
})
