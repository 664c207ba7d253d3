import { describe, expect, it } from 'vitest'
import { Board } from '../../src/dashboard/board.ts'
import type { FigureRow, FromHub } from '../../src/dashboard/messages.ts'
import { FIRST_VIEW } from '../../src/dashboard/view.ts'
import { ALERT_RULES, type AlertRule } from '../../src/metrics/alert-rules.ts'

const ALERT = {
  ...(ALERT_RULES[0] as AlertRule),
  rule: 'HighErrorRate',
  labels: '',
  state: 'firing',
  sinceMs: null,
  value: null,
  told: [],
  silencedUntilMs: null,
} as const
const END_S = 29_900_000 * 60
const base = { isolates: 1, objectives: [] }
const row = (now: number | null, points?: (number | null)[], labels: string[] = []): FigureRow =>
  points ? { labels, now, points } : { labels, now }
const whole = (figures: Record<string, FigureRow[]>, endS = END_S, view = FIRST_VIEW): FromHub => ({
  ...base,
  kind: 'whole',
  atMs: (endS + 10) * 1_000,
  view,
  times: [endS - 60, endS],
  choices: {},
  figures,
})
const now = (figures: Record<string, FigureRow[]>, seconds: number, endS = END_S): FromHub => ({
  ...base,
  kind: 'now',
  atMs: (endS + seconds) * 1_000,
  figures,
})

describe('a board', () => {
  it('draws minutes that are over, and after them what it was told since, changed or not', () => {
    const board = new Board()
    board.apply(whole({ P1: [row(3, [1, 2])] }))
    board.apply(now({ P1: [row(4)] }, 10.5))
    board.apply(now({}, 11))
    expect(board.panel('P1')).toEqual({
      isKeptHere: false,
      times: [END_S - 60, END_S, END_S + 10, END_S + 10.5, END_S + 11],
      rows: [{ labels: [], now: 4, values: [1, 2, 3, 4, 4] }],
    })
    board.apply(whole({ P1: [row(5, [2, 3.5])] }, END_S + 60))
    expect(board.panel('P1').times).toEqual([END_S, END_S + 60, END_S + 70])
    expect(board.panel('P1').rows[0]?.values).toEqual([2, 3.5, 5])
  })

  it('keeps what nobody else does, for as long as it is shown, and starts anew for another choice', () => {
    const board = new Board()
    const size = (count: number, points?: null[]) => ({ C3: [row(count, points, ['kv'])] })
    board.apply(whole(size(1, [null, null])))
    for (let seconds = 10.5; seconds < 60; seconds += 0.5) board.apply(now(size(seconds), seconds))
    board.apply(whole(size(2, [null, null]), END_S + 60))
    const { isKeptHere, times, rows } = board.panel('C3')
    expect(isKeptHere).toBe(true)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times[0]).toBe(END_S + 10)
    expect(times.length).toBeGreaterThanOrEqual(11)
    expect(rows[0]?.values).toHaveLength(times.length)
    board.apply(whole(size(3, [null, null]), END_S + 120, { ...FIRST_VIEW, filter: { mode: '1' } }))
    expect(board.panel('C3').times).toEqual([END_S + 130])
  })

  it('gives a line that is new no past, and lets one that ended keep its own', () => {
    const board = new Board()
    board.apply(whole({ K3: [row(1, [1, 1], ['true'])] }))
    board.apply(now({ K3: [row(2, undefined, ['false'])] }, 11))
    const { rows, times } = board.panel('K3')
    expect(rows).toEqual([
      { labels: ['false'], now: 2, values: [null, null, null, 2] },
      { labels: ['true'], now: null, values: [1, 1, 1, null] },
    ])
    expect(rows.every(({ values }) => values.length === times.length)).toBe(true)
  })

  it('knows nothing of a panel that it was not told of', () => {
    expect(new Board().panel('P1')).toEqual({ isKeptHere: false, times: [], rows: [] })
  })

  it('shows alerts only while somebody watches for them', () => {
    const board = new Board()
    board.apply({ ...whole({}), alerts: [ALERT] })
    expect(board.alerts).toHaveLength(1)
    board.apply(now({}, 11))
    expect(board.alerts).toBeUndefined()
  })
})
