import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from '../core/bytes.ts'
import { GatewayError } from '../core/errors.ts'
import { lengthPrefixed } from '../core/vault.ts'
import { badKek, KEK_BYTES } from './keks.ts'

/** A provider key as it lies in the database. */
export interface SealedKey {
  /** `api_key_encrypted`: `v2.kid.wrappedKey.ciphertext`, the last two as base64url. */
  readonly encrypted: string
  /** `api_key_iv`, base64url. */
  readonly iv: string
}

/** The row that a sealed key belongs to: moved to another one, it does not open. */
export interface KeyPlace {
  readonly table: string
  readonly rowId: string
  readonly tenantId: string
}

const FORMAT = 'v2'
const KID = /^\w{1,32}$/
const IV_BYTES = 12
const DATA_KEY_BYTES = 32
/** The data key, and the 64 bits by which RFC 3394 tells whether it is whole. */
const WRAPPED_BYTES = 40
const DATA_KEY = 'AES-GCM'

interface Envelope {
  readonly kid: string
  readonly wrapped: Uint8Array<ArrayBuffer>
  /** As it is stored. */
  readonly ciphertext: string
}

/**
 * Seals provider keys in envelopes: each under its own random data key (AES-256-GCM, bound to its row), the data key
 * wrapped (AES-KW) under a key encryption key, the KEK. Rotating a KEK wraps data keys anew and touches no ciphertext.
 */
export class KeyBox {
  readonly #keks: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  readonly #currentKid: string
  // Imported keys are values, so they may outlive a request.
  readonly #imported = new Map<string, CryptoKey>()

  /**
   * @param keks 32 random bytes each, by the name of the secret that holds them, their `kid`
   * @param currentKid what is sealed from now on is wrapped under
   * @throws GatewayError `misconfigured`
   */
  constructor(keks: ReadonlyMap<string, Uint8Array<ArrayBuffer>>, currentKid: string) {
    for (const [kid, bytes] of keks) {
      if (!KID.test(kid) || bytes.length !== KEK_BYTES) throw badKek(kid, `is not ${KEK_BYTES} bytes`)
    }
    if (!keks.has(currentKid)) throw badKek(currentKid, 'is not set')
    this.#keks = new Map(keks)
    this.#currentKid = currentKid
  }

  async seal(place: KeyPlace, apiKey: string): Promise<SealedKey> {
    const bytes = crypto.getRandomValues(new Uint8Array(DATA_KEY_BYTES))
    const dataKey = await crypto.subtle.importKey('raw', bytes, DATA_KEY, true, ['encrypt'])
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
    const algorithm = { name: 'AES-GCM', iv, additionalData: boundTo(place) }
    const ciphertext = await crypto.subtle.encrypt(algorithm, dataKey, utf8(apiKey))
    return {
      encrypted: await this.#envelope(dataKey, toBase64Url(new Uint8Array(ciphertext))),
      iv: toBase64Url(iv),
    }
  }

  /** @throws GatewayError `key_unreadable`, saying which case it is and nothing of the key */
  async open(place: KeyPlace, sealed: SealedKey): Promise<string> {
    const envelope = readEnvelope(sealed.encrypted)
    const kek = await this.#kek(envelope.kid)
    try {
      const iv = fromBase64Url(sealed.iv)
      const dataKey = await unwrap(envelope, kek, false)
      const algorithm = { name: 'AES-GCM', iv, additionalData: boundTo(place) }
      const text = await crypto.subtle.decrypt(algorithm, dataKey, fromBase64Url(envelope.ciphertext))
      return fromUtf8(new Uint8Array(text))
    } catch {
      throw damaged()
    }
  }

  /**
   * Wraps the data key under the current KEK. Ciphertext and IV stay as they are.
   * @returns undefined when it is wrapped so already
   * @throws GatewayError `key_unreadable`
   */
  async rewrap(sealed: SealedKey): Promise<SealedKey | undefined> {
    const envelope = readEnvelope(sealed.encrypted)
    if (envelope.kid === this.#currentKid) return undefined
    const kek = await this.#kek(envelope.kid)
    const dataKey = await unwrap(envelope, kek, true).catch(() => {
      throw damaged()
    })
    return { encrypted: await this.#envelope(dataKey, envelope.ciphertext), iv: sealed.iv }
  }

  async #envelope(dataKey: CryptoKey, ciphertext: string): Promise<string> {
    const kid = this.#currentKid
    const wrapped = await crypto.subtle.wrapKey('raw', dataKey, await this.#kek(kid), 'AES-KW')
    return [FORMAT, kid, toBase64Url(new Uint8Array(wrapped)), ciphertext].join('.')
  }

  async #kek(kid: string): Promise<CryptoKey> {
    const known = this.#imported.get(kid)
    if (known) return known
    const bytes = this.#keks.get(kid)
    if (!bytes) throw unknownVersion(kid)
    const key = await crypto.subtle.importKey('raw', bytes, 'AES-KW', false, ['wrapKey', 'unwrapKey'])
    this.#imported.set(kid, key)
    return key
  }
}

const boundTo = ({ table, rowId, tenantId }: KeyPlace) => utf8(lengthPrefixed([table, rowId, tenantId]))

const unwrap = ({ wrapped }: Envelope, kek: CryptoKey, extractable: boolean): Promise<CryptoKey> =>
  // A key that may not encrypt can still be wrapped again.
  crypto.subtle.unwrapKey('raw', wrapped, kek, 'AES-KW', DATA_KEY, extractable, ['decrypt'])

function readEnvelope(text: string): Envelope {
  const [format, kid = '', wrappedText = '', ciphertext = '', ...more] = text.split('.')
  if (format !== FORMAT || !KID.test(kid) || more.length > 0) throw damaged()
  let wrapped: Uint8Array<ArrayBuffer>
  try {
    wrapped = fromBase64Url(wrappedText)
  } catch {
    throw damaged()
  }
  if (wrapped.length !== WRAPPED_BYTES) throw damaged()
  return { kid, wrapped, ciphertext }
}

const unknownVersion = (kid: string) =>
  new GatewayError(
    'key_unreadable',
    `A stored provider key is sealed under the secret ${kid}, which this gateway does not have.`,
    `Ask whoever runs this gateway to set ${kid} again, and to remove it only after "npm run models -- rotate-keys" has ended.`,
  )

// That nothing was decrypted is all there is to say: the reason in detail would help only who tries.
const damaged = () =>
  new GatewayError(
    'key_unreadable',
    'A stored provider key does not belong to its row, or is damaged.',
    'Enter the key of this model or provider anew.',
  )
