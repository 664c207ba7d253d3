import { GatewayError } from '../core/errors.ts'
import { SYSTEM_TENANT_ID } from '../models/registry.ts'
import type { KeyedHashes } from './keyed-hashes.ts'
import type { EndUser, ExportRow, PrivacyStore } from './privacy-store.ts'

export interface PrivacyParts {
  readonly store: PrivacyStore
  readonly hashes: KeyedHashes
  readonly now: () => number
  /** Has the tenant's account drop what it holds, and whatever comes later. */
  readonly eraseAccount: (tenantId: string) => Promise<void>
  /** Takes the copy of a key's record out of the shared store. */
  readonly removeKeyRecord: (digest: string) => Promise<void>
  /** The tenant has changed, so that what is remembered of it here is wrong. */
  readonly forget: (tenantId: string) => void
}

/** How far one call of an erasure came. */
export interface Erasure {
  /** Otherwise the same call goes on. */
  readonly complete: boolean
  /** Rows by table. */
  readonly removed: Readonly<Record<string, number>>
}

/** Of calls to stores by one call: the platform's smallest plan allows a request 50. */
const MAX_CALLS = 40
/** After so long a call begins nothing more, so that whoever waits for it is told how far it came. */
const MAX_MS = 15_000
const KEY_LOT = 10

/**
 * Hands over, and erases, everything that is kept of one tenant or of one of its users. An erasure that breaks off is
 * ended by the next one: the tenant's own row, by which it is found, is the last to go.
 */
export class Privacy {
  readonly #parts: PrivacyParts

  constructor(parts: PrivacyParts) {
    this.#parts = parts
  }

  /** Page by page, each as lines of JSON; the last line says that nothing is missing. */
  async *export(tenantId: string, userName: string | undefined): AsyncGenerator<string, void> {
    const user = await this.#user(tenantId, userName)
    let rows = 0
    let last: ExportRow | undefined
    for (;;) {
      const page = await this.#parts.store.page(tenantId, user, last)
      last = page.at(-1)
      if (!last) break
      rows += page.length
      yield page.map(toLine).join('')
    }
    yield `${JSON.stringify({ complete: true, rows })}\n`
  }

  /** @throws GatewayError `conflict` for the system's tenant */
  async eraseTenant(tenantId: string): Promise<Erasure> {
    if (tenantId === SYSTEM_TENANT_ID) throw systemTenant()
    const { store, eraseAccount } = this.#parts
    const work = new Work(this.#parts.now)
    // First of all nothing may be added any more.
    await store.close(tenantId)
    this.#parts.forget(tenantId)
    await eraseAccount(tenantId)
    let hasKeys = true
    while (hasKeys) {
      if (!work.allows(KEY_LOT + 2)) return work.soFar()
      const keys = await store.keys(tenantId, KEY_LOT)
      // Where that fails, the record is believed for a minute, as after any revocation.
      await Promise.all(keys.map(({ digest }) => this.#parts.removeKeyRecord(digest).catch(() => {})))
      await store.dropKeys(keys.map(({ id }) => id))
      work.count('virtual_keys', keys.length)
      hasKeys = keys.length === KEY_LOT
    }
    while (work.allows(1)) {
      const removed = await store.eraseTenant(tenantId)
      for (const [table, rows] of removed) work.count(table, rows)
      const isOver = removed.get('tenants') !== 0 || [...removed.values()].every((rows) => rows === 0)
      if (isOver) return work.done()
    }
    return work.soFar()
  }

  /** The user's requests stay in the totals, as nobody's. All cached answers of the tenant go: whose they are shows nowhere. */
  async eraseUser(tenantId: string, userName: string): Promise<Erasure> {
    const { store, hashes } = this.#parts
    const user = { name: userName, hash: await hashes.of(tenantId, userName) }
    const work = new Work(this.#parts.now)
    await store.noteErasedUser(tenantId, user)
    let isGone = false
    while (!isGone && work.allows(1)) {
      const removed = await store.eraseUser(tenantId, user)
      work.count('ml_predictions', removed)
      isGone = removed === 0
    }
    while (isGone && work.allows(1)) {
      const { removed, isEmpty } = await store.clearCache(tenantId)
      work.count('llm_cache', removed)
      if (!isEmpty) continue
      this.#parts.forget(tenantId)
      return work.done()
    }
    return work.soFar()
  }

  async #user(tenantId: string, name: string | undefined): Promise<EndUser | undefined> {
    return name === undefined ? undefined : { name, hash: await this.#parts.hashes.of(tenantId, name) }
  }
}

/** What one call does, within its bounds. */
class Work {
  readonly #now: () => number
  readonly #endMs: number
  readonly #removed: Record<string, number> = {}
  #calls = 0

  constructor(now: () => number) {
    this.#now = now
    this.#endMs = now() + MAX_MS
  }

  /** Whether so many calls may still be made; if so, they are counted as made. */
  allows(calls: number): boolean {
    if (this.#calls + calls > MAX_CALLS || this.#now() >= this.#endMs) return false
    this.#calls += calls
    return true
  }

  count(table: string, rows: number): void {
    if (rows > 0) this.#removed[table] = (this.#removed[table] ?? 0) + rows
  }

  done(): Erasure {
    return { complete: true, removed: this.#removed }
  }

  soFar(): Erasure {
    return { complete: false, removed: this.#removed }
  }
}

/** The record goes through as the database wrote it, digit by digit. */
const toLine = ({ section, at, record_id, record }: ExportRow): string =>
  `${JSON.stringify({ section, at, id: record_id }).slice(0, -1)},"record":${record}}\n`

const systemTenant = () =>
  new GatewayError(
    'conflict',
    'This tenant holds the public models, and cannot be erased.',
    'Disable or remove single models with npm run models; one of its users can be erased.',
    { param: 'tenant' },
  )
