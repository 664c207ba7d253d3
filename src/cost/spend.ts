import type { Allowance, LimitRefusal, TokenAsk } from '../tenants/limits.ts'
import type { BudgetState } from './budget.ts'
import type { CalledModel } from './budget-book.ts'
import type { NanoUsd } from './nano-usd.ts'

/** A call to a provider that is about to be made. */
export interface SpendAsk {
  readonly predictionId: string
  /** Its place among the calls of its request, from 0. */
  readonly attempt: number
  /** The most that it may cost; undefined where that has no bound. */
  readonly nanoUsd: NanoUsd | undefined
  readonly call: CalledModel
  /** Needed where a limit counts the key. */
  readonly tokens?: TokenAsk | undefined
}

/** What a tenant's account says to a call. */
export type SpendVerdict =
  | {
      readonly kind: 'allowed'
      /** Whether there are budgets, so that each further call has to be asked for. */
      readonly isWatched: boolean
      /** Whether a hard one counts what this key spends. */
      readonly isHard: boolean
      /** Where a limit counts the key; said to a request's first call. */
      readonly limits?: Allowance | undefined
    }
  | { readonly kind: 'revoked' }
  /** There are budgets or limits, and it was not said what the call may cost or use. */
  | { readonly kind: 'unasked' }
  /** A hard budget, and a call whose cost has no bound. */
  | { readonly kind: 'unbounded' }
  | { readonly kind: 'exceeded'; readonly budget: BudgetState }
  | LimitRefusal
