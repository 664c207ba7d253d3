import { toBase64Url, utf8 } from '../core/bytes.ts'
import { Lru } from '../core/lru.ts'
import { lengthPrefixed, type Vault } from '../core/vault.ts'

const VERSION = 'v1'
/** Users ask more than once, and making a hash takes a tenth of a hit. */
const MAX_KNOWN = 5_000
const MAX_KNOWN_LENGTH = 200

/** What is hashed: the request's `user` field, or what a model said. Each under a key of its own. */
export type HashPurpose = 'user-hash' | 'answer-hash'

/**
 * Turns text into what is stored of it (`ml_predictions.user_hash`, `answer_hash`): HMAC-SHA-256 over tenant and text, under
 * a key that is derived from the root secret; base64url, 43 characters.
 *
 * The same text of one tenant has one hash at all times, so that a user's rows can be found when it asks for them, and an
 * answer that changed is seen to have changed. At another tenant it has another, and without the root secret nobody can try
 * texts. A new root secret gives new hashes: rows of before are then found by nobody's name any more.
 */
export class KeyedHashes {
  readonly #vault: Vault
  readonly #purpose: HashPurpose
  #mac: CryptoKey | undefined
  readonly #known = new Lru<string>({ maxEntries: MAX_KNOWN, maxBytes: MAX_KNOWN, ownerShare: 0.5 })

  constructor(vault: Vault, purpose: HashPurpose) {
    this.#vault = vault
    this.#purpose = purpose
  }

  /** @param text well-formed and not empty; a user exactly as the caller sent it */
  async of(tenantId: string, text: string): Promise<string> {
    const whole = lengthPrefixed([VERSION, tenantId, text])
    const known = this.#known.get(whole)
    if (known !== undefined) return known
    this.#mac ??= await this.#vault.macKey(this.#purpose)
    const hash = toBase64Url(new Uint8Array(await crypto.subtle.sign('HMAC', this.#mac, utf8(whole))))
    if (whole.length <= MAX_KNOWN_LENGTH) this.#known.set(whole, hash, 1, tenantId)
    return hash
  }
}
