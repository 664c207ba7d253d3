import { describe, expect, it } from 'vitest'
import { objectivesOf } from '../../src/dashboard/objectives.ts'
import { choicesOf, figuresOf, timesOf } from '../../src/dashboard/read-model.ts'
import { TABS, VITALS } from '../../src/dashboard/tabs.ts'
import { PastMinutes, Timeline } from '../../src/dashboard/timeline.ts'
import { FIRST_VIEW, RANGES } from '../../src/dashboard/view.ts'
import { FAMILY_NAMES } from '../../src/metrics/catalogue.ts'
import { everyFamily } from '../metrics/samples.ts'
import { timelines } from './shown-page.ts'
import { HOSTILE, MODELS } from './traffic.ts'

const END = 29_900_000
const NOW_MS = (END * 60 + 20) * 1_000

describe('figures', () => {
  it('of every panel have something to show once every family was counted', () => {
    const { gauges, ...amounts } = everyFamily('custom')
    const slots = [1, 2].map((ago) => ({ minute: END - ago, amounts: { ...amounts, sketches: {} } }))
    const past = new PastMinutes(slots, END, 180)
    const timeline = new Timeline(past, amounts, gauges, NOW_MS)
    for (const { code } of TABS) {
      const figures = figuresOf(timeline, { ...FIRST_VIEW, tab: code }, true)
      for (const [panel, rows] of Object.entries(figures)) {
        // Hits for each miss: there was no miss.
        if (panel !== 'C6') expect(rows.length, panel).toBeGreaterThan(0)
        expect(
          rows.every(({ now }) => now === null || Number.isFinite(now)),
          panel,
        ).toBe(true)
      }
    }
    expect(FAMILY_NAMES.length).toBeGreaterThan(40)
  })

  it('hold what stands above every tab, and as many points as minutes', () => {
    const { timeline } = timelines(NOW_MS, 30)
    for (const minutes of RANGES) {
      const view = { ...FIRST_VIEW, tab: 'K' as const, minutes }
      const figures = figuresOf(timeline, view, true)
      expect(Object.keys(figures)).toEqual(expect.arrayContaining([...VITALS, 'K11']))
      expect(timesOf(timeline, view).at(-1)).toBe(END * 60)
      expect(timesOf(timeline, view)).toHaveLength(minutes)
      expect(figures.K1?.[0]?.points).toHaveLength(minutes)
      expect(figures.K2?.[0]?.points).toBeUndefined()
    }
    expect(figuresOf(timeline, FIRST_VIEW, false).P1?.[0]?.points).toBeUndefined()
  })

  it('of a heat map tell how many lie between two bounds', () => {
    const { timeline } = timelines(NOW_MS, 60)
    const rows = figuresOf(timeline, FIRST_VIEW, true).P8 ?? []
    expect(rows.map(({ labels }) => labels[0]).slice(-2)).toEqual(['1', '+Inf'])
    expect(rows.flatMap(({ points = [] }) => points).every((value) => (value ?? 0) >= 0)).toBe(true)
    const asked = timeline.lines({ family: 'quality_score_ratio', part: 'count' })
    const inMinute = asked.reduce((sum, { before }) => sum + (before[180] ?? 0) - (before[179] ?? 0), 0)
    const told = rows.reduce((sum, { points }) => sum + (points?.at(-1) ?? 0) * 60, 0)
    expect(told).toBeCloseTo(inMinute, 1)
  })

  it('show nobody before somebody came', () => {
    const { timeline } = timelines(NOW_MS, 0)
    for (const { code } of TABS)
      for (const rows of Object.values(figuresOf(timeline, { ...FIRST_VIEW, tab: code }, true)))
        expect(rows).toEqual([])
    expect(choicesOf(timeline)).toEqual({ mode: [], model: [], tenant: [] })
  })
})

describe('choices', () => {
  it('are the names that were counted', () => {
    const choices = choicesOf(timelines(NOW_MS, 60).timeline)
    expect(choices.mode).toEqual(['1', '2', '3', '4'])
    expect(choices.model).toEqual([...MODELS].sort())
    expect(choices.tenant).toContain(HOSTILE)
  })
})

describe('objectives', () => {
  const requests = (outcome: string, count: number) => ({
    [`requests_total{mode="1",provider="p",model="m",outcome="${outcome}",cache="miss",stream="false"}`]:
      count,
  })
  const of = (counters: Record<string, number>, histograms = {}) => {
    const timeline = new Timeline(new PastMinutes([], END, 180), { counters, histograms }, {}, NOW_MS)
    return Object.fromEntries(objectivesOf(timeline, timeline, {}).map((state) => [state.code, state]))
  }

  it('tell what is left of the budget, and how fast it goes', () => {
    const { availability } = of({
      ...requests('success', 9_995),
      ...requests('error', 5),
      ...requests('cancelled', 900),
    })
    expect(availability).toMatchObject({ counted: 10_000, kept: 0.9995 })
    expect(availability?.budgetLeft).toBeCloseTo(0.5)
    for (const pace of Object.values(availability?.burn ?? {})) expect(pace).toBeCloseTo(0.5)
  })

  it('say so when it is used up, and when nothing was counted', () => {
    expect(
      of({ ...requests('success', 990), ...requests('error', 10) }).availability?.budgetLeft,
    ).toBeCloseTo(-9)
    expect(of({}).availability).toEqual({
      code: 'availability',
      kept: null,
      budgetLeft: null,
      counted: 0,
      burn: { '5m': null, '1h': null, '3h': null },
    })
  })

  it('hold bounds of buckets for kept', () => {
    const counts = new Array<number>(18).fill(0)
    counts[5] = 90
    counts[6] = 10
    const { overhead } = of({}, { 'gateway_overhead_seconds{cache="miss"}': { counts, sum: 5 } })
    expect(overhead).toMatchObject({ counted: 100, kept: 0.9 })
  })
})
