import { type Clock, type WaitUntil, withDeadline } from '../core/clock.ts'
import { Lru } from '../core/lru.ts'
import type { BadRow, CustomModel, LoadedRegistry, ModelAlias, ModelStore, ProviderKey } from './registry.ts'

/** A tenant's registry as an isolate knows it. Keys are in it only as they lie in the database. */
export interface ModelSnapshot {
  readonly models: readonly CustomModel[]
  readonly aliases: readonly ModelAlias[]
  readonly providerKeys: readonly ProviderKey[]
  /** False while nothing could be loaded: a name that is not here may still exist. */
  readonly known: boolean
}

/** What went wrong, for the log: no values. */
export type RegistryTrouble =
  | { readonly kind: 'bad_row'; readonly row: BadRow }
  | { readonly kind: 'load_failed' | 'refused'; readonly tenantId: string; readonly cause: string }

export interface RegistryCacheOptions {
  readonly clock: Clock
  readonly store: Pick<ModelStore, 'load'>
  readonly report: (trouble: RegistryTrouble) => void
}

/** How long a snapshot is believed. For as long again it serves while a new one is loaded behind it. */
const FRESH_MS = 30_000
const GRACE_MS = 30_000
const RETRY_MS = 5_000
const LOAD_DEADLINE_MS = 2_000
/** A request that has a last good snapshot waits no longer for a newer one. */
const RELOAD_DEADLINE_MS = 300
const MAX_ROWS = 1_500
const MAX_SNAPSHOT_LENGTH = 4_000_000
const MAX_TENANTS = 5_000
const MAX_BYTES = 16_000_000

const NOTHING: ModelSnapshot = { models: [], aliases: [], providerKeys: [], known: false }

interface Held {
  readonly snapshot: ModelSnapshot
  /** When the store confirmed it. */
  readonly loadedAtMs: number
  /** No earlier than this is the store asked again. */
  readonly retryAtMs: number
  readonly bytes: number
  /** How many changes had been made here when it was asked for. */
  readonly asOf: number
}

/** Stands in `loadedAtMs` where the rows were changed here since. */
const CHANGED = 0
const OUTDATED = { loadedAtMs: CHANGED, retryAtMs: 0 }

/**
 * Each tenant's models in isolate memory. What cannot be loaded, or is not as it must be, changes nothing: the last
 * good snapshot goes on serving, whole or row by row, and the operator is told.
 */
export class RegistryCache {
  readonly #options: RegistryCacheOptions
  readonly #held = new Lru<Held>({ maxEntries: MAX_TENANTS, maxBytes: MAX_BYTES, ownerShare: 1 })
  /** Made through this isolate. */
  #changes = 0
  /** What is older than this change is of no use to anybody. */
  #lastForAll = 0

  constructor(options: RegistryCacheOptions) {
    this.#options = options
  }

  /** Never rejects. */
  async of(tenantId: string, waitUntil: WaitUntil): Promise<ModelSnapshot> {
    const now = this.#options.clock.now()
    const held = this.#lookUp(tenantId)
    if (held && (now < held.loadedAtMs + FRESH_MS || now < held.retryAtMs)) return held.snapshot
    if (!held) return this.#load(tenantId, undefined)
    // Whoever else comes meanwhile gets what there is.
    this.#hold(tenantId, { ...held, retryAtMs: now + RETRY_MS, asOf: this.#changes })
    const loading = this.#load(tenantId, held)
    if (!held.snapshot.known || held.loadedAtMs === CHANGED) return loading
    // Whatever becomes of this request: a store that is only slow must not leave the next one with what is old, too.
    waitUntil(loading)
    if (now < held.loadedAtMs + FRESH_MS + GRACE_MS) return held.snapshot
    return withDeadline(this.#options.clock, RELOAD_DEADLINE_MS, loading).catch(() => held.snapshot)
  }

  /** The tenant's rows were changed here: its next request looks at them anew. */
  expire(tenantId: string): void {
    this.#changes += 1
    const held = this.#held.get(tenantId)
    if (held) this.#hold(tenantId, { ...held, ...OUTDATED })
  }

  /** What was changed here may matter to every tenant. */
  expireAll(): void {
    this.#changes += 1
    this.#lastForAll = this.#changes
  }

  #lookUp(tenantId: string): Held | undefined {
    const held = this.#held.get(tenantId)
    return held && held.asOf < this.#lastForAll ? { ...held, ...OUTDATED } : held
  }

  async #load(tenantId: string, last: Held | undefined): Promise<ModelSnapshot> {
    const { clock, store, report } = this.#options
    const asOf = this.#changes
    try {
      const loaded = await withDeadline(clock, LOAD_DEADLINE_MS, store.load(tenantId))
      for (const row of loaded.bad) report({ kind: 'bad_row', row })
      const snapshot = withLastGood(tenantId, loaded, last?.snapshot)
      const bytes = JSON.stringify(snapshot).length
      const problem = refusal(snapshot, bytes)
      if (problem === undefined) {
        // What was read while something was changed may be from before the change.
        const loadedAtMs = asOf === this.#changes ? clock.now() : CHANGED
        this.#hold(tenantId, { snapshot, loadedAtMs, retryAtMs: 0, bytes, asOf: this.#changes })
        return snapshot
      }
      report({ kind: 'refused', tenantId, cause: problem })
    } catch (error) {
      report({ kind: 'load_failed', tenantId, cause: error instanceof Error ? error.name : 'unknown' })
    }
    const { snapshot, loadedAtMs, bytes } = last ?? { snapshot: NOTHING, loadedAtMs: CHANGED, bytes: 1 }
    const retryAtMs = clock.now() + RETRY_MS
    this.#hold(tenantId, { snapshot, loadedAtMs, bytes, retryAtMs, asOf: this.#changes })
    return snapshot
  }

  #hold(tenantId: string, held: Held): void {
    this.#held.set(tenantId, held, held.bytes, '')
  }
}

/** The rows that came, and for each that came damaged the one that was good before. */
function withLastGood(
  tenantId: string,
  loaded: LoadedRegistry,
  last: ModelSnapshot | undefined,
): ModelSnapshot {
  const { models, aliases, providerKeys, bad } = loaded
  const damaged = new Set(bad.map(({ table, id }) => `${table} ${id}`))
  const kept = <T extends { readonly id: string }>(
    table: BadRow['table'],
    rows: readonly T[],
  ): readonly T[] => rows.filter(({ id }) => damaged.has(`${table} ${id}`))
  const all = [...models, ...kept('custom_models', last?.models ?? [])]
  const isOwn = (model: CustomModel) => model.tenantId === tenantId
  return {
    models: [...all.filter(isOwn), ...all.filter((model) => !isOwn(model))],
    aliases: [...aliases, ...kept('model_aliases', last?.aliases ?? [])],
    providerKeys: [...providerKeys, ...kept('provider_keys', last?.providerKeys ?? [])],
    known: true,
  }
}

/** Why a snapshot is not believed: much more than a tenant can have, or the same row twice. */
function refusal({ models, aliases, providerKeys }: ModelSnapshot, bytes: number): string | undefined {
  const ids = [...models, ...aliases, ...providerKeys].map(({ id }) => id)
  if (ids.length > MAX_ROWS || bytes > MAX_SNAPSHOT_LENGTH) return 'too large'
  return new Set(ids).size === ids.length ? undefined : 'rows come twice'
}
