import type { Probes } from '../../src/metrics/probes.ts'
import type { Provider } from '../../src/models/provider.ts'
import { adapterFor } from '../../src/providers/adapters.ts'
import type { Readiness } from './readiness.ts'

/** What a probe asks. */
export interface ProbeIo {
  readonly readiness: Pick<Readiness, 'report'>
  readonly providers: readonly Provider[]
  /** The models that a provider has: what it can be asked without being paid. Rejects where it does not say. */
  readonly list: (provider: Provider) => Promise<unknown>
}

/**
 * The gateway is well when it can answer requests; upstream, when one provider at least answers. Where there is none
 * that can be asked for nothing, there is no word of it.
 */
export async function probe({ readiness, providers, list }: ProbeIo): Promise<Probes> {
  const asked = providers.filter(({ format }) => adapterFor(format).listPath !== undefined)
  const [{ ready, stores }, upstream] = await Promise.all([
    readiness.report(),
    Promise.any(asked.map(list)).then(
      () => true,
      () => false,
    ),
  ])
  return {
    gateway: ready ? 1 : 0,
    kv: stores.kv === 'up' ? 1 : 0,
    redis: stores.redis === 'up' ? 1 : 0,
    supabase: stores.supabase === 'up' ? 1 : 0,
    ...(asked.length > 0 && { upstream: upstream ? 1 : 0 }),
  }
}
