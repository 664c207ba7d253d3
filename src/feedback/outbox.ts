import type { FeedbackRow } from './feedback.ts'

export type OutboxRecord = { readonly kind: 'feedback'; readonly row: FeedbackRow }

export interface Outbox {
  /** Resolves once they lie in durable storage. Rejects when that is not certain. */
  add(tenantId: string, records: readonly OutboxRecord[]): Promise<void>
}
