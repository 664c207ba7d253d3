import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { ABANDONED_AFTER_MS, Courier, GATHER_MS, MAX_HELD } from '../../src/feedback/courier.ts'
import { recordId, type TelemetryMessage, toParcel } from '../../src/feedback/outbox.ts'
import { toAbandonedRow } from '../../src/feedback/prediction.ts'
import { FAKE_START_MS } from '../support/fake-clock.ts'
import { facts, idOf, memoryShelf, recordOf, rowOf } from '../support/telemetry.ts'

const abandoned = (number: number) => {
  const row = toAbandonedRow(facts(number))
  if (!row) throw new Error('a tenant is known')
  return toParcel({ kind: 'prediction', row })
}
const settled = (number: number) => toParcel(recordOf(number))

function bench(shelf = memoryShelf()) {
  const sent: TelemetryMessage['records'][number][] = []
  const state = { nowMs: FAKE_START_MS, down: false, beforeSent: () => {} }
  const courier = new Courier({
    shelf,
    now: () => state.nowMs,
    random: seededRandom(5),
    send: async ({ records }) => {
      if (state.down) throw new Error('queue unavailable')
      state.beforeSent()
      sent.push(...records)
    },
  })
  /** Does as an alarm does, until nothing is due within `ms`. */
  const pass = async (ms: number) => {
    const endMs = state.nowMs + ms
    while (courier.nextMs <= endMs) {
      state.nowMs = Math.max(state.nowMs, courier.nextMs)
      await courier.deliver()
    }
    state.nowMs = endMs
  }
  const told = () =>
    sent.map((record) => record.kind === 'prediction' && [record.row.id, record.row.error_code])
  return { courier, shelf, state, pass, sent, told }
}

describe('a courier', () => {
  it('sends what was settled soon, and keeps nothing of it', async () => {
    const { courier, shelf, pass, sent } = bench()
    courier.expect(abandoned(1))
    expect(courier.settle(settled(1))).toBe(true)
    await pass(GATHER_MS)
    expect(sent).toEqual([recordOf(1)])
    expect([shelf.count(), courier.nextMs]).toEqual([0, Number.POSITIVE_INFINITY])
  })

  it('sends what was never settled as abandoned, after its time', async () => {
    const { courier, pass, told } = bench()
    courier.expect(abandoned(1))
    await pass(ABANDONED_AFTER_MS - 1)
    expect(told()).toEqual([])
    await pass(1)
    expect(told()).toEqual([[idOf(1), 'abandoned']])
  })

  it('loses nothing to a settlement that comes while the other word is being sent', async () => {
    const { courier, state, pass, told } = bench()
    courier.expect(abandoned(1))
    state.beforeSent = () => {
      state.beforeSent = () => {}
      courier.settle(settled(1))
    }
    await pass(ABANDONED_AFTER_MS + GATHER_MS)
    expect(told()).toEqual([
      [idOf(1), 'abandoned'],
      [idOf(1), null],
    ])
  })

  it('keeps everything while the queue is down, tries ever more rarely, and sends each once it is up', async () => {
    const { courier, state, pass, sent, shelf } = bench()
    state.down = true
    for (let i = 0; i < 350; i++) courier.add([settled(i)])
    await pass(5 * 60_000)
    expect(courier.nextMs - state.nowMs).toBeLessThanOrEqual(60_000)
    expect(shelf.count()).toBe(350)
    state.down = false
    await pass(60_000)
    expect(new Set(sent.map(recordId)).size).toBe(350)
    expect([sent.length, shelf.count()]).toEqual([350, 0])
  })

  it('goes on after its death from what is stored', async () => {
    const first = bench()
    first.courier.add([settled(1), settled(1)])
    first.courier.expect(abandoned(2))
    const second = bench(first.shelf)
    await second.pass(GATHER_MS)
    expect(second.told()).toEqual([[idOf(1), null]])
    await second.pass(ABANDONED_AFTER_MS)
    expect(second.told().at(-1)).toEqual([idOf(2), 'abandoned'])
  })

  it('holds no more than its bound, and says so', () => {
    const shelf = { ...memoryShelf(), count: () => MAX_HELD - 1 }
    const { courier } = bench(shelf as ReturnType<typeof memoryShelf>)
    expect(courier.add([settled(1), settled(2)])).toBe(false)
    expect(courier.add([settled(1)])).toBe(true)
    courier.expect(abandoned(3))
    expect(courier.settle(settled(3))).toBe(false)
    expect(courier.settle(settled(1))).toBe(false)
    expect(rowOf(1).id).toBe(idOf(1))
  })
})
