import { describe, expect, it } from 'vitest'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { readSeries } from '../../src/metrics/catalogue-limits.ts'
import type { Sink } from '../../src/metrics/request-facts.ts'
import { ReportedMetrics } from '../../src/metrics/telemetry-counts.ts'
import { MAX_EVENTS, readEvents } from '../../src/metrics/telemetry-events.ts'
import { createTracker, type Tracker } from '../../src/metrics/track.ts'
import { fakeClock } from '../support/fake-clock.ts'

function counting() {
  const tally = new Tally(10_000)
  const gauges: Record<string, number> = {}
  const sink: Sink = {
    count: (series, amount = 1) => tally.count(series, amount),
    observe: (series, value, bounds) => tally.observe(series, value, bounds),
    sketch: () => {},
    gauge: (series, value) => {
      gauges[series] = value
    },
    exemplar: () => {},
  }
  const reported = new ReportedMetrics(sink, {
    tools: new Set(['search']),
    agents: new Set(['planner']),
    sources: new Set(['docs']),
    hasModel: (id) => id === 'openai:gpt',
  })
  const add = (events: readonly unknown[], nowMs = 0, tenant = 't') => {
    reported.add(tenant, `key of ${tenant}`, readEvents({ events }), nowMs)
    return tally.amounts()
  }
  return { add, reported, gauges }
}

describe('what an application reports', () => {
  it('is counted, each in its family', () => {
    const { add, gauges } = counting()
    const { counters, histograms } = add([
      { type: 'llm_call', model: 'openai:gpt', input_tokens: 5, output_tokens: 7 },
      { type: 'llm_call', model: 'mine', input_tokens: 1, output_tokens: 0, cached: true },
      { type: 'tool', tool: 'search', outcome: 'success' },
      { type: 'rag', source: 'docs', outcome: 'error' },
      { type: 'agent', agent: 'planner', outcome: 'success' },
      { type: 'quality', mode: '2', score: 0.83 },
      { type: 'degradation', mode: '1', reasons: ['stale', 'partial', 'stale'] },
      { type: 'warning', warning: 'truncated' },
      { type: 'workflow', id: 'w1', mode: '4', state: 'running' },
    ])
    expect(counters).toEqual({
      'llm_calls_total{provider="reported",model="gpt",cached="false"}': 1,
      'llm_calls_total{provider="reported",model="other",cached="true"}': 1,
      'tokens_total{type="input",provider="reported",model="gpt"}': 5,
      'tokens_total{type="output",provider="reported",model="gpt"}': 7,
      'tokens_total{type="input",provider="reported",model="other"}': 1,
      'tokens_total{type="output",provider="reported",model="other"}': 0,
      'tool_executions_total{tool="search",outcome="success"}': 1,
      'rag_retrievals_total{source="docs",outcome="error"}': 1,
      'agent_executions_total{agent="planner",outcome="success"}': 1,
      'degraded_responses_total{mode="1"}': 1,
      'degradations_total{reason="stale"}': 1,
      'degradations_total{reason="partial"}': 1,
      'warnings_total{type="truncated"}': 1,
    })
    expect(histograms['quality_score_ratio{mode="2"}']?.sum).toBeCloseTo(0.83)
    expect(gauges).toEqual({ 'workflows_active{mode="4"}': 1 })
    for (const series of Object.keys(counters)) expect(readSeries(series), series).toBeDefined()
  })

  it('under names that nobody gave a label is `other`, however many there are', () => {
    const { add } = counting()
    let series = 0
    for (let i = 0; i < 100; i++) {
      const name = `junk ${i} "\n`
      const { counters } = add(
        [
          { type: 'tool', tool: name, outcome: 'success' },
          { type: 'agent', agent: name, outcome: 'success' },
          { type: 'rag', source: name, outcome: 'success' },
          { type: 'llm_call', model: name, input_tokens: 1, output_tokens: 1 },
        ],
        i * 1_000,
      )
      series = Object.keys(counters).length
    }
    expect(series).toBe(6)
  })

  it.each<[string, unknown, string | undefined]>([
    ['no object', 'x', undefined],
    ['nothing', { events: [] }, 'events'],
    ['too many', { events: Array(MAX_EVENTS + 1).fill({ type: 'warning', warning: 'truncated' }) }, 'events'],
    ['an unknown type', { events: [{ type: 'x' }] }, 'events[0].type'],
    ['an unknown outcome', { events: [{ type: 'tool', tool: 'a', outcome: 'maybe' }] }, 'events[0].outcome'],
    ['a score above 1', { events: [{ type: 'quality', score: 1.1 }] }, 'events[0].score'],
    [
      'a cost',
      { events: [{ type: 'tool', tool: 'a', outcome: 'error', cost_usd: 1 }] },
      'events[0].cost_usd',
    ],
    [
      'tokens that are none',
      { events: [{ type: 'llm_call', model: 'a', input_tokens: -1, output_tokens: 0 }] },
      'events[0].input_tokens',
    ],
    [
      'half a token',
      { events: [{ type: 'llm_call', model: 'a', input_tokens: 0.5, output_tokens: 0 }] },
      'events[0].input_tokens',
    ],
    ['an empty name', { events: [{ type: 'agent', agent: '', outcome: 'error' }] }, 'events[0].agent'],
    [
      'a name without end',
      { events: [{ type: 'rag', source: 'x'.repeat(129), outcome: 'error' }] },
      'events[0].source',
    ],
    ['a mode that is none', { events: [{ type: 'quality', score: 1, mode: '5' }] }, 'events[0].mode'],
    ['no reason', { events: [{ type: 'degradation', reasons: [] }] }, 'events[0].reasons'],
  ])('that is %s is refused, and said where', (_, body, param) => {
    expect(() => readEvents(body)).toThrow(expect.objectContaining({ code: 'invalid_request', param }))
  })

  it('is bounded for each key, all or nothing', () => {
    const { add } = counting()
    const lot = Array(MAX_EVENTS).fill({ type: 'warning', warning: 'truncated' })
    for (let i = 0; i < 10; i++) add(lot)
    expect(() => add(lot)).toThrow(expect.objectContaining({ code: 'too_many_events', retryAfterSeconds: 3 }))
    expect(add([lot[0]], 0, 'neighbour').counters['warnings_total{type="truncated"}']).toBe(5_001)
    expect(add(lot, 2_500).counters['warnings_total{type="truncated"}']).toBe(5_501)
  })
})

