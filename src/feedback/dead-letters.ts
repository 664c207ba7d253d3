import type { SupabaseClient } from '@supabase/supabase-js'
import { utf8 } from '../core/bytes.ts'
import { isRecord } from './intake.ts'
import type { OutboxRecord, TelemetryMessage } from './outbox.ts'
import { inMessages } from './parcels.ts'

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
  /** On their way to the recorder once more. */
  readonly sent: number
  /** No records at all. */
  readonly left: number
}

/** What the recorder buried in Supabase. */
export class DeadLetters {
  readonly #connect: () => SupabaseClient
  readonly #send: (message: TelemetryMessage) => Promise<void>

  /** @param send resolves once the recorder's queue holds the message */
  constructor(connect: () => SupabaseClient, send: (message: TelemetryMessage) => Promise<void>) {
    this.#connect = connect
    this.#send = send
  }

  /** Those whose record was stored meanwhile are taken off first. */
  async list(page: Page): Promise<DeadLetterListing[]> {
    await this.#settle()
    return this.#read('id, tenant_id, kind, reason, buried_at', page)
  }

  /**
   * Sends them to the recorder once more, who prices and stores them as all others. Each stays a dead letter until it is
   * stored; what comes twice is stored once.
   */
  async replay(page: Page): Promise<Replay> {
    const letters = await this.#read<{ record: unknown }>('record', page)
    const sound = letters.flatMap(({ record }) => (isRecord(record) ? [record] : []))
    for (const records of inMessages(sound, bytesOf)) await this.#send({ records })
    return { sent: sound.length, left: letters.length - sound.length }
  }

  async #settle(): Promise<void> {
    await this.#connect().rpc('settle_dead_letters').throwOnError()
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

const bytesOf = (record: OutboxRecord): number => utf8(JSON.stringify(record)).length
