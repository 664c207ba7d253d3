import type { Plan } from '../tenants/tenant.ts'
import type { ListPrice, Route } from './provider.ts'

/** What a model can do. `undefined` is unknown, which never excludes it. */
export interface Capabilities {
  /** Input and output together, tokens. */
  readonly contextTokens?: number | undefined
  readonly tools?: boolean | undefined
  /** Takes images. */
  readonly vision?: boolean | undefined
  /** Keeps to `response_format`. */
  readonly json?: boolean | undefined
}

/**
 * A model that requests can be sent to. `custom`: added by a tenant or seeded by the system, at its own endpoint;
 * `provider`: at a provider that the operator, or the tenant with a key of its own, has an account with.
 */
export interface Model {
  readonly route: Route
  readonly kind: 'custom' | 'provider'
  /** The tenant that added it, or whose own key is used; undefined for what belongs to the operator. */
  readonly ownerId: string | undefined
  /** Only the operator makes a custom model public. Means nothing for a provider's. */
  readonly isPublic: boolean
  readonly isActive: boolean
  /** The plans that may use it, where it is a provider's and not on the tenant's own key, or `isOnPlan`. */
  readonly plans: readonly Plan[]
  /** Whether a custom model has no endpoint of its own, but is served by a provider on the operator's account. */
  readonly isOnPlan?: boolean | undefined
  readonly capabilities: Capabilities
  readonly price?: ListPrice | undefined
  /** What whoever added it says it is good at: names of tasks, or of programming languages in lower case. */
  readonly suits?: readonly string[] | undefined
}
