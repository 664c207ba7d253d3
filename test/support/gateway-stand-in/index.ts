import { WorkerEntrypoint } from 'cloudflare:workers'
import type { Probes } from '../../../src/metrics/probes.ts'
import type { HeldByMinute } from '../../../src/metrics/stock.ts'

/** Says that all is well, and logs what it is told. */
export class Upkeep extends WorkerEntrypoint {
  async probe(): Promise<Probes> {
    return { gateway: 1, kv: 1, redis: 0 }
  }

  async cacheCounted(minutes: HeldByMinute): Promise<void> {
    console.log(JSON.stringify({ code: 'counted', minutes }))
  }
}

export default { fetch: () => new Response(null, { status: 404 }) } satisfies ExportedHandler
