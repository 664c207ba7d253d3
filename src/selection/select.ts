import type { Model } from '../models/model.ts'
import { capable } from './context.ts'
import { cheaper } from './cost.ts'
import { fitting } from './fit.ts'
import { healthy } from './health.ts'
import { faster } from './latency.ts'
import { smart } from './smart.ts'
import type { Candidate, Reason, SelectionContext, Strategy } from './strategy.ts'

export interface Decision {
  /** What may be tried, best first, at most `MAX_CHOSEN`. */
  readonly chosen: readonly Candidate[]
  /** Everything that was looked at. Holds other tenants' models too: show it through `explain.ts` only. */
  readonly considered: readonly Candidate[]
}

/** More fallbacks than any request lives to try; it spares sorting a thousand models to use one. */
export const MAX_CHOSEN = 8

/** What can be used at all comes first, then what suits, then what it costs; speed decides between equals. */
export const STANDARD: readonly Strategy[] = [capable, healthy, fitting, cheaper, faster]

/** For a single model there is nothing to compare. */
export const ONE: readonly Strategy[] = [capable, healthy]

const NAMED: readonly Reason[] = ['named']
const NONE: readonly Reason[] = []

/**
 * Judges the models and orders those that can be used. The policy of `smart` always comes first: no composition
 * of strategies reaches a model that is not the tenant's to use.
 * @param named whether the caller named the model
 */
export function select(
  models: readonly Model[],
  context: SelectionContext,
  strategies: readonly Strategy[] = STANDARD,
  named = false,
): Decision {
  const reasons = named ? NAMED : NONE
  let considered: readonly Candidate[] = models.map((model) => ({ model, rank: 0, score: 0, reasons }))
  considered = smart.apply(considered, context)
  for (const strategy of strategies) considered = strategy.apply(considered, context)
  return { chosen: best(considered), considered }
}

/** The first `MAX_CHOSEN` in order, by insertion: nearly every candidate is done with after one comparison. */
function best(candidates: readonly Candidate[]): readonly Candidate[] {
  const chosen: Candidate[] = []
  for (const candidate of candidates) {
    if (candidate.excluded) continue
    let place = chosen.length
    while (place > 0 && comesBefore(candidate, chosen[place - 1])) place -= 1
    if (place >= MAX_CHOSEN) continue
    chosen.splice(place, 0, candidate)
    if (chosen.length > MAX_CHOSEN) chosen.pop()
  }
  return chosen
}

const comesBefore = (a: Candidate, b: Candidate | undefined): boolean =>
  b !== undefined && (a.rank < b.rank || (a.rank === b.rank && a.score > b.score))
