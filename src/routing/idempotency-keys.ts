import type { SlotMaker } from '../cache/slot.ts'
import { toBase64Url, utf8 } from '../core/bytes.ts'
import { type Clock, withDeadline } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import { randomBytes } from '../core/random.ts'
import { lengthPrefixed, type Vault } from '../core/vault.ts'
import type { Tenant } from '../tenants/tenant.ts'
import { type Asked, type ClaimAnswer, LEASE_MS, type Outcome } from './idempotency.ts'

/** The durable owners, one a name, wherever they live. Every call may reject. */
export interface ClaimStore {
  claim(name: string, asked: Asked, waitMs: number): Promise<ClaimAnswer>
  renew(name: string, owner: string): Promise<boolean>
  finish(name: string, owner: string, outcome: Outcome): Promise<boolean>
  release(name: string, owner: string): Promise<void>
}

export interface IdempotencyParts {
  readonly clock: Clock
  readonly vault: Vault
  readonly slots: SlotMaker
  readonly store: ClaimStore
}

/** How long a request waits for another one with its key. */
export const WAIT_MS = 25_000
/** How long the owner of a key may take to say anything. */
const CALL_MS = 3_000
const RENEW_MS = LEASE_MS / 3
/** Pauses before each try to tell the outcome, and how long each may take: under 5 s in all, see `GRACE_MS`. */
const TELL_AFTER_MS = [0, 250, 1_000]
const TELL_MS = 1_200
const VERSION = 'v1'
const KEY = /^[\x21-\x7e]{1,255}$/

/** Makes of a caller's keys what may leave the isolate: names, fingerprints, sealed answers. */
export class IdempotencyKeys {
  readonly clock: Clock
  readonly #parts: IdempotencyParts
  #mac: CryptoKey | undefined

  constructor(parts: IdempotencyParts) {
    this.clock = parts.clock
    this.#parts = parts
  }

  /**
   * The key for one request. Two requests have one fingerprint when the exact cache would take them for the same,
   * asked of the same model.
   * @throws GatewayError `invalid_header`, and what `canonical` throws of the body
   */
  async of(tenant: Tenant, key: string, body: JsonObject): Promise<IdempotencyKey> {
    if (!KEY.test(key)) throw invalidKey()
    const model = typeof body.model === 'string' ? body.model : ''
    const form = this.#parts.slots.canonical(tenant, body)
    const name = await this.#digest([VERSION, 'name', tenant.id, key])
    const fingerprint = await this.#digest([VERSION, 'chat', tenant.id, model], form)
    return new IdempotencyKey(this.#parts, tenant, name, fingerprint)
  }

  async #digest(parts: readonly string[], more = ''): Promise<string> {
    this.#mac ??= await this.#parts.vault.macKey('idempotency')
    const digest = await crypto.subtle.sign('HMAC', this.#mac, utf8(lengthPrefixed(parts) + more))
    return toBase64Url(new Uint8Array(digest))
  }
}

/** One key in the hands of one request. */
export class IdempotencyKey {
  readonly #parts: IdempotencyParts
  readonly #tenant: Tenant
  readonly #name: string
  readonly #asked: Asked

  constructor(parts: IdempotencyParts, tenant: Tenant, name: string, fingerprint: string) {
    this.#parts = parts
    this.#tenant = tenant
    this.#name = name
    this.#asked = { fingerprint, owner: toBase64Url(randomBytes(16)) }
  }

  /**
   * Takes the key, or waits for who has it.
   * @throws GatewayError `store_unavailable`: without its owner nobody can say whether the key was spent
   */
  async claim(): Promise<ClaimAnswer> {
    const first = await this.#claim(0)
    return first.kind === 'running' ? this.#claim(WAIT_MS) : first
  }

  /** Tells the owner from time to time that this request is at work. @returns ends that */
  stayAlive(): () => void {
    const { clock, store } = this.#parts
    let cancel: () => void
    const beat = () => {
      // One that is lost leaves time for two more.
      store.renew(this.#name, this.#asked.owner).catch(() => {})
      cancel = clock.after(RENEW_MS, beat)
    }
    cancel = clock.after(RENEW_MS, beat)
    return () => cancel()
  }

  /** Never rejects: where the owner cannot be told, the lease runs out. */
  finish(outcome: Outcome): Promise<void> {
    return this.#tell((store) => store.finish(this.#name, this.#asked.owner, outcome))
  }

  /** Nothing was spent. Never rejects. */
  release(): Promise<void> {
    return this.#tell((store) => store.release(this.#name, this.#asked.owner))
  }

  async seal(form: 'json' | 'sse', error: (Outcome & { kind: 'answer' })['error'], body: string) {
    const sealed = await this.#parts.vault.seal(this.#owner(), this.#place(form, error), body)
    return { kind: 'answer', form, error, sealed } as const
  }

  /** @returns undefined for what does not open: damaged, or sealed before the tenant's epoch was raised */
  async open({ form, error, sealed }: Outcome & { kind: 'answer' }): Promise<string | undefined> {
    return this.#parts.vault.open(this.#owner(), this.#place(form, error), sealed).catch(() => undefined)
  }

  async #claim(waitMs: number): Promise<ClaimAnswer> {
    const { clock, store } = this.#parts
    try {
      return await withDeadline(clock, waitMs + CALL_MS, store.claim(this.#name, this.#asked, waitMs))
    } catch (cause) {
      // It may have been heard all the same.
      store.release(this.#name, this.#asked.owner).catch(() => {})
      throw unreachable(cause)
    }
  }

  async #tell(tell: (store: ClaimStore) => Promise<unknown>): Promise<void> {
    const { clock, store } = this.#parts
    for (const waitMs of TELL_AFTER_MS) {
      if (waitMs > 0) await new Promise<void>((resolve) => clock.after(waitMs, resolve))
      const isTold = await withDeadline(clock, TELL_MS, tell(store)).then(
        () => true,
        () => false,
      )
      if (isTold) return
    }
  }

  #owner(): readonly string[] {
    return ['idempotency', this.#tenant.id, String(this.#tenant.epoch)]
  }

  #place(form: string, error: string | undefined): string {
    return lengthPrefixed([VERSION, this.#name, this.#asked.fingerprint, form, error ?? ''])
  }
}

const invalidKey = () =>
  new GatewayError(
    'invalid_header',
    'The header Idempotency-Key is not 1 to 255 visible ASCII characters.',
    'Send a key that is new for each request and the same in its repeats, such as a UUID.',
    { param: 'Idempotency-Key' },
  )

const unreachable = (cause: unknown) =>
  new GatewayError(
    'store_unavailable',
    'Whether this Idempotency-Key was used before could not be looked up just now, so no model was asked.',
    'Try again with the same key after the time given in Retry-After.',
    { retryAfterSeconds: 5, cause },
  )
