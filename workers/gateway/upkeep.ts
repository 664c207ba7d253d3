import { WorkerEntrypoint } from 'cloudflare:workers'
import type { Probes } from '../../src/metrics/probes.ts'
import { HUB_NAME } from '../../src/metrics/shard-name.ts'
import type { HeldByMinute } from '../../src/metrics/stock.ts'
import type { Env } from './env.ts'
import { servicesOf } from './isolate.ts'

/** What the scheduler asks of the gateway: reached through its service binding only, never by callers. */
export class Upkeep extends WorkerEntrypoint<Env> {
  /** Tries, as a request would, all that requests need, and tells the hub. */
  async probe(): Promise<Probes> {
    const results = await servicesOf(this.env).probe()
    await this.#hub().probed(results)
    return results
  }

  /** Supabase counted what it holds of the cache. */
  async cacheCounted(minutes: HeldByMinute): Promise<void> {
    await this.#hub().cacheCounted(minutes)
  }

  #hub() {
    const { METRICS_HUB } = this.env
    return METRICS_HUB.get(METRICS_HUB.idFromName(HUB_NAME))
  }
}
