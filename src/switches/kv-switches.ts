import type { KvStore } from '../core/kv.ts'
import type { Vault } from '../core/vault.ts'
import type { SwitchCopies, SwitchRecord } from './switch-board.ts'

const PLACE = 'switches'
const OWNER = ['switches']
/** For an isolate that starts while the database is away. */
const TTL_SECONDS = 24 * 60 * 60

/** The copy of the switches in KV, sealed: who can write to the store still turns nothing off. */
export const kvSwitches = (kv: KvStore, vault: Vault): SwitchCopies => ({
  get: async () => {
    const sealed = await kv.get(PLACE, 'text')
    if (sealed === null) return undefined
    return JSON.parse(await vault.open(OWNER, PLACE, sealed)) as SwitchRecord
  },
  put: async (record) =>
    kv.put(PLACE, await vault.seal(OWNER, PLACE, JSON.stringify(record)), { expirationTtl: TTL_SECONDS }),
})
