import type { Model } from '../models/model.ts'
import type { Plan } from '../tenants/tenant.ts'
import type { Reason } from './strategy.ts'

/** How a model stands to a tenant, health and capabilities left aside. */
export interface Standing {
  readonly rank: number
  /** Why it may be used, for a model that came up by itself and for one that the caller named. */
  readonly reasons: readonly Reason[]
  readonly namedReasons: readonly Reason[]
  readonly excluded: Reason | undefined
}

const usable = (rank: number, reason: Reason): Standing => ({
  rank,
  reasons: [reason],
  namedReasons: ['named', reason],
  excluded: undefined,
})
const barred = (excluded: Reason): Standing => ({ rank: 4, reasons: [], namedReasons: ['named'], excluded })

// One object for all models of a standing: made anew for each of a thousand, they were a quarter of a choice.
export const OWN_CUSTOM = usable(0, 'own_custom')
export const PUBLIC_CUSTOM = usable(1, 'public_custom')
/** Before one on the plan: what the tenant pays for itself is used before what the operator pays for. */
const PROVIDER_ON_OWN_KEY = usable(2, 'provider_on_own_key')
const PROVIDER_ON_PLAN = usable(3, 'provider_on_plan')
const PLAN_REQUIRED = barred('plan_required')
export const NOT_YOURS = barred('not_yours')

/** The one place that decides whether a tenant may use a model at all. */
export function standing(model: Model, tenantId: string, plan: Plan): Standing {
  if (model.kind === 'custom') {
    // Else whoever may not use a provider could use it under another name.
    if (model.isOnPlan && !model.plans.includes(plan)) return barredOnPlan(model, tenantId)
    if (model.ownerId === tenantId) return OWN_CUSTOM
    return model.isPublic ? PUBLIC_CUSTOM : NOT_YOURS
  }
  if (model.ownerId !== undefined) return model.ownerId === tenantId ? PROVIDER_ON_OWN_KEY : NOT_YOURS
  return model.plans.includes(plan) ? PROVIDER_ON_PLAN : PLAN_REQUIRED
}

const barredOnPlan = ({ ownerId, isPublic }: Model, tenantId: string): Standing =>
  ownerId === tenantId || isPublic ? PLAN_REQUIRED : NOT_YOURS
