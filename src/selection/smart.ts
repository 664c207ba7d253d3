import type { Model } from '../models/model.ts'
import { NOT_YOURS, standing } from './standing.ts'
import type { Candidate, Reason, SelectionContext, Strategy } from './strategy.ts'

export type Exclude = NonNullable<Strategy['exclude']>

/**
 * The policy: the tenant's own custom models, then public ones, then providers on the tenant's own key or on its
 * plan. Foreign models are out before anything else is asked of them; one that is switched off is not offered
 * for an upgrade of the plan. It is no strategy among others but what makes a candidate of a model, so that no
 * composition can do without it.
 * @param named whether the caller named the model
 */
export function candidateOf(
  model: Model,
  context: SelectionContext,
  rules: readonly Exclude[],
  named: boolean,
): Candidate {
  const held = standing(model, context.tenantId, context.plan)
  const barred = model.isActive || held === NOT_YOURS ? held.excluded : 'inactive'
  return {
    model,
    rank: held.rank,
    score: 0,
    reasons: named ? held.namedReasons : held.reasons,
    excluded:
      barred ??
      (context.isOff?.(model) ? 'switched_off' : undefined) ??
      firstExclusion(model, context, rules),
  }
}

function firstExclusion(
  model: Model,
  context: SelectionContext,
  rules: readonly Exclude[],
): Reason | undefined {
  for (const exclude of rules) {
    const excluded = exclude(model, context)
    if (excluded) return excluded
  }
  return undefined
}
