import { describe, expect, it } from 'vitest'
import { beginOf, historyOf, STEP_SECONDS } from '../../src/dashboard/history.ts'
import { emptyLongText, isLiveOnly, LIVE_ONLY, sourceText } from '../../src/dashboard/history-words.ts'
import { TABS } from '../../src/dashboard/tabs.ts'
import { LONG_RANGES, parseLongView, parseView } from '../../src/dashboard/view.ts'
import { emptyHistory, storedHistory, toldOf } from './stored-times.ts'

const NOW_MS = Date.UTC(2026, 10, 21, 14, 3, 40)
const DAY = { minutes: 1_440, filter: {} } as const
const codes = TABS.filter(({ code }) => 'PCKS'.includes(code)).flatMap(({ panels }) =>
  panels.map(({ code }) => code),
)

describe('longer times', () => {
  it('have figures for every panel, or a reason why not', () => {
    const { figures } = storedHistory(DAY, NOW_MS)
    expect([...Object.keys(figures), ...Object.keys(LIVE_ONLY)].sort()).toEqual([...codes].sort())
    for (const [code, rows] of Object.entries(figures)) {
      expect(rows.length, code).toBeGreaterThan(0)
      expect(
        rows.every(({ now }) => now === null || Number.isFinite(now)),
        code,
      ).toBe(true)
      expect(emptyLongText(code)).not.toContain('3 h or less')
    }
    expect(codes.filter(isLiveOnly).sort()).toEqual(Object.keys(LIVE_ONLY).sort())
    for (const code of [...Object.keys(LIVE_ONLY), 'M1']) expect(emptyLongText(code)).toContain('3 h or less')
  })

  it('begin at a full hour, and end where the database is complete', () => {
    for (const minutes of LONG_RANGES) {
      const view = { minutes, filter: {} }
      const summedToMs = NOW_MS - 90_000
      const { times, stepSeconds, figures } = storedHistory(view, NOW_MS, summedToMs)
      expect(beginOf(view, NOW_MS) % 3_600).toBe(0)
      expect(times[0]).toBe(beginOf(view, NOW_MS) + stepSeconds)
      expect(times.at(-1)).toBe(summedToMs / 1_000)
      expect(times).toHaveLength((minutes * 60) / stepSeconds + 1)
      for (const rows of Object.values(figures))
        for (const { points } of rows)
          expect(points === undefined || points.length === times.length).toBe(true)
    }
  })

  it('tell the speed of a step that is not over by the time that it lasted', () => {
    const view = { ...DAY }
    const told = {
      ...toldOf(view, NOW_MS, NOW_MS),
      requests: [
        {
          at: '2026-11-21T14:00:00+00:00',
          requests: '110',
          successes: 110,
          errors: null,
          cancelled: 0,
          hits: 0,
          misses: 0,
        },
      ],
    }
    const { figures, times } = historyOf(told, view, NOW_MS)
    // 14:00:00 to 14:03:40.
    expect(figures.P1?.[0]?.points?.at(-1)).toBe(0.5)
    expect(figures.P1?.[0]?.points?.at(-2)).toBe(0)
    expect(figures.P5?.[0]?.points?.slice(-2)).toEqual([null, 0])
    expect(times.at(-1)).toBe(NOW_MS / 1_000)
    const justBegun = historyOf({ ...told, summed_to: '2026-11-21T14:00:30Z' }, view, NOW_MS)
    expect(justBegun.figures.P1?.[0]?.points?.at(-1)).toBeNull()
  })

  it('draw nothing beyond what is summed up, nor from the future', () => {
    const hoursAgo = (hours: number) => NOW_MS - hours * 3_600_000
    expect(storedHistory(DAY, NOW_MS, hoursAgo(5)).times).toHaveLength(24 - 5 + 1)
    expect(storedHistory(DAY, NOW_MS, hoursAgo(-5)).times.at(-1)).toBe(NOW_MS / 1_000)
    expect(storedHistory(DAY, NOW_MS, hoursAgo(100)).times).toEqual([])
    expect(storedHistory(DAY, NOW_MS, null).summedToMs).toBeNull()
  })

  it('have no lines where nothing happened', () => {
    const { figures } = emptyHistory(DAY, NOW_MS, NOW_MS)
    for (const [code, rows] of Object.entries(figures)) expect(rows, code).toEqual([])
  })

  it('refuse an answer that is none', () => {
    for (const answer of [null, {}, [], { ...toldOf(DAY, NOW_MS, NOW_MS), costs: undefined }])
      expect(() => historyOf(answer, DAY, NOW_MS)).toThrow()
  })

  it('say up to when they are complete, and when that is too long ago', () => {
    const timeOf = (ms: number) => new Date(ms).toISOString()
    const textOf = (summedToMs: number | null) => sourceText(storedHistory(DAY, NOW_MS, summedToMs), timeOf)
    expect(textOf(NOW_MS - 80_000)).toBe(
      'From the database: all that was stored by 2026-11-21T14:02:20.000Z. A point is an hour; a figure by itself is of all the time shown.',
    )
    expect(textOf(NOW_MS - 7_200_000)).toContain('2 h ago. Summing up is behind')
    expect(textOf(null)).toContain('nothing was summed up yet')
    for (const minutes of LONG_RANGES)
      expect(sourceText(storedHistory({ minutes, filter: {} }, NOW_MS), timeOf)).not.toContain('undefined')
    expect(Object.keys(STEP_SECONDS).map(Number)).toEqual([...LONG_RANGES])
  })
})

describe('a longer view', () => {
  const parse = (query: string) => parseLongView(new URLSearchParams(query))

  it('is read from an address, in one order', () => {
    expect(parse('minutes=1440')).toEqual({ minutes: 1_440, filter: {} })
    expect(JSON.stringify(parse('tenant=a&minutes=43200&mode=1'))).toBe(
      '{"minutes":43200,"filter":{"mode":"1","tenant":"a"}}',
    )
  })

  it.each([
    '',
    'minutes=',
    'minutes=180',
    'minutes=1440.0',
    'minutes=1440&mode=',
    'minutes=1440&outcome=error',
    'minutes=1440&tab=P',
    `minutes=1440&model=${'m'.repeat(201)}`,
    'minutes=1440&__proto__=1',
  ])('that is none is refused: %s', (query) => expect(parse(query)).toBeUndefined())

  it('is none that the hub could show', () => {
    for (const minutes of LONG_RANGES) expect(parseView({ tab: 'P', minutes, filter: {} })).toBeUndefined()
  })
})
