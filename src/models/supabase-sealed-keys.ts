import type { SupabaseClient } from '@supabase/supabase-js'
import type { SealedKey } from './key-box.ts'
import type { KeyTable, SealedKeyStore, SealedRow } from './key-rotation.ts'

interface Row {
  readonly id: string
  readonly api_key_encrypted: string
  readonly api_key_iv: string
}

/** The sealed keys of all tenants in Supabase, a page at a time. */
export class SupabaseSealedKeys implements SealedKeyStore {
  readonly #connect: () => SupabaseClient

  constructor(connect: () => SupabaseClient) {
    this.#connect = connect
  }

  async sealedAfter(table: KeyTable, afterId: string | undefined, limit: number): Promise<SealedRow[]> {
    let query = this.#connect()
      .from(table)
      .select('id, api_key_encrypted, api_key_iv')
      .not('api_key_encrypted', 'is', null)
    if (afterId !== undefined) query = query.gt('id', afterId)
    const { data } = await query
      .order('id')
      .limit(limit)
      .overrideTypes<Row[], { merge: false }>()
      .throwOnError()
    return (data ?? []).map(({ id, api_key_encrypted: encrypted, api_key_iv: iv }) => ({
      id,
      key: { encrypted, iv },
    }))
  }

  async replaceSealed(table: KeyTable, { id, key }: SealedRow, next: SealedKey): Promise<boolean> {
    const { data } = await this.#connect()
      .from(table)
      .update({ api_key_encrypted: next.encrypted, api_key_iv: next.iv })
      .eq('id', id)
      // Each sealing has an IV of its own, and a sealed key is too long for an address.
      .eq('api_key_iv', key.iv)
      .select('id')
      .throwOnError()
    return (data ?? []).length > 0
  }
}
