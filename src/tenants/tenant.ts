import type { Limits } from './limits.ts'
import type { Scope } from './scopes.ts'

/** What a tenant may use. `free`: public models; `paid`: the operator's providers too. */
export type Plan = 'free' | 'paid'
export const PLANS = ['free', 'paid'] as const satisfies readonly Plan[]

/** What of a tenant's answers may be kept: all of them, only those asked for at temperature 0, or none. */
export type CachePolicy = 'all' | 'deterministic' | 'none'

/** The hardest budget that the tenant or a key of it has. */
export type BudgetKind = 'none' | 'soft' | 'hard'

/** When what bears a mark was purged, in milliseconds since the epoch: by `tag:...`, `model:...` or `slot:...`. */
export type PurgeMarks = Readonly<Record<string, number>>

export const TENANT_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/

export interface Tenant {
  readonly id: string
  readonly name: string
  readonly plan: Plan
  /** Raised to make every cached answer of the tenant unreadable at once. */
  readonly epoch: number
  readonly cachePolicy: CachePolicy
  /** Whether the request's `user` field separates cached answers. */
  readonly cacheByUser: boolean
  /** Whether what is asked and answered is kept as text, for the tenant to learn from. */
  readonly keepsText: boolean
  readonly budget: BudgetKind
  /** What of its answers was purged by name; undefined = nothing. */
  readonly purgeMarks?: PurgeMarks | undefined
  /** Of all its keys together; undefined = none. */
  readonly limits?: Limits | undefined
}

/** Who makes a request: one key of one tenant. */
export interface Caller {
  /** Undefined = all. */
  readonly scopes?: readonly Scope[] | undefined
  readonly keyId: string
  /** Milliseconds since the epoch; null = never. */
  readonly expiresAtMs: number | null
  readonly tenant: Tenant
  /** Of this key; undefined = none. */
  readonly limits?: Limits | undefined
}
