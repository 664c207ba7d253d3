import type { Model } from '../models/model.ts'
import type { Plan } from '../tenants/tenant.ts'

/** How a model stands to a tenant, health and capabilities left aside. */
export type Standing =
  | 'own_custom'
  | 'public_custom'
  | 'provider_on_own_key'
  | 'provider_on_plan'
  | 'plan_required'
  | 'not_yours'

/** The one place that decides whether a tenant may use a model at all. */
export function standing(model: Model, tenantId: string, plan: Plan): Standing {
  if (model.kind === 'custom') {
    if (model.ownerId === tenantId) return 'own_custom'
    return model.isPublic ? 'public_custom' : 'not_yours'
  }
  if (model.ownerId !== undefined) return model.ownerId === tenantId ? 'provider_on_own_key' : 'not_yours'
  return model.plans.includes(plan) ? 'provider_on_plan' : 'plan_required'
}
