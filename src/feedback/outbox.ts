import type { PricedTokens, ProviderCall } from '../cost/ledger.ts'
import type { CostLabels } from './cost-labels.ts'
import type { FeedbackRow } from './feedback.ts'
import type { MinuteRow } from './folding.ts'
import type { PredictionRow } from './prediction.ts'

/** A row on its way to its table. Its `id` is made before it leaves, so arriving twice is arriving once. */
export type OutboxRecord =
  | {
      readonly kind: 'prediction'
      readonly row: PredictionRow
      /** In the order in which they were made; priced where they are stored, whose table of prices is too large elsewhere. */
      readonly calls?: readonly ProviderCall[]
      /** What metrics call those that spent. */
      readonly labels?: CostLabels | undefined
      /** What a hit spared. */
      readonly saved?: PricedTokens | undefined
    }
  | { readonly kind: 'feedback'; readonly row: FeedbackRow }
  | { readonly kind: 'minute'; readonly row: MinuteRow; readonly saved?: PricedTokens | undefined }
  | { readonly kind: 'text'; readonly row: TextRow }

/** What was said, of a tenant that wants it kept: a row of `prediction_texts`. */
export interface TextRow {
  readonly prediction_id: string
  readonly tenant_id: string
  /** ISO 8601. */
  readonly created_at: string
  readonly prompt: string
  readonly answer: string
}

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

/** Of no two records the same: a prediction and its text leave an outbox each for itself. */
export const recordId = (record: OutboxRecord): string =>
  record.kind === 'text' ? `${record.row.prediction_id}:text` : record.row.id

export const toParcel = (record: OutboxRecord): Parcel => ({
  id: recordId(record),
  text: JSON.stringify(record),
})
