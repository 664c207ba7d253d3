import type { Model } from '../models/model.ts'
import type { Plan } from '../tenants/tenant.ts'
import type { Needs } from './needs.ts'

/** Why a model stands where it stands, or is out. Stable words: callers and records read them. */
export type Reason =
  | 'own_custom'
  | 'public_custom'
  | 'provider_on_plan'
  | 'provider_on_own_key'
  | 'named'
  | 'not_yours'
  | 'inactive'
  | 'switched_off'
  | 'unhealthy'
  | 'plan_required'
  | 'no_tools'
  | 'no_vision'
  | 'no_json'
  | 'context_too_short'
  | 'fits_task'
  | 'cheaper'
  | 'faster'
  | 'predicted_quality'

/** A model under consideration. Lower `rank` comes first; within one rank, higher `score`. */
export interface Candidate {
  readonly model: Model
  readonly rank: number
  readonly score: number
  readonly reasons: readonly Reason[]
  /** Why it cannot be used; undefined for one that can. The first strategy to exclude it has the word. */
  readonly excluded: Reason | undefined
}

/** What is known of how a model does, decayed averages. Undefined while nothing is known. */
export interface ModelHealth {
  /** Whether requests may be sent to it now. */
  readonly available: boolean
  /** Until the first byte of an answer. */
  readonly latencyMs?: number | undefined
  /** 0 to 1. */
  readonly successShare?: number | undefined
}

export interface SelectionContext {
  readonly tenantId: string
  readonly plan: Plan
  readonly needs: Needs
  health(model: Model): ModelHealth
  /** Whether an operator turned it, or its provider, off; undefined while nothing is. */
  readonly isOff?: ((model: Model) => boolean) | undefined
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** One way of judging models; it may leave some out, or order what is left, or both. Pure. */
export interface Strategy {
  readonly name: string
  /** @returns why the model cannot be used; undefined where this strategy has nothing against it */
  readonly exclude?: (model: Model, context: SelectionContext) => Reason | undefined
  /** Gets usable candidates only, and returns every one of them, with other scores and further reasons. */
  readonly order?: (candidates: readonly Candidate[], context: SelectionContext) => readonly Candidate[]
}
