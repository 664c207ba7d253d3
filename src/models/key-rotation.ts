import { GatewayError } from '../core/errors.ts'
import type { SealedKey } from './key-box.ts'
import type { BadRow } from './registry.ts'

/** The tables that hold sealed keys, in the order of rotation. */
export const KEY_TABLES = ['custom_models', 'provider_keys'] as const
export type KeyTable = (typeof KEY_TABLES)[number]

export interface SealedRow {
  readonly id: string
  readonly key: SealedKey
}

/** Sealed keys by row, over all tenants: for the operator's rotation only. */
export interface SealedKeyStore {
  /** In the order of ids, those behind `afterId`. */
  sealedAfter(table: KeyTable, afterId: string | undefined, limit: number): Promise<readonly SealedRow[]>
  /** @returns whether the row still held `seen`; otherwise it is left as it is */
  replaceSealed(table: KeyTable, row: SealedRow, next: SealedKey): Promise<boolean>
}

export interface Rewrapper {
  /** @returns undefined when it is wrapped under the current key already */
  rewrap(sealed: SealedKey): Promise<SealedKey | undefined>
}

export interface RotationBatch {
  readonly rewrapped: number
  /** Under the current key already, or changed meanwhile, which sealed them anew. */
  readonly unchanged: number
  /** Rows whose key does not open: a damaged row, or a key version that is gone. */
  readonly failed: readonly Pick<BadRow, 'table' | 'id'>[]
  /** Where the next batch begins; null at the end. */
  readonly cursor: string | null
}

const CURSOR = /^(custom_models|provider_keys):([0-9a-f-]{36})?$/

/**
 * Wraps the next keys anew under the current key encryption key. Nothing stands still meanwhile, and a batch that was
 * done before changes nothing: it can be ended and begun anew at any point.
 * @param cursor of the batch before; undefined at the beginning
 * @returns undefined for a cursor that is none
 */
export async function rotateBatch(
  store: SealedKeyStore,
  keys: Rewrapper,
  cursor: string | undefined,
  limit: number,
): Promise<RotationBatch | undefined> {
  const [, name = '', afterId] = CURSOR.exec(cursor ?? `${KEY_TABLES[0]}:`) ?? []
  const table = KEY_TABLES.find((known) => known === name)
  if (!table) return undefined
  const rows = await store.sealedAfter(table, afterId, limit)
  const failed: { table: KeyTable; id: string }[] = []
  let rewrapped = 0
  for (const row of rows) {
    const next = await keys.rewrap(row.key).catch((error) => {
      // One row that does not open must not hold up the others; a missing secret would be missed by all.
      if (!(error instanceof GatewayError) || error.code !== 'key_unreadable') throw error
      failed.push({ table, id: row.id })
      return undefined
    })
    if (next && (await store.replaceSealed(table, row, next))) rewrapped += 1
  }
  const unchanged = rows.length - rewrapped - failed.length
  return { rewrapped, unchanged, failed, cursor: nextCursor(table, rows, limit) }
}

function nextCursor(table: KeyTable, rows: readonly SealedRow[], limit: number): string | null {
  const last = rows.at(-1)
  if (last && rows.length === limit) return `${table}:${last.id}`
  const next = KEY_TABLES[KEY_TABLES.indexOf(table) + 1]
  return next ? `${next}:` : null
}
