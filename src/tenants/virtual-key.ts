import { toBase64Url, utf8 } from '../core/bytes.ts'
import { crc32 } from '../core/crc32.ts'

const PREFIX = 'bm_live_'
const SHAPE = /^bm_live_[A-Za-z0-9_-]{43}[0-9a-f]{8}$/
const SECRET_LENGTH = 43

/** A new virtual key: `bm_live_`, 32 random bytes as base64url, and a checksum of those (8 hex digits). */
export function createVirtualKey(random: Uint8Array = crypto.getRandomValues(new Uint8Array(32))): string {
  const secret = toBase64Url(random)
  return `${PREFIX}${secret}${crc32(secret)}`
}

/** Whether the text can be a key at all: a typing error is told apart without asking any store. */
export function isVirtualKey(text: string): boolean {
  if (!SHAPE.test(text)) return false
  const secret = text.slice(PREFIX.length, PREFIX.length + SECRET_LENGTH)
  return text.endsWith(crc32(secret))
}

/** The last four characters, by which a person tells keys apart. */
export const keyHint = (key: string): string => key.slice(-4)

/** Turns a key into the digest under which it is stored: HMAC-SHA-256 under the pepper, base64url. */
export class KeyDigest {
  readonly #pepper: string
  #key: CryptoKey | undefined

  constructor(pepper: string) {
    this.#pepper = pepper
  }

  async of(key: string): Promise<string> {
    this.#key ??= await crypto.subtle.importKey(
      'raw',
      utf8(this.#pepper),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['sign'],
    )
    return toBase64Url(new Uint8Array(await crypto.subtle.sign('HMAC', this.#key, utf8(key))))
  }
}
