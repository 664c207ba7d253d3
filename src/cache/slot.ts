import { toBase64Url, utf8 } from '../core/bytes.ts'
import { canonical } from '../core/canonical.ts'
import type { JsonObject } from '../core/json.ts'
import { lengthPrefixed, type Vault } from '../core/vault.ts'
import type { Tenant } from '../tenants/tenant.ts'
import type { CacheEntry } from './entry.ts'
import { type CacheSlot, CorruptEntryError } from './tier.ts'

/**
 * The fields that cannot change an answer and so stay out of the key. All others are in it, known or not.
 * - `model`: stands in the key as the route and its revision
 * - `metadata`: labels for the provider's own log
 * - `prompt_cache_key`, `prompt_cache_retention`: where the provider keeps the prompt
 */
const LEFT_OUT = ['model', 'metadata', 'prompt_cache_key', 'prompt_cache_retention'] as const
const WITHOUT: ReadonlySet<string> = new Set(LEFT_OUT)
const WITHOUT_USER: ReadonlySet<string> = new Set([...LEFT_OUT, 'user'])

/** Raised when the canonical form or the entry's form changes: old entries are then never met again. */
const VERSION = 'v3'

/** What the answer is asked from: part of every key. */
export interface CacheRoute {
  readonly id: string
  readonly revision: string
}

/** Makes slots: the exact key of a request, and the seal of what lies under it. Holds key material only. */
export class SlotMaker {
  readonly #vault: Vault
  #mac: CryptoKey | undefined

  constructor(vault: Vault) {
    this.#vault = vault
  }

  /**
   * The request's text for its key. Also the door's judge of the body (see `canonical`), so it is made for
   * every request, cached or not.
   */
  canonical(tenant: Tenant, body: JsonObject): string {
    return canonical(body, tenant.cacheByUser ? WITHOUT : WITHOUT_USER)
  }

  async slot(tenant: Tenant, route: CacheRoute, canonicalBody: string): Promise<CacheSlot> {
    this.#mac ??= await this.#vault.macKey('exact-key')
    const preamble = lengthPrefixed([VERSION, tenant.id, String(tenant.epoch), route.id, route.revision])
    const digest = await crypto.subtle.sign('HMAC', this.#mac, utf8(preamble + canonicalBody))
    return new SealedSlot(this.#vault, tenant, toBase64Url(new Uint8Array(digest)))
  }
}

/** What stands sealed before the body, in a line of its own. */
type About = Pick<CacheEntry, 'origin' | 'askedAtMs' | 'tags'>

class SealedSlot implements CacheSlot {
  readonly id: string
  readonly tenantId: string
  readonly #vault: Vault
  readonly #tenant: Tenant
  // A slot lives as long as its request, so this promise is never shared between requests.
  #sealed: { entry: CacheEntry; text: Promise<string> } | undefined

  constructor(vault: Vault, tenant: Tenant, id: string) {
    this.id = id
    this.tenantId = tenant.id
    this.#vault = vault
    this.#tenant = tenant
  }

  seal(entry: CacheEntry): Promise<string> {
    if (this.#sealed?.entry !== entry) this.#sealed = { entry, text: this.#seal(entry) }
    return this.#sealed.text
  }

  async #seal({ kind, body, storedAtMs, expiresAtMs, ...about }: CacheEntry): Promise<string> {
    const head = `${VERSION}.${kind}.${storedAtMs}.${expiresAtMs}`
    const text = `${JSON.stringify(about satisfies About)}\n${body}`
    return `${head}.${await this.#vault.seal(this.#owner(), this.#place(head), text)}`
  }

  async open(sealed: string): Promise<CacheEntry> {
    try {
      const parts = sealed.split('.')
      const [version, kind, storedAt, expiresAt, ciphertext] = parts
      if (version !== VERSION || (kind !== 'json' && kind !== 'sse') || !ciphertext || parts.length > 5)
        throw new Error('form')
      // The head is part of what is authenticated, exactly as it stands.
      const head = parts.slice(0, 4).join('.')
      const text = await this.#vault.open(this.#owner(), this.#place(head), ciphertext)
      const line = text.indexOf('\n')
      return {
        kind,
        body: text.slice(line + 1),
        // Authenticated, so it is what was written.
        ...(JSON.parse(text.slice(0, line)) as About),
        storedAtMs: Number(storedAt),
        expiresAtMs: Number(expiresAt),
      }
    } catch (cause) {
      throw new CorruptEntryError('the stored value does not open here', { cause })
    }
  }

  #owner(): readonly string[] {
    return ['cache', this.#tenant.id, String(this.#tenant.epoch)]
  }

  #place(head: string): string {
    return lengthPrefixed([this.id, head])
  }
}
