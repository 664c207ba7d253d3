import { toBase64Url, utf8 } from '../core/bytes.ts'
import { Lru } from '../core/lru.ts'
import { lengthPrefixed, type Vault } from '../core/vault.ts'

const VERSION = 'v1'
/** Users ask more than once, and making a hash takes a tenth of a hit. */
const MAX_KNOWN = 5_000
const MAX_KNOWN_LENGTH = 200

/**
 * Turns the request's `user` field into what is stored of it (`ml_predictions.user_hash`): HMAC-SHA-256 over tenant and
 * name, under a key of its own that is derived from the root secret; base64url, 43 characters.
 *
 * One user of one tenant has one hash at all times, so that its rows can be found when it asks for them. The same name
 * at another tenant has another, and without the root secret nobody can try names. A new root secret gives new hashes:
 * rows of before are then found by nobody's name any more.
 */
export class UserHashes {
  readonly #vault: Vault
  #mac: CryptoKey | undefined
  readonly #known = new Lru<string>({ maxEntries: MAX_KNOWN, maxBytes: MAX_KNOWN, ownerShare: 0.5 })

  constructor(vault: Vault) {
    this.#vault = vault
  }

  /** @param user the field exactly as the caller sent it, well-formed and not empty: an empty one names nobody */
  async of(tenantId: string, user: string): Promise<string> {
    const text = lengthPrefixed([VERSION, tenantId, user])
    const known = this.#known.get(text)
    if (known !== undefined) return known
    this.#mac ??= await this.#vault.macKey('user-hash')
    const hash = toBase64Url(new Uint8Array(await crypto.subtle.sign('HMAC', this.#mac, utf8(text))))
    if (text.length <= MAX_KNOWN_LENGTH) this.#known.set(text, hash, 1, tenantId)
    return hash
  }
}
