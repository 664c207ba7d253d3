import { utf8 } from '../core/bytes.ts'
import { MAX_RECORD_BYTES, type Outbox, type OutboxRecord } from './outbox.ts'
import type { RecordStore } from './record-store.ts'

/**
 * An outbox for records of any size: what no queue's message holds, such as a long correction, goes into its table
 * before it is acknowledged.
 * @param small takes the others
 */
export function outboxOfAnySize(small: Outbox, store: Pick<RecordStore, 'insert'>): Outbox {
  return {
    add: async (tenantId, records) => {
      const [fitting, large]: [OutboxRecord[], OutboxRecord[]] = [[], []]
      for (const record of records) (isLarge(record) ? large : fitting).push(record)
      if (fitting.length > 0) await small.add(tenantId, fitting)
      for (const record of large) await store.insert([record])
    },
  }
}

const isLarge = (record: OutboxRecord): boolean => utf8(JSON.stringify(record)).length > MAX_RECORD_BYTES
