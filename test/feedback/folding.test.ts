import { describe, expect, it } from 'vitest'
import { HitFolding } from '../../src/feedback/folding.ts'
import { Telemetry } from '../../src/feedback/telemetry.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { facts, TENANT_ID } from '../support/telemetry.ts'

const hit = (receivedAtMs: number, totalMs: number, more = {}) => ({
  tenantId: TENANT_ID,
  model: 'openai:gpt-4o',
  tier: 'memory',
  stream: false,
  receivedAtMs,
  totalMs,
  saved: { provider: 'openai', model: 'gpt-4o', usage: { inputTokens: 10, outputTokens: 5 } },
  ...more,
})

describe('folding', () => {
  it('begins above the rate, for each tenant by itself, and ends below it', () => {
    let nowMs = 0
    const folding = new HitFolding({ now: () => nowMs, rowsPerSecond: 2 })
    const due = (tenant: string, times: number) =>
      Array.from({ length: times }, () => folding.isDue(tenant)).filter(Boolean).length
    expect([due('a', 10), due('b', 3)]).toEqual([6, 0])
    nowMs = 1_000
    expect(due('a', 10)).toBe(8)
    nowMs = 10_000
    expect(due('a', 4)).toBe(0)
  })

  it('adds up by minute, mode, tier and model, each duration in its bucket', () => {
    const folding = new HitFolding({ now: () => 0, rowsPerSecond: 1 })
    // On an edge, just above it, beyond the last, and from a clock that was set back.
    for (const totalMs of [1, 1.5, 200_000, -5]) folding.add(hit(59_999, totalMs))
    folding.add(hit(60_000, 3, { stream: true }))
    folding.add(hit(60_000, 3, { tier: 'kv' }))
    folding.add(hit(60_000, 3, { model: undefined }))
    folding.add(hit(60_000, 3, { mode: 2 }))
    folding.add(hit(60_000, 3, { mode: undefined, stream: true }))
    const folded = folding.take()
    const rows = folded.map(({ row }) => row)
    expect(folded[0]?.saved).toEqual({
      provider: 'openai',
      model: 'gpt-4o',
      usage: { inputTokens: 40, outputTokens: 20 },
    })
    expect(
      rows.map(({ starts_at, mode, cache_tier, model, provider, requests, streams }) => [
        starts_at.slice(14, 19),
        mode,
        cache_tier,
        model,
        provider,
        requests,
        streams,
      ]),
    ).toEqual([
      ['00:00', 0, 'memory', 'openai:gpt-4o', 'openai', 4, 0],
      ['01:00', 0, 'memory', 'openai:gpt-4o', 'openai', 2, 2],
      ['01:00', 0, 'kv', 'openai:gpt-4o', 'openai', 1, 0],
      ['01:00', 0, 'memory', 'none', 'none', 1, 0],
      ['01:00', 2, 'memory', 'openai:gpt-4o', 'openai', 1, 0],
    ])
    expect(rows[0]?.total_buckets).toEqual([2, 1, ...new Array(14).fill(0), 0, 1])
    expect(rows[0]?.total_ms).toBe(200_002.5)
    expect(new Set(rows.map(({ id }) => id)).size).toBe(5)
    expect(folding.take()).toEqual([])
  })

  it('sends what was folded with the next message, and counts what it had to drop by requests', async () => {
    const clock = fakeClock()
    const sent: string[] = []
    const state = { down: false }
    const telemetry = new Telemetry({
      clock,
      random: () => 0,
      settle: async () => true,
      folding: new HitFolding({ now: clock.now, rowsPerSecond: 1 }),
      hashes: { of: async () => 'h'.repeat(43) },
      send: async ({ records }) => {
        if (state.down) throw new Error('queue unavailable')
        for (const { kind, row } of records) sent.push(kind === 'minute' ? `minute ${row.requests}` : kind)
      },
    })
    const waitUntil = () => {}
    for (let i = 0; i < 30; i++) telemetry.record({ ...facts(i), folded: i > 0 }, waitUntil)
    await clock.advance(1_000)
    expect(sent).toEqual(['prediction', 'minute 29'])
    expect(telemetry.states()).toEqual({ held: 0, dropped: 0 })

    state.down = true
    for (let i = 0; i < 10_000; i++) telemetry.record(facts(i), waitUntil)
    for (let i = 0; i < 7; i++) telemetry.record({ ...facts(i), folded: true }, waitUntil)
    await clock.advance(60_000)
    expect(telemetry.states()).toEqual({ held: 10_000, dropped: 7 })
  })
})
