import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CostLine, type Costs, costReport, isTimeZone, type SpendHistory } from '../../src/cost/costs.ts'
import { costCsv, textCell } from '../../src/cost/costs-csv.ts'
import {
  ANOMALY_DAYS,
  ANOMALY_SLOT_MINUTES,
  anomalies,
  outlook,
  slotsOf,
} from '../../src/cost/costs-outlook.ts'
import { parseCsv } from '../support/csv.ts'
import { syntheticSpend } from './synthetic-spend.ts'

const line = (value: string | null, more: Partial<CostLine> = {}): CostLine => ({
  value,
  others: 0,
  requests: 2,
  calls: 3,
  cost_usd: '0.000000021',
  unpriced_calls: 0,
  estimated_calls: 1,
  input_tokens: 20,
  output_tokens: 6,
  cache_hits: 4,
  saved_by_cache_usd: '0.000000007',
  ...more,
})

const costs = (sums: Costs['sums'], more: Partial<Costs> = {}): Costs => ({
  tenant: 'acme',
  time_zone: 'UTC',
  first_day: '2026-11-01',
  last_day: '2026-11-21',
  starts_at: '2026-11-01T00:00:00Z',
  ends_at: '2026-11-22T00:00:00Z',
  sums,
  before: { starts_at: '2026-10-11T00:00:00Z', ends_at: '2026-11-01T00:00:00Z', cost_usd: '0.000000014' },
  baselines: [],
  ...more,
})

describe('CSV', () => {
  it('gives back what went in, whatever it holds, and begins no formula', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (values) => {
        const model = values.map((value) => line(value))
        const rows = parseCsv(costCsv(costs({ total: [line(null)], model }), ['model']))
        expect(rows.map(({ length }) => length)).toEqual(Array(values.length + 2).fill(12))
        for (const [index, value] of values.entries()) {
          const shown = rows[index + 2]?.[1] ?? ''
          expect([value, `'${value}`]).toContain(shown)
          expect(shown).not.toMatch(/^[=+\-@\t\r]/)
        }
      }),
    )
  })

  it.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['="a",b', `"'=""a"",b"`],
    ['plain', 'plain'],
    ['a=b', 'a=b'],
  ])('%j becomes %j', (text, cell) => expect(textCell(text)).toBe(cell))

  it('begins with the total, and keeps the order that was asked for', () => {
    const sums = {
      total: [line(null)],
      model: [line('m'), line(null, { others: 7 })],
      day: [line('2026-11-01')],
    }
    expect(costCsv(costs(sums), ['day', 'model', 'task'])).toBe(
      `${[
        'dimension,value,others,requests,calls,cost_usd,unpriced_calls,estimated_calls,input_tokens,output_tokens,cache_hits,saved_by_cache_usd',
        'total,,0,2,3,0.000000021,0,1,20,6,4,0.000000007',
        'day,2026-11-01,0,2,3,0.000000021,0,1,20,6,4,0.000000007',
        'model,m,0,2,3,0.000000021,0,1,20,6,4,0.000000007',
        'model,,7,2,3,0.000000021,0,1,20,6,4,0.000000007',
      ].join('\r\n')}\r\n`,
    )
    expect(parseCsv(costCsv(costs({}), ['day']))[1]?.slice(0, 6)).toEqual([
      'total',
      '',
      '0',
      '0',
      '0',
      '0.000000000',
    ])
  })
})

describe('a report', () => {
  it('says what changed, and what was saved', () => {
    const report = costReport(costs({ total: [line(null)] }))
    expect(report.trend.change).toBeCloseTo(0.5)
    expect(report.savings).toEqual({ cache: { hits: 4, saved_usd: '0.000000007' } })
    expect(report.breakdowns).toEqual({})
    const before = { starts_at: '', ends_at: '', cost_usd: '0.000000000' }
    expect(costReport(costs({}, { before })).trend.change).toBeNull()
    const baselines = [{ model: 'm', requests: 1, cost_usd: '1', baseline_usd: '3', saved_usd: '2' }]
    expect(costReport(costs({}, { baselines })).savings.routing).toEqual(baselines)
  })
})

