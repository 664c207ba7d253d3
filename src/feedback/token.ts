import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from '../core/bytes.ts'
import { GatewayError } from '../core/errors.ts'
import type { Vault } from '../core/vault.ts'
import { UUID, UUID_V7 } from './prediction-id.ts'

const PREFIX = 'fbt_'
const VERSION = 1
const MAX_LENGTH = 512
/** What a page can rate as: the one who reads it. */
const SOURCE = 'user'

/** What a token allows: ratings of one prediction, by its reader, until it ends. */
export interface Grant {
  readonly tenantId: string
  readonly predictionId: string
  readonly source: typeof SOURCE
  readonly expiresAtS: number
}

export const isFeedbackToken = (text: string): boolean => text.startsWith(PREFIX)

/**
 * Tokens that a page can hold instead of a key: `fbt_`, what is granted, and its HMAC-SHA-256 under a key of the
 * gateway's own. Nothing is stored, so a token ends only with its time.
 */
export class FeedbackTokens {
  readonly #vault: Vault
  #key: CryptoKey | undefined

  constructor(vault: Vault) {
    this.#vault = vault
  }

  /** @param expiresAtS seconds since the epoch, whole */
  async mint(tenantId: string, predictionId: string, expiresAtS: number): Promise<string> {
    const payload = toBase64Url(utf8(JSON.stringify([VERSION, tenantId, predictionId, expiresAtS, SOURCE])))
    return `${PREFIX}${payload}.${toBase64Url(await this.#mac(payload))}`
  }

  /** @throws GatewayError `invalid_api_key` for what was not made here, was changed, or has ended */
  async open(token: string, nowMs: number): Promise<Grant> {
    const [payload = '', mac = '', ...rest] = token.slice(PREFIX.length).split('.')
    if (!isFeedbackToken(token) || token.length > MAX_LENGTH || rest.length > 0) throw notOurs()
    if (!equal(toBase64Url(await this.#mac(payload)), mac)) throw notOurs()
    const grant = readGrant(payload)
    if (grant.expiresAtS * 1_000 <= nowMs)
      throw new GatewayError('invalid_api_key', 'This feedback token has expired.', RENEW)
    return grant
  }

  async #mac(payload: string): Promise<Uint8Array> {
    this.#key ??= await this.#vault.macKey('feedback-token')
    return new Uint8Array(await crypto.subtle.sign('HMAC', this.#key, utf8(PREFIX + payload)))
  }
}

/** Of a payload whose MAC was right; another version of the gateway may have made it. */
function readGrant(payload: string): Grant {
  const parts: unknown = JSON.parse(fromUtf8(fromBase64Url(payload)))
  if (!Array.isArray(parts) || parts.length !== 5) throw notOurs()
  const [version, tenantId, predictionId, expiresAtS, source] = parts as unknown[]
  if (version !== VERSION || source !== SOURCE) throw notOurs()
  if (typeof tenantId !== 'string' || !UUID.test(tenantId)) throw notOurs()
  if (typeof predictionId !== 'string' || !UUID_V7.test(predictionId)) throw notOurs()
  if (typeof expiresAtS !== 'number' || !Number.isSafeInteger(expiresAtS)) throw notOurs()
  return { tenantId, predictionId, source, expiresAtS }
}

/** In a time that does not tell where they differ. */
function equal(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}

const RENEW = 'Get a new one from the server that showed the answer: POST /api/feedback/token.'

const notOurs = () => new GatewayError('invalid_api_key', 'This feedback token is not valid.', RENEW)
