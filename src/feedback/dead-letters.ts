import type { SupabaseClient } from '@supabase/supabase-js'
import { isRecord } from './intake.ts'
import { storeRecords } from './record.ts'
import type { RecordStore } from './record-store.ts'

/** A dead letter without its record, which may hold a caller's text. */
export interface DeadLetterListing {
  readonly id: string
  readonly tenant_id: string | null
  readonly kind: string
  readonly reason: string
  readonly buried_at: string
}

/** Part of the dead letters, the oldest first. */
export interface Page {
  readonly limit: number
  readonly skip: number
}

export interface Replay {
  readonly stored: number
  /** Still dead, and so in the way of the next page. */
  readonly left: number
}

/** What the recorder buried in Supabase. */
export class DeadLetters {
  readonly #connect: () => SupabaseClient
  readonly #store: RecordStore

  constructor(connect: () => SupabaseClient, store: RecordStore) {
    this.#connect = connect
    this.#store = store
  }

  list(page: Page): Promise<DeadLetterListing[]> {
    return this.#read('id, tenant_id, kind, reason, buried_at', page)
  }

  /** Stores what its table takes by now. Ended half-way, or called twice, it stores nothing twice. */
  async replay(page: Page): Promise<Replay> {
    const letters = await this.#read<{ id: string; record: unknown }>('id, record', page)
    const sound = letters.flatMap(({ id, record }) => (isRecord(record) ? [{ id, record }] : []))
    const fates = await storeRecords(
      this.#store,
      sound.map(({ record }) => record),
    )
    const stored = sound.filter((_, place) => fates[place]?.kind === 'stored').map(({ id }) => id)
    if (stored.length > 0) await this.#connect().from('dead_letters').delete().in('id', stored).throwOnError()
    return { stored: stored.length, left: letters.length - stored.length }
  }

  async #read<Row>(columns: string, { limit, skip }: Page): Promise<Row[]> {
    const { data } = await this.#connect()
      .from('dead_letters')
      .select(columns)
      .order('buried_at')
      .order('id')
      .range(skip, skip + limit - 1)
      .throwOnError()
    return data as Row[]
  }
}
