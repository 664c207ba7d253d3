import type { PostgrestError, SupabaseClient } from '@supabase/supabase-js'
import type { Baseline } from '../cost/ledger.ts'
import type { Prices } from '../cost/prices.ts'
import type { OutboxRecord } from './outbox.ts'
import { type DeadLetter, type RecordStore, StoreError, type Trouble } from './record-store.ts'
import { tablesOf } from './table-rows.ts'

/** The tables of records in Supabase. */
export class SupabaseRecords implements RecordStore {
  readonly #connect: () => SupabaseClient
  readonly #prices: Prices
  readonly #baseline: Baseline | undefined

  /** @param baseline what costs are compared with */
  constructor(connect: () => SupabaseClient, prices: Prices, baseline?: Baseline) {
    this.#connect = connect
    this.#prices = prices
    this.#baseline = baseline
  }

  async insert(records: readonly OutboxRecord[]): Promise<void> {
    for (const { table, id, rows } of tablesOf(records, this.#prices, this.#baseline))
      await this.#add(table, id, rows)
  }

  bury(letters: readonly DeadLetter[]): Promise<void> {
    return this.#add('dead_letters', 'id', letters)
  }

  async isUp(): Promise<boolean> {
    const { error } = await this.#connect().from('tenants').select('id').limit(1)
    return error === null
  }

  async #add(table: string, id: string, rows: readonly object[]): Promise<void> {
    const { error, status } = await this.#connect()
      .from(table)
      .upsert([...rows], { onConflict: id, ignoreDuplicates: true })
    // The message alone: details may quote the row, whose text is not for logs.
    if (error) throw new StoreError(troubleOf(status, error), `${error.code}: ${error.message}`)
  }
}

/** Full, too busy, or not letting us in: none of it is the row's fault. */
const AWAY: ReadonlySet<number> = new Set([0, 401, 403, 404, 408, 429, 502, 503, 504])

function troubleOf(status: number, { code }: PostgrestError): Trouble {
  if (AWAY.has(status)) return 'away'
  // Classes of SQLSTATE: 22 = data, 23 = constraints. PGRST102 = JSON that Postgres cannot read.
  return /^2[23]|^PGRST102$/.test(code ?? '') ? 'refused' : 'unclear'
}
