/** What upstream calls cost and took: sums, so that two can be weighed against each other. */
export interface Price {
  calls: number
  costUsd: number
  latencyMs: number
}

/** Calls of the tenant at large that weigh as much as the prompt's own: single calls vary by more than prompts do. */
const DOUBT = 8

export const unpriced = (): Price => ({ calls: 0, costUsd: 0, latencyMs: 0 })

/** Counts one call; what is no amount is left out. */
export function addPrice(price: Price, { costUsd, latencyMs }: Omit<Price, 'calls'>): void {
  if (!(costUsd >= 0 && latencyMs >= 0 && costUsd + latencyMs < Number.POSITIVE_INFINITY)) return
  price.calls += 1
  price.costUsd += costUsd
  price.latencyMs += latencyMs
}

/** What the next call for a prompt should cost and take, from its own calls and all the tenant's. */
export function expectedPrice(own: Price, tenant: Price): Omit<Price, 'calls'> {
  const doubt = tenant.calls > 0 ? DOUBT / tenant.calls : 0
  const calls = own.calls + doubt * tenant.calls
  if (calls === 0) return { costUsd: 0, latencyMs: 0 }
  return {
    costUsd: (own.costUsd + doubt * tenant.costUsd) / calls,
    latencyMs: (own.latencyMs + doubt * tenant.latencyMs) / calls,
  }
}
