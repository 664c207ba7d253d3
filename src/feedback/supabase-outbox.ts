import type { SupabaseClient } from '@supabase/supabase-js'
import type { Outbox, OutboxRecord } from './outbox.ts'

/** An outbox without a store of its own: what it takes lies in Postgres once it answers. */
export class SupabaseOutbox implements Outbox {
  readonly #connect: () => SupabaseClient

  constructor(connect: () => SupabaseClient) {
    this.#connect = connect
  }

  async add(_tenantId: string, records: readonly OutboxRecord[]): Promise<void> {
    await this.#connect()
      .from('quality_feedback_history')
      .upsert(
        records.map(({ row }) => row),
        { onConflict: 'id', ignoreDuplicates: true },
      )
      .throwOnError()
  }
}
