import { GatewayError } from '../core/errors.ts'
import type { PurgeMarks } from '../tenants/tenant.ts'
import type { CacheChain } from './chain.ts'
import { markOf, type PurgeTarget } from './purge.ts'
import type { CachePlace, TierName } from './tier.ts'

/** How a purge was done. `none`: a slot without a mark of its own, because the tenant has too many. */
export type PurgedBy = 'mark' | 'epoch' | 'none'

/** What is known of a tenant's cached answers. */
export interface CacheStats {
  /** In Supabase; no other tier can say it. */
  readonly entries: number
  readonly bytes: number
  /** Of the last hour, as far as they are rolled up. */
  readonly hits: Readonly<Partial<Record<TierName, number>>>
  /** Those that hold now. */
  readonly marks: PurgeMarks
}

/** Where purges are kept. */
export interface PurgeStore {
  /** @param mark undefined: everything. @returns undefined where there is no such tenant */
  purge(tenantId: string, atMs: number, mark: string | undefined): Promise<PurgedBy | undefined>
  /** Where the answer of a prediction lies; undefined where it is not recorded. */
  slotOf(tenantId: string, predictionId: string): Promise<string | undefined>
  /** @returns undefined where there is no such tenant */
  stats(tenantId: string, atMs: number): Promise<CacheStats | undefined>
}

export interface PurgeDeskOptions {
  readonly now: () => number
  readonly store: PurgeStore
  readonly chain: Pick<CacheChain, 'remove'>
  /** The tenant has changed. */
  readonly forget: (tenantId: string) => void
}

export interface Removal {
  readonly purgedBy: PurgedBy
  /** Whether each tier let go of it. */
  readonly tiers: ReadonlyMap<TierName, boolean>
}

/**
 * Purges cached answers. Most lie where they cannot be listed, so they are marked and no longer taken: here from now on,
 * elsewhere as soon as the tenant's record is read anew.
 */
export class PurgeDesk {
  readonly #options: PurgeDeskOptions

  constructor(options: PurgeDeskOptions) {
    this.#options = options
  }

  /** @param target undefined: all that the tenant has. @throws GatewayError `not_found` */
  async purge(tenantId: string, target: PurgeTarget | undefined): Promise<PurgedBy> {
    const { now, store, forget } = this.#options
    const purgedBy = await store.purge(tenantId, now(), target && markOf(target))
    if (!purgedBy) throw noTenant()
    forget(tenantId)
    return purgedBy
  }

  /** Marks one slot and takes it out of every tier. @throws GatewayError `not_found` */
  async remove(place: CachePlace): Promise<Removal> {
    const purgedBy = await this.purge(place.tenantId, { kind: 'slot', name: place.id })
    return { purgedBy, tiers: await this.#options.chain.remove(place) }
  }

  slotOf(tenantId: string, predictionId: string): Promise<string | undefined> {
    return this.#options.store.slotOf(tenantId, predictionId)
  }

  /** @throws GatewayError `not_found` */
  async stats(tenantId: string): Promise<CacheStats> {
    const stats = await this.#options.store.stats(tenantId, this.#options.now())
    if (!stats) throw noTenant()
    return stats
  }
}

const noTenant = () =>
  new GatewayError(
    'not_found',
    'There is no such tenant any more.',
    'List tenants with npm run keys -- list.',
  )
