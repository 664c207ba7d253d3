import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { recordId } from '../../src/feedback/outbox.ts'
import { toPredictionRow } from '../../src/feedback/prediction.ts'
import { Telemetry } from '../../src/feedback/telemetry.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { facts, hitFolding, idOf } from '../support/telemetry.ts'

function bench() {
  const clock = fakeClock()
  const sent: string[][] = []
  const settled: string[] = []
  const state = { queueDown: false, accountDown: false, full: false }
  const telemetry = new Telemetry({
    clock,
    random: seededRandom(3),
    settle: async (_tenant, { id }) => {
      if (state.accountDown) throw new Error('Network connection lost')
      if (!state.full) settled.push(id)
      return !state.full
    },
    folding: hitFolding(clock.now),
    hashes: { of: async () => 'h'.repeat(43) },
    send: async ({ records }) => {
      if (state.queueDown) throw new Error('queue unavailable')
      sent.push(records.map(recordId))
    },
  })
  const held: Promise<unknown>[] = []
  return {
    clock,
    sent,
    settled,
    state,
    telemetry,
    waitUntil: (work: Promise<unknown>) => void held.push(work),
  }
}

const ATTEMPT = {
  routeId: 'simulated:sim-small',
  provider: 'simulated',
  model: 'sim-small',
  price: undefined,
  endpointId: 'simulated',
  startedAtMs: 0,
  ms: 1,
  firstByteMs: 1,
  result: 'answered',
  failure: undefined,
  mayBeBilled: true,
  usage: undefined,
} as const

describe('telemetry of an isolate', () => {
  it('gathers hits for a second, or until a lot is full', async () => {
    const { clock, sent, telemetry, waitUntil } = bench()
    for (let i = 0; i < 60; i++) telemetry.record(facts(i), waitUntil)
    await clock.advance(0)
    expect(sent.map(({ length }) => length)).toEqual([50])
    await clock.advance(1_000)
    expect(sent.map(({ length }) => length)).toEqual([50, 10])
    telemetry.record(facts(60), waitUntil)
    await clock.advance(1_000)
    expect(sent.flat()).toEqual(Array.from({ length: 61 }, (_, i) => idOf(i)))
    expect(telemetry.states()).toEqual({ held: 0, dropped: 0 })
  })

  it('sends no message larger than a queue takes', async () => {
    const { clock, telemetry, waitUntil } = bench()
    const sizes: number[] = []
    const sender = new Telemetry({
      clock,
      random: seededRandom(3),
      settle: async () => true,
      folding: hitFolding(() => 0),
      hashes: { of: async () => 'h'.repeat(43) },
      send: async (message) => void sizes.push(Buffer.byteLength(JSON.stringify(message))),
    })
    const name = `custom:${'模'.repeat(249)}`
    for (let i = 0; i < 100; i++)
      sender.record({ ...facts(i), routeId: name, requestId: 'r'.repeat(128) }, waitUntil)
    for (let i = 0; i < 100; i++) sender.record(facts(i), waitUntil)
    await clock.advance(1_000)
    expect(sizes.length).toBeGreaterThan(3)
    for (const size of sizes) expect(size).toBeLessThan(128_000)
    expect(telemetry.states()).toEqual({ held: 0, dropped: 0 })
  })

  it('sends what a request that was ended had promised to send', async () => {
    let nowMs = 0
    const orphaned = new Telemetry({
      clock: { now: () => nowMs, after: () => () => {} },
      random: () => 0,
      settle: async () => true,
      folding: hitFolding(() => 0),
      hashes: { of: async () => 'h'.repeat(43) },
      send: async () => {},
    })
    let promises = 0
    const count = () => void promises++
    orphaned.record(facts(1), count)
    nowMs = 500
    orphaned.record(facts(2), count)
    expect(promises).toBe(1)
    nowMs = 2_000
    orphaned.record(facts(3), count)
    expect(promises).toBe(2)
  })

  it('gives announced requests to the account, and to the queue where that takes none', async () => {
    const { clock, sent, settled, state, telemetry, waitUntil } = bench()
    telemetry.record({ ...facts(1), announced: true }, waitUntil)
    state.full = true
    telemetry.record({ ...facts(2), announced: true }, waitUntil)
    state.accountDown = true
    telemetry.record({ ...facts(3), announced: true }, waitUntil)
    await clock.advance(0)
    expect(settled).toEqual([idOf(1)])
    expect(sent).toEqual([[idOf(2)], [idOf(3)]])
  })

  it('tells the account again where that holds money back, and the queue only then', async () => {
    const { clock, sent, settled, state, telemetry, waitUntil } = bench()
    const attempt = { ...ATTEMPT, reservedNanoUsd: 5 }
    state.accountDown = true
    telemetry.record({ ...facts(1, { attempts: [attempt] }), announced: true }, waitUntil)
    telemetry.record({ ...facts(2, { attempts: [ATTEMPT] }), announced: true }, waitUntil)
    await clock.advance(0)
    expect(sent).toEqual([[idOf(2)]])
    state.accountDown = false
    await clock.advance(3_000)
    expect([settled, sent]).toEqual([[idOf(1)], [[idOf(2)]]])
    state.accountDown = true
    telemetry.record({ ...facts(3, { attempts: [attempt] }), announced: true }, waitUntil)
    await clock.advance(15_000)
    expect(sent).toEqual([[idOf(2)], [idOf(3)]])
  })

  it('holds a bounded number while the queue is down, counts what it drops, and sends the rest later', async () => {
    const { clock, sent, state, telemetry, waitUntil } = bench()
    state.queueDown = true
    for (let i = 0; i < 10_100; i++) telemetry.record(facts(i), waitUntil)
    await clock.advance(60_000)
    expect(telemetry.states()).toEqual({ held: 10_000, dropped: 100 })
    state.queueDown = false
    for (let i = 0; i < 10; i++) telemetry.record(facts(20_000 + i), waitUntil)
    await clock.advance(2_000)
    expect(new Set(sent.flat()).size).toBe(10_000)
    expect(telemetry.states()).toEqual({ held: 0, dropped: 110 })
  })

  it('records nothing of nobody', async () => {
    const { clock, sent, telemetry, waitUntil } = bench()
    telemetry.record(facts(1, { tenantId: undefined }), waitUntil)
    await clock.advance(5_000)
    expect(sent).toEqual([])
  })
})

describe('a row', () => {
  it('is one that the table takes, whatever names and numbers came', () => {
    const candidates = Array.from({ length: 32 }, (_, i) => ({ id: `${'模'.repeat(500)}\0${i}`, rank: i }))
    const row = toPredictionRow(
      facts(1, {
        routeId: `custom:\ud800${'x'.repeat(600)}\0`,
        totalMs: Number.NaN,
        usage: { inputTokens: 1e12, outputTokens: -1 },
        explain: () => ({ task: 'code', inputTokens: 3, codeLanguage: null, candidates }),
      }),
    )
    expect(row).toMatchObject({ total_ms: 0, input_tokens: null, output_tokens: null, task: 'code' })
    expect(row?.route?.length).toBe(512)
    const decision = JSON.stringify(row?.decision)
    expect(Buffer.byteLength(decision)).toBeLessThan(32_768)
    expect(JSON.stringify(row)).not.toMatch(/\\u0000|\\ud800/)
  })
})
