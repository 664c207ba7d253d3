/** One rating as it came: a row of `quality_feedback_history`, column by column. */
export interface FeedbackRow {
  /** A UUID made by whoever acknowledged it. */
  readonly id: string
  readonly tenant_id: string
  readonly prediction_id: string
  readonly source: 'user' | 'bot' | 'auto-prompt'
  readonly thumbs: 'up' | 'down' | null
  readonly rating: number | null
  readonly outcome: number | null
  readonly correction: string | null
  readonly tags: readonly string[] | null
  /** ISO 8601. */
  readonly received_at: string
}
