import { fromBase64Url, fromUtf8, utf8 } from '../core/bytes.ts'
import { isObject, type JsonObject } from '../core/json.ts'

export interface AccessOptions {
  /** The team's address, `https://team.cloudflareaccess.com`: who signs. */
  readonly team: string
  /** The tag of the application: whom it was signed for. */
  readonly audience: string
  readonly fetch: (url: string) => Promise<Response>
  readonly now: () => number
}

const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
/** A key that is not known is looked for, but not at every token that names one. */
const REFRESH_MS = 60_000
const BELIEVED_MS = 3_600_000
/** Clocks differ. */
const LEEWAY_S = 30

/**
 * Tells whether Cloudflare Access let somebody through: verifies the token that it adds to each request.
 * @see https://developers.cloudflare.com/cloudflare-one/access-controls/applications/http-apps/authorization-cookie/validating-json/
 */
export class AccessTokens {
  readonly #options: AccessOptions
  #keys: ReadonlyMap<string, CryptoKey> = new Map()
  #askedMs = Number.NEGATIVE_INFINITY

  constructor(options: AccessOptions) {
    this.#options = options
  }

  /** @returns until when it holds, milliseconds since the epoch; undefined where it does not */
  async verify(token: string): Promise<number | undefined> {
    const [head = '', body = '', signature = '', ...more] = token.split('.')
    const header = jsonOf(head)
    const claims = jsonOf(body)
    if (more.length > 0 || header?.alg !== 'RS256' || typeof header.kid !== 'string' || !claims)
      return undefined
    if (!this.#isForUs(claims)) return undefined
    const key = await this.#key(header.kid)
    const bytes = bytesOf(signature)
    const isSigned = key && bytes && (await crypto.subtle.verify(RSA, key, bytes, utf8(`${head}.${body}`)))
    return isSigned ? Number(claims.exp) * 1_000 : undefined
  }

  #isForUs({ iss, aud, exp, nbf }: JsonObject): boolean {
    const { team, audience, now } = this.#options
    const nowS = now() / 1_000
    const audiences = Array.isArray(aud) ? aud : [aud]
    return (
      iss === team &&
      audiences.includes(audience) &&
      typeof exp === 'number' &&
      exp > nowS &&
      (nbf === undefined || (typeof nbf === 'number' && nbf <= nowS + LEEWAY_S))
    )
  }

  async #key(kid: string): Promise<CryptoKey | undefined> {
    const { now } = this.#options
    const sinceMs = now() - this.#askedMs
    if (sinceMs > BELIEVED_MS || (sinceMs > REFRESH_MS && !this.#keys.has(kid))) {
      this.#askedMs = now()
      this.#keys = (await this.#published()) ?? this.#keys
    }
    return this.#keys.get(kid)
  }

  /** Undefined when the team's address does not answer: the keys that are known still hold. */
  async #published(): Promise<Map<string, CryptoKey> | undefined> {
    try {
      const response = await this.#options.fetch(`${this.#options.team}/cdn-cgi/access/certs`)
      const { keys } = (await response.json()) as { keys: readonly (JsonWebKey & { kid: string })[] }
      const imported = keys.map(
        async (key) => [key.kid, await crypto.subtle.importKey('jwk', key, RSA, false, ['verify'])] as const,
      )
      return new Map(await Promise.all(imported))
    } catch {
      return undefined
    }
  }
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return fromBase64Url(text)
  } catch {
    return undefined
  }
}

function jsonOf(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(fromUtf8(fromBase64Url(text)))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
