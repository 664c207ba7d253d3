import {
  type Baseline,
  book,
  type LedgerAttemptRow,
  type LedgerRow,
  type PaidRequest,
  priceSaved,
} from '../cost/ledger.ts'
import { toUsd } from '../cost/nano-usd.ts'
import type { Prices } from '../cost/prices.ts'
import { NO_TAGS } from '../cost/tags.ts'
import { type CountedAs, countedAs } from './cost-labels.ts'
import type { OutboxRecord } from './outbox.ts'
import { TABLES } from './record-store.ts'

export interface TableRows {
  readonly table: string
  /** Columns whose values a row is known by, separated by commas. */
  readonly id: string
  readonly rows: readonly object[]
}

/**
 * The rows that records of one kind come to, priced, in the order in which they are to be stored: a prediction after the
 * rows of the ledger, so that where it is, they are.
 */
export function tablesOf(
  records: readonly OutboxRecord[],
  prices: Prices,
  baseline?: Baseline,
): readonly TableRows[] {
  const [first] = records
  if (!first) return []
  const ledger: (LedgerRow & CountedAs)[] = []
  const attempts: LedgerAttemptRow[] = []
  const rows = records.map((record) => {
    if (record.kind !== 'prediction') return withSavings(record, prices)
    const { row, calls = [], saved, labels } = record
    const booked = book(paidRequest(row), calls, prices, baseline)
    if (booked) {
      ledger.push({ ...booked.ledger, ...countedAs(row.mode, labels, booked.attempts) })
      attempts.push(...booked.attempts)
    }
    return {
      ...row,
      tags: row.tags ?? NO_TAGS,
      cost_usd: booked?.ledger.cost_usd ?? 0,
      saved_usd: saved ? toUsd(priceSaved(saved, prices, Date.parse(row.created_at))) : 0,
      tokens_estimated: booked?.isEstimated ?? false,
    }
  })
  return [
    { table: 'ledger_attempts', id: 'prediction_id,attempt', rows: attempts },
    { table: 'ledger', id: 'prediction_id', rows: ledger },
    { ...TABLES[first.kind], rows },
  ].filter(({ rows }) => rows.length > 0)
}

function withSavings(record: Exclude<OutboxRecord, { kind: 'prediction' }>, prices: Prices): object {
  if (record.kind !== 'minute') return record.row
  const { row, saved } = record
  const savedUsd = saved ? toUsd(priceSaved(saved, prices, Date.parse(row.starts_at))) : 0
  return { ...row, saved_usd: savedUsd }
}

const paidRequest = ({
  id,
  tenant_id,
  key_id,
  created_at,
  error_code,
  tags = NO_TAGS,
}: Extract<OutboxRecord, { kind: 'prediction' }>['row']): PaidRequest => ({
  prediction_id: id,
  tenant_id,
  key_id,
  created_at,
  settled_as: error_code === 'abandoned' ? 'abandoned' : 'settled',
  tags,
})
