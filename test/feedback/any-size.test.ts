import { expect, it } from 'vitest'
import { uuidv7 } from '../../src/core/ids.ts'
import { outboxOfAnySize } from '../../src/feedback/any-size.ts'
import { type FeedbackRow, readRating, toRow } from '../../src/feedback/feedback.ts'
import { MAX_RECORD_BYTES, type OutboxRecord } from '../../src/feedback/outbox.ts'
import { FAKE_START_MS as NOW } from '../support/fake-clock.ts'

const TENANT = '0a000000-0000-4000-8000-00000000000a'
const row = (correction: string): Promise<FeedbackRow> =>
  toRow(
    TENANT,
    readRating({ prediction_id: uuidv7(NOW), source: 'user', correction }, NOW),
    '2027-01-15T08:00:00.000000Z',
  )

it('sends on what fits a message, stores what does not, and is certain of both', async () => {
  const rows = await Promise.all([
    row('short'),
    row('€'.repeat(40_000)),
    row('"'.repeat(60_000)),
    row('x'.repeat(98_000)),
  ])
  const records = rows.map((each): OutboxRecord => ({ kind: 'feedback', row: each }))
  const [sent, inserted]: [OutboxRecord[], object[]] = [[], []]
  const queue = { add: async (_: string, some: readonly OutboxRecord[]) => void sent.push(...some) }
  const store = {
    insert: async (some: readonly OutboxRecord[]) => void inserted.push(...some.map((record) => record.row)),
  }
  await outboxOfAnySize(queue, store).add(TENANT, records)
  expect(inserted).toEqual([rows[1], rows[2]])
  expect(sent).toEqual([records[0], records[3]])
  for (const record of sent)
    expect(Buffer.byteLength(JSON.stringify(record))).toBeLessThanOrEqual(MAX_RECORD_BYTES)

  const away = { ...store, insert: () => Promise.reject(new Error('away')) }
  await expect(outboxOfAnySize(queue, away).add(TENANT, records)).rejects.toThrow('away')
  await outboxOfAnySize(queue, away).add(TENANT, records.slice(0, 1))
  const full = { add: () => Promise.reject(new Error('full')) }
  await expect(outboxOfAnySize(full, store).add(TENANT, records)).rejects.toThrow('full')
})
