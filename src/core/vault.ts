import { fromBase64Url, toBase64Url, utf8 } from './bytes.ts'
import { Lru } from './lru.ts'
import { randomBytes } from './random.ts'

const IV_BYTES = 12
const decoder = new TextDecoder()

/**
 * Seals text for one tenant and one purpose: AES-256-GCM under HKDF(root, purpose, tenant, epoch), with
 * the place it is meant for as additional data. A flipped bit, a foreign value or another epoch does not open.
 */
export class Vault {
  readonly #rootSecret: Uint8Array<ArrayBuffer>
  #root: CryptoKey | undefined
  // Derived keys are values, so they may outlive a request; a promise of one may not.
  readonly #keys = new Lru<CryptoKey>({ maxEntries: 1_000, maxBytes: 1_000, ownerShare: 1 })

  /** @param rootSecret at least 32 random bytes */
  constructor(rootSecret: Uint8Array<ArrayBuffer>) {
    if (rootSecret.length < 32) throw new RangeError('the root secret needs at least 32 bytes')
    this.#rootSecret = rootSecret
  }

  /** @param owner whose key is used: purpose, tenant, epoch. @param place what the text is bound to */
  async seal(owner: readonly string[], place: string, text: string): Promise<string> {
    const key = await this.#key(owner)
    const iv = randomBytes(IV_BYTES)
    const sealed = await crypto.subtle.encrypt(
      { name: 'AES-GCM', iv, additionalData: utf8(place) },
      key,
      utf8(text),
    )
    // 12 bytes are 16 characters without padding, so the two texts joined are the text of both.
    return toBase64Url(iv) + toBase64Url(new Uint8Array(sealed))
  }

  /** @throws when the text was not sealed for this owner and place */
  async open(owner: readonly string[], place: string, sealed: string): Promise<string> {
    const whole = fromBase64Url(sealed)
    const iv = whole.subarray(0, IV_BYTES)
    const key = await this.#key(owner)
    const additionalData = utf8(place)
    const text = await crypto.subtle.decrypt(
      { name: 'AES-GCM', iv, additionalData },
      key,
      whole.subarray(IV_BYTES),
    )
    return decoder.decode(text)
  }

  /** A key for HMAC-SHA-256 that belongs to one purpose. */
  async macKey(purpose: string): Promise<CryptoKey> {
    const hmac = { name: 'HMAC', hash: 'SHA-256', length: 256 }
    return crypto.subtle.deriveKey(hkdf([purpose]), await this.#rootKey(), hmac, false, ['sign'])
  }

  #key(owner: readonly string[]): CryptoKey | Promise<CryptoKey> {
    const name = lengthPrefixed(owner)
    return this.#keys.get(name) ?? this.#derive(owner, name)
  }

  async #derive(owner: readonly string[], name: string): Promise<CryptoKey> {
    const aes = { name: 'AES-GCM', length: 256 }

    const key = await crypto.subtle.deriveKey(hkdf(owner), await this.#rootKey(), aes, false, [
      'encrypt',
      'decrypt',
    ])
    this.#keys.set(name, key, 1, '')
    return key
  }

  async #rootKey(): Promise<CryptoKey> {
    this.#root ??= await crypto.subtle.importKey('raw', this.#rootSecret, 'HKDF', false, ['deriveKey'])
    return this.#root
  }
}

const hkdf = (owner: readonly string[]) => ({
  name: 'HKDF',
  hash: 'SHA-256',
  salt: new Uint8Array(),
  info: utf8(lengthPrefixed(owner)),
})

/** Parts joined so that no two lists give the same text. */
export function lengthPrefixed(parts: readonly string[]): string {
  let text = ''
  for (const part of parts) text += `${part.length}:${part}`
  return text
}
