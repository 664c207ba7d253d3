import { describe, expect, it } from 'vitest'
import { formatValue, rowName } from '../../src/dashboard/format.ts'
import { parseView } from '../../src/dashboard/view.ts'
import type { PanelUnit } from '../../src/metrics/panels-parts.ts'

const WRITTEN: readonly (readonly [number | null, PanelUnit, string])[] = [
  [null, 's', '–'],
  [Number.NaN, 'short', '–'],
  [Number.POSITIVE_INFINITY, 'short', '–'],
  [0, 'short', '0'],
  [0.000123, 'short', '0.000123'],
  [12.345, 'short', '12.3'],
  [1_911, 'short', '1,911'],
  [99_999.6, 'short', '100,000'],
  [1_234_567, 'short', '1.23M'],
  [4.351, 'reqps', '4.35 /s'],
  [0, 's', '0 s'],
  [0.0004, 's', '0.4 ms'],
  [0.822, 's', '822 ms'],
  [4.94, 's', '4.94 s'],
  [59.99, 's', '60 s'],
  [150, 's', '2.5 min'],
  [9_000, 's', '2.5 h'],
  [223_776, 's', '2.59 d'],
  [0, 'bytes', '0 B'],
  [14_200_000, 'bytes', '14.2 MB'],
  [5e15, 'bytes', '5,000 TB'],
  [0, 'percentunit', '0 %'],
  [0.643, 'percentunit', '64.3 %'],
  [0.0006, 'percentunit', '0.06 %'],
  [0.99996, 'percentunit', '99.99 %'],
  [1, 'percentunit', '100 %'],
  [0, 'currencyUSD', '$0'],
  [0.00042, 'currencyUSD', '$0.00042'],
  [3.4, 'currencyUSD', '$3.40'],
  [12_345.6, 'currencyUSD', '$12,346'],
  [-2, 'currencyUSD', '-$2.00'],
]

describe('numbers', () => {
  it.each(WRITTEN)('%s in %s are written %s', (value, unit, text) =>
    expect(formatValue(value, unit)).toBe(text),
  )
})

describe('names', () => {
  it('are those that people use', () => {
    expect(rowName(['1', 'hit'], ['mode', 'result'])).toBe('Mode 1 · hit')
    expect(rowName(['true'], ['cached'])).toBe('From cache')
    expect(rowName(['other'], ['tenant'])).toBe('All others')
    expect(rowName([], [])).toBe('')
  })
})

describe('a view', () => {
  it('is read, in one order', () => {
    const view = { tab: 'P', minutes: 15, filter: { tenant: 'a', mode: '1' } }
    expect(JSON.stringify(parseView(view))).toBe(
      '{"tab":"P","minutes":15,"filter":{"mode":"1","tenant":"a"}}',
    )
    expect(parseView({ ...view, more: 1 })).toEqual(parseView(view))
  })

  it.each([
    null,
    'P',
    [],
    {},
    { tab: 'X', minutes: 15, filter: {} },
    { tab: 'P', minutes: 16, filter: {} },
    { tab: 'P', minutes: '15', filter: {} },
    { tab: 'P', minutes: 15 },
    { tab: 'P', minutes: 15, filter: [] },
    { tab: 'P', minutes: 15, filter: { mode: '' } },
    { tab: 'P', minutes: 15, filter: { mode: 1 } },
    { tab: 'P', minutes: 15, filter: { outcome: 'error' } },
    { tab: 'P', minutes: 15, filter: { model: 'm'.repeat(201) } },
    JSON.parse('{"tab":"P","minutes":15,"filter":{"__proto__":"1"}}'),
  ])('that is none is refused: %j', (value) => expect(parseView(value)).toBeUndefined())
})
