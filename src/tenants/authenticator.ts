import { Breaker } from '../core/breaker.ts'
import { type Clock, type WaitUntil, withDeadline } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { Lru } from '../core/lru.ts'
import { GuessGuard } from './guess-guard.ts'
import type { Caller } from './tenant.ts'
import { isVirtualKey, type KeyDigest } from './virtual-key.ts'

/** A caller as the directory knew it at `verifiedAtMs`. */
export interface KeyRecord {
  readonly caller: Caller
  readonly verifiedAtMs: number
}

/** The truth about keys. Answers `undefined` for a key that is unknown, revoked or expired. */
export interface KeyDirectory {
  find(digest: string): Promise<Caller | undefined>
}

/** A shared, possibly stale copy of key records. A record that cannot be trusted is `undefined`. */
export interface KeyRecordStore {
  get(digest: string): Promise<KeyRecord | undefined>
  put(digest: string, record: KeyRecord): Promise<void>
}

export interface AuthenticatorOptions {
  readonly clock: Clock
  readonly digest: KeyDigest
  readonly directory: KeyDirectory
  readonly store: KeyRecordStore
  /** Notes that a key was used; may reject. */
  readonly noteUse?: (keyId: string, atMs: number) => Promise<void>
}

/** How long an isolate believes its own copy. */
const MEMORY_MS = 30_000
/** How old a shared copy may be, counted from when the directory confirmed it. With the above: 90 s. */
const FRESH_MS = 60_000
/** How old a copy may be while the directory cannot be asked. */
const STALE_MS = 15 * 60_000
const UNKNOWN_MS = 5_000
/** How long a stale copy serves before the directory is tried again. */
const STALE_RECHECK_MS = 5_000
const STORE_DEADLINE_MS = 40
const DIRECTORY_DEADLINE_MS = 2_000
const MAX_KEYS = 20_000
/** How often an isolate notes that a key is in use. */
const USE_NOTED_MS = 60 * 60_000

interface Remembered {
  readonly record: KeyRecord | undefined
  readonly untilMs: number
}

