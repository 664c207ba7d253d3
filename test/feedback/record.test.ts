import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Delivery, takeIn } from '../../src/feedback/intake.ts'
import { type OutboxRecord, recordId } from '../../src/feedback/outbox.ts'
import { inMessages } from '../../src/feedback/parcels.ts'
import { storeRecords } from '../../src/feedback/record.ts'
import { idOf, memoryStore, recordOf } from '../support/telemetry.ts'

const records = (count: number): OutboxRecord[] => Array.from({ length: count }, (_, i) => recordOf(i))

describe('a batch with bad rows in it', () => {
  it('lands without them, whichever they are', async () => {
    const given = fc.record({
      count: fc.integer({ min: 1, max: 130 }),
      bad: fc.uniqueArray(fc.nat(129), { maxLength: 8 }),
      trouble: fc.constantFrom('refused' as const, 'unclear' as const),
    })
    await fc.assert(
      fc.asyncProperty(given, async ({ count, bad, trouble }) => {
        const badIds = new Set(bad.map(idOf))
        const { store, stored, state } = memoryStore(badIds, trouble)
        const fates = await storeRecords(store, records(count))
        const expected = records(count).map((record) => !badIds.has(recordId(record)))
        expect(fates.map(({ kind }) => kind === 'stored')).toEqual(expected)
        expect(stored.size).toBe(expected.filter(Boolean).length)
        // Halving: about 2 log2(200) inserts for each bad row, not one for each row.
        expect(state.inserts).toBeLessThanOrEqual(1 + bad.length * 16)
      }),
    )
  })

  it('asks a store that is away once, and one that fails at everything hardly more', async () => {
    const away = memoryStore()
    away.state.away = true
    expect((await storeRecords(away.store, records(500))).every(({ kind }) => kind === 'later')).toBe(true)
    expect(away.state.inserts).toBe(1)
    const ill = memoryStore(new Set(records(500).map(recordId)), 'unclear')
    ill.state.up = false
    expect((await storeRecords(ill.store, records(500))).every(({ kind }) => kind === 'later')).toBe(true)
    expect(ill.state.inserts).toBe(1)
  })
})

/** A message, and what was said of it. */
function delivery(body: unknown, attempts = 1) {
  const said: string[] = []
  const made: Delivery & { said: string[] } = {
    body,
    attempts,
    said,
    ack: () => said.push('ack'),
    retry: () => said.push('retry'),
  }
  return made
}

describe('taking in', () => {
  const newId = () => idOf(999)

  it('acknowledges a message once all of it is stored or buried, with the reason', async () => {
    const { store, stored, letters } = memoryStore(new Set([idOf(7)]))
    const messages = [delivery({ records: records(50) }), delivery('what?'), delivery({ records: [] })]
    expect(await takeIn(store, messages, newId)).toEqual({ stored: 49, buried: 2, later: 0 })
    expect(messages.map(({ said }) => said)).toEqual([['ack'], ['ack'], ['ack']])
    expect(stored.size).toBe(49)
    expect(letters.get(idOf(7))).toMatchObject({ kind: 'prediction', reason: 'bad row', record: recordOf(7) })
    expect(letters.get(idOf(999))).toMatchObject({ kind: 'unknown', record: 'what?' })
  })

  it('buries what a healthy store fails at only after the third time', async () => {
    const { store, letters } = memoryStore(new Set([idOf(1)]), 'unclear')
    const [first, third] = [delivery({ records: records(3) }), delivery({ records: records(3) }, 3)]
    await takeIn(store, [first], newId)
    expect([first.said, letters.size]).toEqual([['retry'], 0])
    await takeIn(store, [third], newId)
    expect([third.said, letters.size]).toEqual([['ack'], 1])
  })

  it('lets everything come again while the store is away, burying included', async () => {
    const { store, state, letters } = memoryStore()
    state.away = true
    const messages = [delivery({ records: records(2) }, 50), delivery('what?', 50)]
    expect(await takeIn(store, messages, newId)).toEqual({ stored: 0, buried: 0, later: 2 })
    expect(messages.map(({ said }) => said)).toEqual([['retry'], ['retry']])
    expect(letters.size).toBe(0)
  })
})

describe('splitting into messages', () => {
  it('keeps all in order, within the bounds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 120 })),
        fc.integer({ min: 1, max: 9 }),
        (sizes, items) => {
          const messages = [...inMessages(sizes, (size) => size, items, 100)]
          expect(messages.flat()).toEqual(sizes)
          for (const message of messages) {
            expect(message.length).toBeGreaterThan(0)
            expect(message.length).toBeLessThanOrEqual(items)
            const bytes = message.reduce((sum, size) => sum + size, 0)
            expect(bytes <= 100 || message.length === 1).toBe(true)
          }
        },
      ),
    )
  })
})