describe('workflows that run', () => {
  const MODE = 'workflows_active{mode="1"}'
  const workflow = (id: string, state: 'running' | 'ended') => ({ type: 'workflow', id, mode: '1', state })

  it('are counted once each, until they end; a tenant’s ids are its own', () => {
    const { add, gauges } = counting()
    add([workflow('a', 'running'), workflow('a', 'running'), workflow('b', 'running')])
    add([workflow('a', 'running')], 0, 'neighbour')
    expect(gauges[MODE]).toBe(3)
    add([workflow('a', 'ended'), workflow('a', 'ended'), workflow('never', 'ended')])
    expect(gauges[MODE]).toBe(2)
  })

  it('have ended when nothing was heard of them for 15 minutes', () => {
    const { add, reported, gauges } = counting()
    add([workflow('a', 'running'), workflow('b', 'running')])
    add([workflow('b', 'running')], 600_000)
    reported.expire(899_000)
    expect(gauges[MODE]).toBe(2)
    reported.expire(910_000)
    expect(gauges[MODE]).toBe(1)
    reported.expire(1_600_000)
    expect(gauges[MODE]).toBe(0)
  })

  it('are bounded', () => {
    const { add, gauges } = counting()
    for (let n = 0; n < 30_000; n += 500)
      add(
        Array.from({ length: 500 }, (_, i) => workflow(`${n + i}`, 'running')),
        n * 10,
      )
    expect(gauges[MODE]).toBe(2_500)
  })
})

describe('the client', () => {
  function client(answers: readonly (number | Error)[]) {
    const clock = fakeClock()
    const sent: { url: string; init: RequestInit; events: readonly unknown[] }[] = []
    const tracker: Tracker = createTracker({
      url: 'https://gateway.example',
      key: 'bm_live_x',
      clock,
      fetch: async (url, init) => {
        sent.push({ url, init, events: JSON.parse(String(init.body)).events })
        const answer = answers[sent.length - 1] ?? 202
        if (answer instanceof Error) throw answer
        return new Response('{}', { status: answer, headers: answer === 429 ? { 'retry-after': '2' } : {} })
      },
    })
    return { tracker, sent, advance: clock.advance }
  }

  it('sends what was gathered in a second, as the gateway reads it', async () => {
    const { tracker, sent, advance } = client([])
    tracker.llmCall({ model: 'openai:gpt', inputTokens: 3, outputTokens: 4 })
    tracker.tool('search', 'success')
    tracker.rag('docs', 'success')
    tracker.agent('planner', 'error')
    const end = tracker.workflow('w', '1')
    tracker.quality(0.9)
    tracker.degradation(['stale'], '2')
    tracker.warning('low_quality')
    end()
    expect(sent).toEqual([])
    await advance(1_000)
    expect(sent).toHaveLength(1)
    expect(sent[0]?.url).toBe('https://gateway.example/api/telemetry')
    expect(readEvents({ events: sent[0]?.events })).toHaveLength(9)
    expect(tracker.dropped).toBe(0)
  })

  it('sends again what was turned away, and never what may have been counted', async () => {
    const { tracker, sent, advance } = client([429, 202, new Error('connection lost'), 500, 202])
    tracker.warning('truncated')
    await advance(1_000)
    await advance(1_999)
    expect(sent).toHaveLength(1)
    await advance(1)
    expect(sent).toHaveLength(2)
    expect(sent[1]?.events).toEqual(sent[0]?.events)
    for (let i = 0; i < 3; i++) {
      tracker.warning('truncated')
      await tracker.flush()
    }
    expect(sent).toHaveLength(5)
    expect(tracker.dropped).toBe(2)
  })

  it('drops what is malformed, and what is too much, without a word to its caller', async () => {
    const { tracker, sent } = client([])
    tracker.quality(Number.NaN)
    tracker.tool('', 'success')
    for (let i = 0; i < 10_001; i++) tracker.warning('truncated')
    await tracker.flush()
    expect(sent.map(({ events }) => events.length)).toEqual(Array(20).fill(MAX_EVENTS))
    expect(tracker.dropped).toBe(3)
  })
})
