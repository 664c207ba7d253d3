import type { ClaimStore } from '../../src/routing/idempotency-keys.ts'
import type { Idempotency } from '../state/idempotency.ts'

/** The durable owners of idempotency keys, an object a name. */
export function claimStore(namespace: DurableObjectNamespace<Idempotency>): ClaimStore {
  const at = (name: string) => namespace.get(namespace.idFromName(name))
  return {
    claim: async (name, asked, waitMs) => at(name).claim(asked, waitMs),
    renew: async (name, owner) => at(name).renew(owner),
    finish: async (name, owner, outcome) => at(name).finish(owner, outcome),
    release: async (name, owner) => at(name).release(owner),
  }
}
