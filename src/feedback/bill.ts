import type { Reservation } from '../cost/budget-book.ts'
import { type ProviderCall, priceCall } from '../cost/ledger.ts'
import type { NanoUsd } from '../cost/nano-usd.ts'
import type { Prices } from '../cost/prices.ts'
import type { OutboxRecord, Parcel } from './outbox.ts'

/** What a settled request's calls came to, by their places, as the recorder will book it. */
export interface Bill {
  readonly keyId: string
  readonly atMs: number
  readonly costs: readonly NanoUsd[]
}

/** @returns undefined where the parcel is no prediction's */
export function billOf({ text }: Parcel, prices: Prices): Bill | undefined {
  const record = JSON.parse(text) as OutboxRecord
  if (record.kind !== 'prediction') return undefined
  const { row, calls = [] } = record
  const atMs = Date.parse(row.created_at)
  return {
    keyId: row.key_id ?? '',
    atMs,
    costs: calls.map((call) => priceCall(call, prices, atMs).nanoUsd),
  }
}

/** The word of a request that was never settled, with the calls that may have been made for it. */
export function withAbandonedCalls(text: string, held: readonly Reservation[]): string {
  const record = JSON.parse(text) as OutboxRecord
  if (record.kind !== 'prediction') return text
  const calls = held.map(
    ({ call, nanoUsd }): ProviderCall => ({
      ...call,
      result: 'abandoned',
      ms: 0,
      mayBeBilled: true,
      sentBytes: 0,
      saidBytes: 0,
      reservedNanoUsd: nanoUsd,
    }),
  )
  const row = { ...record.row, attempts: calls.length }
  return JSON.stringify({ ...record, row, calls } satisfies OutboxRecord)
}