/**
 * Finds out who calls: isolate memory, then the shared store, then the directory. A directory in trouble is
 * never taken for an unknown key: known callers go on for 15 minutes, others are told to come back.
 * A revoked key takes the same way as one that never existed, so that time tells nobody which it was.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions
  readonly #memory = new Lru<Remembered>({ maxEntries: MAX_KEYS, maxBytes: MAX_KEYS, ownerShare: 1 })
  readonly #guesses = new GuessGuard()
  readonly #directoryBreaker = new Breaker()
  readonly #storeBreaker = new Breaker()
  /** By key: from when on its use is to be noted again. */
  readonly #usedMs = new Map<string, number>()
  /** By tenant: copies from before then are not believed. */
  readonly #forgottenMs = new Map<string, number>()

  constructor(options: AuthenticatorOptions) {
    this.#options = options
  }

  /**
   * @param key what the caller presented
   * @param client the caller's address, for the limit on guesses
   * @throws GatewayError `invalid_api_key`, `too_many_guesses`, or `store_unavailable`; never a 401 for a
   * store's failure
   */
  async authenticate(key: string, client: string, waitUntil: WaitUntil): Promise<Caller> {
    const now = this.#options.clock.now()
    const remembered = this.#memory.get(key)
    const known = this.#isBelieved(remembered?.record) ? remembered : undefined
    if (known && known.untilMs > now) return this.#accept(known.record, now, waitUntil)
    if (!isVirtualKey(key)) throw invalidKey()

    const digest = await this.#options.digest.of(key)
    const shared = await this.#readStore(digest)
    const copy = newer(known?.record, this.#isBelieved(shared) ? shared : undefined)
    if (copy && now - copy.verifiedAtMs < FRESH_MS)
      return this.#remember(key, copy, now + MEMORY_MS, now, waitUntil)

    if (!copy) this.#guesses.check(client, now)
    let caller: Caller | undefined
    try {
      caller = await this.#ask(digest)
    } catch (cause) {
      if (copy && now - copy.verifiedAtMs < STALE_MS)
        return this.#remember(key, copy, now + STALE_RECHECK_MS, now, waitUntil)
      throw unavailable(cause)
    }
    if (!caller) {
      this.#guesses.missed(client, now)
      return this.#remember(key, undefined, now + UNKNOWN_MS, now, waitUntil)
    }
    const record = { caller, verifiedAtMs: now }
    waitUntil(this.#options.store.put(digest, record).catch(() => {}))
    return this.#remember(key, record, now + MEMORY_MS, now, waitUntil)
  }

  /** The tenant has changed in the directory. Other isolates find out within 90 s. */
  forget(tenantId: string): void {
    this.#forgottenMs.set(tenantId, this.#options.clock.now())
  }

  #isBelieved(record: KeyRecord | undefined): boolean {
    if (!record || this.#forgottenMs.size === 0) return true
    return record.verifiedAtMs > (this.#forgottenMs.get(record.caller.tenant.id) ?? Number.NEGATIVE_INFINITY)
  }

  #remember(
    key: string,
    record: KeyRecord | undefined,
    untilMs: number,
    now: number,
    waitUntil: WaitUntil,
  ): Caller {
    this.#memory.set(key, { record, untilMs }, 1, '')
    return this.#accept(record, now, waitUntil)
  }

  #accept(record: KeyRecord | undefined, now: number, waitUntil: WaitUntil): Caller {
    if (!record) throw invalidKey()
    const { caller } = record
    if (caller.expiresAtMs !== null && caller.expiresAtMs <= now) throw invalidKey()
    if (now >= (this.#usedMs.get(caller.keyId) ?? 0)) this.#noteUse(caller.keyId, now, waitUntil)
    return caller
  }

  /** Once an hour, whatever comes of it: that a key is in use is worth no second try. */
  #noteUse(keyId: string, now: number, waitUntil: WaitUntil): void {
    const { noteUse } = this.#options
    if (!noteUse) return
    if (this.#usedMs.size >= MAX_KEYS) this.#usedMs.clear()
    this.#usedMs.set(keyId, now + USE_NOTED_MS)
    waitUntil(noteUse(keyId, now).catch(() => {}))
  }

  /** The shared copy; a store in trouble is one that knows nothing. */
  async #readStore(digest: string): Promise<KeyRecord | undefined> {
    const { clock, store } = this.#options
    return guarded(clock, this.#storeBreaker, STORE_DEADLINE_MS, () => store.get(digest)).catch(
      () => undefined,
    )
  }

  #ask(digest: string): Promise<Caller | undefined> {
    const { clock, directory } = this.#options
    return guarded(clock, this.#directoryBreaker, DIRECTORY_DEADLINE_MS, () => directory.find(digest))
  }
}

async function guarded<T>(
  clock: Clock,
  breaker: Breaker,
  deadlineMs: number,
  call: () => Promise<T>,
): Promise<T> {
  if (!breaker.allows(clock.now())) throw new Error('the breaker is open')
  try {
    const value = await withDeadline(clock, deadlineMs, call())
    breaker.success()
    return value
  } catch (cause) {
    breaker.failure(clock.now())
    throw cause
  }
}

const newer = (a: KeyRecord | undefined, b: KeyRecord | undefined): KeyRecord | undefined =>
  !a || (b && b.verifiedAtMs > a.verifiedAtMs) ? b : a

const invalidKey = () =>
  new GatewayError(
    'invalid_api_key',
    'This API key is not known, or it is no longer valid.',
    'Check the key in your client for typing errors, or ask whoever runs this gateway for a new one.',
  )

const unavailable = (cause: unknown) =>
  new GatewayError(
    'store_unavailable',
    'The API key could not be checked, because the key directory does not answer.',
    'Try again after the time given in Retry-After; nothing is wrong with your key or request.',
    { cause, retryAfterSeconds: 5 },
  )
