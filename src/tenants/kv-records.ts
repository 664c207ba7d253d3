import type { KvStore } from '../core/kv.ts'
import type { Vault } from '../core/vault.ts'
import type { KeyRecord, KeyRecordStore } from './authenticator.ts'

/** As long as a record may serve while the directory is away. */
const TTL_SECONDS = 15 * 60
const OWNER = ['key-record']

/**
 * Key records in KV, sealed: who can write to the store still cannot make a caller. A key that is revoked
 * needs no removal here, because a record is believed for a minute only after the directory confirmed it.
 */
export class KvKeyRecords implements KeyRecordStore {
  readonly #kv: KvStore
  readonly #vault: Vault

  constructor(kv: KvStore, vault: Vault) {
    this.#kv = kv
    this.#vault = vault
  }

  async get(digest: string): Promise<KeyRecord | undefined> {
    const sealed = await this.#kv.get(place(digest), 'text')
    if (sealed === null) return undefined
    try {
      return JSON.parse(await this.#vault.open(OWNER, digest, sealed)) as KeyRecord
    } catch {
      return undefined
    }
  }

  async put(digest: string, record: KeyRecord): Promise<void> {
    const sealed = await this.#vault.seal(OWNER, digest, JSON.stringify(record))
    await this.#kv.put(place(digest), sealed, { expirationTtl: TTL_SECONDS })
  }

  /** Best effort: makes a revocation take effect sooner where the deletion is seen. */
  async remove(digest: string): Promise<void> {
    await this.#kv.delete(place(digest))
  }
}

const place = (digest: string): string => `key:${digest}`
