import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CATALOGUE,
  FAMILY_NAMES,
  familyOf,
  nameSeries,
  seriesName,
} from '../../src/metrics/catalogue.ts'
import { boundedSeries, readSeries, seriesLimit, ZEROS } from '../../src/metrics/catalogue-limits.ts'
import { BUCKETS, PROMISED } from './spec-families.ts'

describe('the catalogue', () => {
  it('has each of the 43 families as promised: kind, labels in order, buckets', () => {
    expect(PROMISED).toHaveLength(43)
    for (const { name, kind, labels } of PROMISED) {
      const family = familyOf(name as keyof typeof CATALOGUE)
      expect(family, name).toBeDefined()
      expect(family.type[0], name).toBe(kind[0])
      expect(Object.keys(family.labels), name).toEqual(labels)
      if (family.type === 'histogram') expect(family.buckets, name).toEqual(BUCKETS[kind])
    }
  })

  it('names counters, histograms and units as scrapers expect', () => {
    for (const name of FAMILY_NAMES) {
      const { type, help } = familyOf(name)
      expect(name.endsWith('_total'), name).toBe(type === 'counter')
      if (type === 'histogram') expect(name).toMatch(/_(seconds|ratio)$/)
      expect(name).not.toMatch(/_(ms|minutes|percent|bucket|sum|count)$/)
      expect(help.length, name).toBeGreaterThan(10)
    }
  })

  it('refuses a wrong label, a wrong value and a missing one when it is compiled', () => {
    seriesName('requests_received_total')
    // @ts-expect-error a family with labels needs them
    seriesName('cache_evictions_total')
    // @ts-expect-error no such tier
    seriesName('cache_evictions_total', { tier: 'floppy', reason: 'ttl' })
    // @ts-expect-error reason is missing
    seriesName('cache_evictions_total', { tier: 'kv' })
    // @ts-expect-error no such label
    seriesName('tenant_requests_total', { tenant: 'acme', user: 'ann' })
    // @ts-expect-error no such family
    seriesName('requests', {})
    expect(seriesName('cache_evictions_total', { reason: 'ttl', tier: 'kv' })).toBe(
      'cache_evictions_total{tier="kv",reason="ttl"}',
    )
  })
})

describe('the name of a series', () => {
  it('is read back as what it was made from, whatever a tenant is called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (tenant) => {
        const series = seriesName('tenant_requests_total', { tenant })
        expect(series).not.toContain('\n')
        const wanted = { tenant: tenant.replaceAll('\0', '\ufffd') || 'none' }
        expect(readSeries(series)).toEqual({ family: 'tenant_requests_total', labels: wanted })
      }),
    )
  })

  it('differs for different tenants', () => {
    const text = fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', ',', '=', '{', '}') })
    fc.assert(
      fc.property(text, text, (from, to) => {
        fc.pre(from !== to && from !== '' && to !== '')
        expect(seriesName('fallbacks_total', { from, to })).not.toBe(
          seriesName('fallbacks_total', { from: to, to: from }),
        )
      }),
    )
  })

  it('cannot be read where it is not one of ours', () => {
    for (const wrong of [
      'nonsense',
      'nonsense{a="b"}',
      'constructor',
      'cache_evictions_total',
      'cache_evictions_total{tier="kv"}',
      'cache_evictions_total{reason="ttl",tier="kv"}',
      'cache_evictions_total{tier="kv",reason="ttl"} 1\nbeast_x 2',
    ])
      expect(readSeries(wrong), wrong).toBeUndefined()
  })
})

describe('labels', () => {
  const known = { model: new Set(['gpt']), provider: new Set(['openai']) }

  it('keep the names that are known; others, also in place of a closed value, are `other`', () => {
    const labels = { from: 'gpt', to: 'gpt-of-mallory' }
    expect(boundedSeries('fallbacks_total', labels, known)).toBe('fallbacks_total{from="gpt",to="other"}')
    expect(
      boundedSeries(
        'llm_calls_total',
        { provider: 'openai', model: 'gpt', cached: 'maybe' as 'true' },
        known,
      ),
    ).toBe('llm_calls_total{provider="openai",model="gpt",cached="other"}')
    expect(boundedSeries('tenant_requests_total', { tenant: 'acme' }, known)).toBe(
      'tenant_requests_total{tenant="other"}',
    )
    expect(boundedSeries('tenant_requests_total', { tenant: '' }, known)).toBe(
      'tenant_requests_total{tenant="none"}',
    )
  })

  it('make 20,000 series at most; what comes later is counted as `other`', () => {
    const admit = seriesLimit()
    const admitted = new Set<string>()
    for (let i = 0; i < 25_000; i++)
      admitted.add(admit(nameSeries('tenant_requests_total', { tenant: `tenant-${i}` })))
    expect(admitted.size).toBe(20_001)
    expect(admit(seriesName('tenant_requests_total', { tenant: 'tenant-7' }))).toContain('tenant-7')
    expect(admit(seriesName('tenant_requests_total', { tenant: 'tenant-24000' }))).toContain('"other"')
    // What its rules bound is let in at any time.
    const closed = seriesName('cache_evictions_total', { tier: 'kv', reason: 'ttl' })
    expect(admit(closed)).toBe(closed)
    expect(admit(nameSeries('requests_total', { mode: '1', model: 'gpt', outcome: 'error' }))).toBe(
      nameSeries('requests_total', { mode: '1', model: 'other', outcome: 'error' }),
    )
  })

  it('count a histogram as all of its series', () => {
    const admit = seriesLimit(45)
    const of = (model: string) => nameSeries('upstream_duration_seconds', { model })
    expect(['a', 'b', 'c'].map((model) => admit(of(model)))).toEqual([of('a'), of('b'), of('other')])
  })
})

describe('what exists from the start', () => {
  it('is one child at 0 for each outcome, result and reason, its other labels `none`', () => {
    expect(ZEROS.counters).toMatchObject({
      requests_received_total: 0,
      [nameSeries('requests_total', { outcome: 'cancelled' })]: 0,
      [nameSeries('cache_lookups_total', { result: 'bypass' })]: 0,
      [nameSeries('cache_operations_total', { result: 'timeout' })]: 0,
      [nameSeries('telemetry_dropped_total', { reason: 'cardinality' })]: 0,
    })
    const families = new Set(Object.keys(ZEROS.counters).map((series) => readSeries(series)?.family))
    for (const { name, kind, labels } of PROMISED) {
      const ends = labels.some((label) => ['outcome', 'result', 'reason'].includes(label))
      expect(families.has(name as never), name).toBe(kind === 'c' && (ends || labels.length === 0))
    }
  })
})
