import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { AlertState } from '../../src/metrics/alert-evaluator.ts'
import {
  deliveriesOf,
  ruleNamed,
  type Silences,
  summaryOf,
  valueText,
} from '../../src/metrics/alert-notices.ts'
import { ALERT_RULES, type AlertRule } from '../../src/metrics/alert-rules.ts'
import { ROOT } from '../support/stores.ts'

const NOW = 1_000_000
const rule = (name: string): AlertRule => {
  const found = ruleNamed(name)
  if (!found) throw new Error(name)
  return found
}
const full = (changed: Partial<AlertState> = {}): AlertState => ({
  rule: 'CacheNearCapacity',
  labels: 'tier="kv"',
  sinceMs: 0,
  firedMs: 600_000,
  value: 0.9612,
  told: [],
  ...changed,
})
const told = (alert: AlertState, silences: Silences = {}, isOn = () => true) =>
  deliveriesOf({ states: { key: alert }, changes: [] }, silences, isOn, NOW)

describe('what is to be told', () => {
  it('names what it is about, its value and the next step, under a name of its own each time it fires', () => {
    const { states, deliveries } = told(full())
    expect(deliveries).toEqual([
      {
        channel: 'slack',
        notice: {
          kind: 'firing',
          id: 'CacheNearCapacity{tier="kv"} 600000',
          rule: 'CacheNearCapacity',
          labels: 'tier="kv"',
          severity: 'warning',
          summary: 'Tier kv of the cache is 95 % full',
          details: 'Now 96.12 %. Raise its capacity, or shorten the life of its entries.',
          atMs: 600_000,
        },
      },
    ])
    expect(told(states.key as AlertState).deliveries).toEqual([])
    expect(told(full({ firedMs: 700_000 })).deliveries[0]?.notice.id).toContain(' 700000')
  })

  it('is nothing while it is pending, silenced, or no channel is on', () => {
    expect(told(full({ firedMs: undefined })).deliveries).toEqual([])
    for (const silenced of ['CacheNearCapacity', 'all']) {
      expect(told(full(), { [silenced]: NOW + 1 }).deliveries).toEqual([])
      expect(told(full(), { [silenced]: NOW }).deliveries).toHaveLength(1)
    }
    expect(told(full(), { HighLatency: NOW + 1 }).deliveries).toHaveLength(1)
    const off = told(full(), {}, () => false)
    expect([off.deliveries, off.states.key?.told]).toEqual([[], []])
  })

  it('goes, at its end, to those who heard of its beginning', () => {
    const ended = (alert: AlertState) =>
      deliveriesOf({ states: {}, changes: [{ to: 'resolved', alert }] }, { all: NOW + 1 }, () => true, NOW)
    expect(ended(full()).deliveries).toEqual([])
    expect(ended(full({ told: ['slack'] })).deliveries).toMatchObject([
      {
        channel: 'slack',
        notice: { kind: 'resolved', id: 'CacheNearCapacity{tier="kv"} 600000', atMs: NOW },
      },
    ])
  })
})

describe('its words', () => {
  it('have the value in its unit', () => {
    expect(valueText(rule('HighErrorRate'), 0.05123)).toBe('5.123 %')
    expect(valueText(rule('HighLatency'), 12.3456)).toBe('12.35 s')
    expect(valueText(rule('HighDailyCost'), 101.4)).toBe('101.4 USD')
    expect(valueText(rule('HighDegradationRate'), null)).toBe('beyond measure')
  })

  it('leave no place unfilled', () => {
    for (const each of ALERT_RULES) expect(summaryOf(each, '')).not.toContain('{{')
  })
})

describe('the guide', () => {
  it('says of every alert what to do', () => {
    const rows = readFileSync(join(ROOT, 'docs/alerts.md'), 'utf8').split('\n')
    for (const { name } of ALERT_RULES) {
      const row = rows.find((line) => line.startsWith(`| ${name} |`))
      expect(
        row?.split('|').filter((cell) => cell.trim() !== ''),
        name,
      ).toHaveLength(4)
    }
  })
})
