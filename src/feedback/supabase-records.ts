import type { PostgrestError, SupabaseClient } from '@supabase/supabase-js'
import { isObject } from '../core/json.ts'
import type { Baseline } from '../cost/ledger.ts'
import type { Prices } from '../cost/prices.ts'
import type { CostBatch, CostCount } from '../metrics/cost-counts.ts'
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
    for (const { table, id, rows } of tablesOf(records, this.#prices, this.#baseline)) {
      if (table === 'ledger') await this.#book(rows)
      else await this.#add(table, id, rows)
    }
  }

  /**
   * What was booked since, for metrics: the same until it is told. Undefined where there is nothing to tell.
   * @param told the batch that is
   * @throws StoreError
   */
  async nextCosts(told: number | undefined): Promise<CostBatch | undefined> {
    const { data, error, status } = await this.#connect().rpc('next_cost_batch', { told: told ?? null })
    if (error) throw storeError(status, error)
    return isObject(data) ? toCostBatch(data) : undefined
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
    if (error) throw storeError(status, error)
  }

  /** In one transaction with the note of what is to be counted. */
  async #book(booked: readonly object[]): Promise<void> {
    const { error, status } = await this.#connect().rpc('add_to_ledger', { booked })
    if (error) throw storeError(status, error)
  }
}

/** Full, too busy, or not letting us in: none of it is the row's fault. */
const AWAY: ReadonlySet<number> = new Set([0, 401, 403, 404, 408, 429, 502, 503, 504])

/** The message alone: details may quote the row, whose text is not for logs. */
const storeError = (status: number, error: PostgrestError): StoreError =>
  new StoreError(troubleOf(status, error), `${error.code}: ${error.message}`)

function troubleOf(status: number, { code }: PostgrestError): Trouble {
  if (AWAY.has(status)) return 'away'
  // Classes of SQLSTATE: 22 = data, 23 = constraints. PGRST102 = JSON that Postgres cannot read.
  return /^2[23]|^PGRST102$/.test(code ?? '') ? 'refused' : 'unclear'
}

function toCostBatch({ teller, batch, counts }: Record<string, unknown>): CostBatch {
  const rows = Array.isArray(counts) ? counts : []
  return { teller: String(teller), batch: Number(batch), counts: rows.filter(isObject).map(toCostCount) }
}

const toCostCount = ({
  tenant,
  mode,
  provider,
  model,
  spent_usd,
  saved_usd,
}: Record<string, unknown>): CostCount => ({
  tenant: textOf(tenant),
  mode: Number(mode),
  provider: textOf(provider),
  model: textOf(model),
  spentUsd: Number(spent_usd),
  savedUsd: Number(saved_usd),
})

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)