describe('time zones', () => {
  it.each(['UTC', 'Asia/Tokyo', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5'])('%s is one', (name) =>
    expect(isTimeZone(name)).toBe(true),
  )
  it.each(['', 'Europe/Atlantis', '+05:30', 'GMT+5x', 'Asia/Tokyo ', "UTC'; --", 'x'.repeat(65), 'Foo5Bar'])(
    '%j is none',
    (name) => expect(isTimeZone(name)).toBe(false),
  )
})

const NOW = Date.parse('2026-11-21T12:00:00Z')
const history = (spend: readonly number[]): SpendHistory => ({
  slots: spend.length,
  spent: spend.flatMap((dollars, slot) => (dollars > 0 ? [[slot, dollars] as const] : [])),
  day: { ends_at: '2026-11-22T00:00:00+00:00', spent_usd: '12.000000000' },
  month: { ends_at: '2026-12-01T00:00:00+00:00', spent_usd: '500.000000000' },
})
const budget = (limitUsd: number, more = {}) => ({
  keyId: null,
  period: 'month' as const,
  limitNanoUsd: limitUsd * 1e9,
  isHard: true,
  spentNanoUsd: 500e9,
  reservedNanoUsd: 0,
  resetsAtMs: Date.parse('2026-12-01T00:00:00Z'),
  ...more,
})

describe('the outlook', () => {
  const steady = new Array(24 * 60).fill(1)

  it('of steady spend is what goes on', () => {
    const { day, month, budgets } = outlook(
      history(steady),
      [budget(512), budget(10_000), budget(400), budget(1, { keyId: 'k' })],
      NOW,
    )
    expect(Number(day.expected_usd)).toBeCloseTo(24, 0)
    expect(Number(month.expected_usd)).toBeCloseTo(500 + 9.5 * 24, -1)
    for (const { low_usd, high_usd, expected_usd } of [day, month])
      expect(Number(low_usd) <= Number(expected_usd) && Number(expected_usd) <= Number(high_usd)).toBe(true)
    expect(day.trials).toBeGreaterThanOrEqual(19)
    expect(budgets).toMatchObject([
      { limit_usd: '512.000000000', expected_at: expect.stringMatching(/^2026-11-2[12]T/) },
      { expected_at: null, earliest_at: null, latest_at: null },
      { expected_at: '2026-11-21T12:00:00.000Z' },
    ])
  })

  it('of nothing is unknown, and says no figures', () => {
    const { day, budgets } = outlook(history([]), [budget(512)], NOW)
    expect(day).toEqual({
      ends_at: '2026-11-22T00:00:00.000Z',
      spent_usd: '12.000000000',
      expected_usd: null,
      low_usd: null,
      high_usd: null,
      trials: 0,
    })
    expect(budgets).toMatchObject([{ expected_at: null }])
  })

  it('begins with the first spend, and leaves no gap after it', () => {
    expect(slotsOf(history([0, 0, 3, 0, 5, 0]))).toEqual([3, 0, 5, 0])
    expect(slotsOf(history([]))).toEqual([])
  })
})

describe('anomalies', () => {
  const days = ANOMALY_DAYS
  const shape = { seed: 7, days, slotMinutes: ANOMALY_SLOT_MINUTES }
  const usd = (nano: readonly number[]) => nano.map((each) => each / 1e9)

  it('are a sudden step, and nothing where nothing is unusual', () => {
    expect(anomalies(history(usd(syntheticSpend(shape))), 0.01)).toEqual([])
    const from = days * 1_440 - 30
    const stepped = usd(syntheticSpend({ ...shape, label: (minute) => (minute >= from ? 5 : 1) }))
    const found = anomalies(history(stepped), 0.01)
    expect(found).toMatchObject([{ kind: 'step' }])
    expect(found[0]?.ratio).toBeGreaterThan(2)
    expect(anomalies(history(stepped), 1e6)).toEqual([])
    expect(anomalies(history(stepped.slice(-10 * 720)), 0.01)).toEqual([])
  })
})
