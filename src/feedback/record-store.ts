import type { OutboxRecord } from './outbox.ts'

/** Where each kind goes, and the column whose value it is known by. A prediction brings rows of the ledger with it. */
export const TABLES: Readonly<Record<OutboxRecord['kind'], { readonly table: string; readonly id: string }>> =
  {
    prediction: { table: 'ml_predictions', id: 'id' },
    feedback: { table: 'quality_feedback_history', id: 'id' },
    minute: { table: 'prediction_minutes', id: 'id' },
    text: { table: 'prediction_texts', id: 'prediction_id' },
  }

/**
 * `refused`: the rows themselves are at fault, however often they come. `unclear`: the store answered with a failure
 * of its own, which a row may cause. `away`: it was not reached, or takes nothing from us now.
 */
export type Trouble = 'refused' | 'unclear' | 'away'

export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly trouble: Trouble

  constructor(trouble: Trouble, message: string, options?: ErrorOptions) {
    super(message, options)
    this.trouble = trouble
  }
}

/** A record that no table takes, and why. */
export interface DeadLetter {
  /** A UUID: that of the record where it has one, so that arriving twice is arriving once. */
  readonly id: string
  readonly tenant_id: string | null
  readonly kind: string
  readonly record: unknown
  readonly reason: string
}

export interface RecordStore {
  /**
   * Records of one kind. Those that are there already are left alone; what fails half-way is done again as a whole.
   * @throws StoreError
   */
  insert(records: readonly OutboxRecord[]): Promise<void>
  /** @throws StoreError */
  bury(letters: readonly DeadLetter[]): Promise<void>
  /** Whether it answers at all. */
  isUp(): Promise<boolean>
}
