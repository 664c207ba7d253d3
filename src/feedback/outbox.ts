import type { FeedbackRow } from './feedback.ts'
import type { MinuteRow } from './folding.ts'
import type { PredictionRow } from './prediction.ts'

/** A row on its way to its table. Its `id` is made before it leaves, so arriving twice is arriving once. */
export type OutboxRecord =
  | { readonly kind: 'prediction'; readonly row: PredictionRow }
  | { readonly kind: 'feedback'; readonly row: FeedbackRow }
  | { readonly kind: 'minute'; readonly row: MinuteRow }

export interface Outbox {
  /**
   * Resolves once they lie in durable storage. Rejects when that is not certain: then nothing was acknowledged.
   * Each record may be `MAX_RECORD_BYTES` long as JSON.
   */
  add(tenantId: string, records: readonly OutboxRecord[]): Promise<void>
}

/** A queue's message holds 128 kB. */
export const MAX_RECORD_BYTES = 100_000

/** What a queue carries: whole records, few enough for one message. */
export interface TelemetryMessage {
  readonly records: readonly OutboxRecord[]
}

/** A record as text, as an outbox keeps it. */
export interface Parcel {
  readonly id: string
  /** JSON of an `OutboxRecord`. */
  readonly text: string
}

export const toParcel = (record: OutboxRecord): Parcel => ({
  id: record.row.id,
  text: JSON.stringify(record),
})
