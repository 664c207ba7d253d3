import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nameSeries, seriesName } from '../../src/metrics/catalogue.ts'
import { renderOpenMetrics, renderText } from '../../src/metrics/exposition.ts'
import type { MetricsSnapshot } from '../../src/metrics/snapshot.ts'
import { describeWith, promtoolPresent } from '../support/require.ts'
import { everyFamily } from './samples.ts'

const EMPTY: MetricsSnapshot = { counters: {}, gauges: {}, histograms: {} }
const linesOf = (text: string, start: string) => text.split('\n').filter((line) => line.startsWith(start))

describe('both formats', () => {
  it('begin with every family, and with counters at 0', () => {
    const lines = renderText(EMPTY).split('\n')
    expect(lines.filter((line) => line.startsWith('# TYPE '))).toHaveLength(46)
    expect(lines).toContain('beast_requests_received_total 0')
    expect(linesOf(renderText(EMPTY), 'beast_telemetry_dropped_total')).toHaveLength(4)
    expect(linesOf(renderText(EMPTY), 'beast_workflows_active')).toEqual([])
  })

  it('sum a histogram up, and end it at infinity with its count', () => {
    const series = seriesName('cache_entry_age_seconds', { tier: 'kv' })
    const histograms = { [series]: { counts: [1, 0, 2, 0, 0, 0, 0, 0, 0, 4], sum: 800_000.5 } }
    const lines = linesOf(renderText({ ...EMPTY, histograms }), 'beast_cache_entry_age_seconds')
    expect(lines).toHaveLength(12)
    expect(lines.slice(0, 3)).toEqual([
      'beast_cache_entry_age_seconds_bucket{tier="kv",le="60.0"} 1',
      'beast_cache_entry_age_seconds_bucket{tier="kv",le="300.0"} 1',
      'beast_cache_entry_age_seconds_bucket{tier="kv",le="900.0"} 3',
    ])
    expect(lines.slice(-3)).toEqual([
      'beast_cache_entry_age_seconds_bucket{tier="kv",le="+Inf"} 7',
      'beast_cache_entry_age_seconds_sum{tier="kv"} 800000.5',
      'beast_cache_entry_age_seconds_count{tier="kv"} 7',
    ])
  })

  it('replace a zero by what was counted', () => {
    const series = nameSeries('degradations_total', { reason: 'stale' })
    expect(linesOf(renderText({ ...EMPTY, counters: { [series]: 3 } }), 'beast_degradations_total')).toEqual([
      'beast_degradations_total{reason="fallback"} 0',
      'beast_degradations_total{reason="stale"} 3',
      'beast_degradations_total{reason="partial"} 0',
    ])
  })

  it('leave out what another version counted', () => {
    const strange: MetricsSnapshot = {
      counters: { 'floppies_total{tier="kv"}': 1, 'cache_bytes{tier="kv"}': 1 },
      gauges: { constructor: 1 },
      histograms: { [seriesName('cache_entry_age_seconds', { tier: 'kv' })]: { counts: [1, 2], sum: 3 } },
    }
    expect(renderText(strange)).toBe(renderText(EMPTY))
  })

  it('write numbers as scrapers read them', () => {
    const gauges = {
      telemetry_lag_seconds: 1e-7,
      tenant_budget_utilization_ratio: Number.NaN,
      start_time_seconds: -Infinity,
    }
    const text = renderText({ ...EMPTY, gauges })
    expect(text).toMatch(/^beast_telemetry_lag_seconds 1e-7$/m)
    expect(text).toMatch(/^beast_tenant_budget_utilization_ratio NaN$/m)
    expect(text).toMatch(/^beast_start_time_seconds -Inf$/m)
  })

  it('hold one series a line, whatever its names say', () => {
    const unit = fc.constantFrom('\\', '"', '\n', '\r', 'n', '{', '}', ',', '#', ' ', '\0', '\ud800', '😀')
    const names = fc.uniqueArray(fc.string({ unit, minLength: 1 }), { minLength: 1 })
    const bare = linesOf(renderText(EMPTY), '').length
    fc.assert(
      fc.property(names, (tenants) => {
        const series = new Set(tenants.map((tenant) => seriesName('tenant_requests_total', { tenant })))
        const counters = Object.fromEntries([...series].map((name) => [name, 1]))
        const text = renderText({ ...EMPTY, counters })
        expect(linesOf(text, '')).toHaveLength(bare + series.size)
        for (const line of linesOf(text, 'beast_tenant_requests_total'))
          expect(line).toMatch(/^beast_tenant_requests_total\{tenant="([^"\\\n]|\\[\\"n])*"\} 1$/)
        // What is sent is UTF-8: nothing may change on the way there.
        expect(new TextDecoder().decode(new TextEncoder().encode(text))).toBe(text)
      }),
    )
  })
})

describe('OpenMetrics', () => {
  it('heads a counter without its suffix, and ends', () => {
    const text = renderOpenMetrics(EMPTY)
    expect(text).toContain('# TYPE beast_requests_received counter\nbeast_requests_received_total 0\n')
    expect(text.endsWith('\n# EOF\n')).toBe(true)
    expect(renderText(EMPTY)).not.toContain('# EOF')
  })

  it('shows an exemplar at the bucket that its value falls into, the latest of each, and at a counter', () => {
    const series = seriesName('quality_score_ratio', { mode: '1' })
    const errors = seriesName('request_errors_total', { type: 'upstream_failed', provider: 'openai' })
    const traceId = 'ab'.repeat(16)
    const text = renderOpenMetrics(
      {
        counters: { [errors]: 1 },
        gauges: {},
        histograms: { [series]: { counts: Array(14).fill(1), sum: 7 } },
      },
      {
        [series]: [
          { traceId: 'cd'.repeat(16), value: 0.31 },
          { traceId, value: 0.4, atMs: 1_800_000_000_500 },
          { traceId: 'x"} 1\nbeast_forged 1', value: 0.95 },
        ],
        [errors]: [{ traceId, value: 1 }],
      },
    )
    expect(linesOf(text, 'beast_quality_score_ratio_bucket').filter((line) => line.includes(' # '))).toEqual([
      `beast_quality_score_ratio_bucket{mode="1",le="0.4"} 4 # {trace_id="${traceId}"} 0.4 1800000000.5`,
    ])
    expect(text).toContain(`provider="openai"} 1 # {trace_id="${traceId}"} 1\n`)
    expect(text).not.toContain('forged')
  })
})

describeWith('promtool', promtoolPresent, 'promtool check metrics', () => {
  const check = (text: string) => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    })
    return { status, said: stdout + stderr }
  }

  it('has nothing to say', () => {
    expect(check(renderText(EMPTY))).toEqual({ status: 0, said: '' })
    expect(check(renderText(everyFamily('we "like"\n back\\slashes')))).toEqual({ status: 0, said: '' })
  })

  it('says something of a broken one', () => {
    expect(check('beast_x{a="b} 1\n').status).not.toBe(0)
  })
})
