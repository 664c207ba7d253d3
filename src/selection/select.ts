import type { Model } from '../models/model.ts'
import { capable } from './context.ts'
import { cheaper } from './cost.ts'
import { fitting } from './fit.ts'
import { healthy } from './health.ts'
import { faster } from './latency.ts'
import { candidateOf } from './smart.ts'
import type { Candidate, SelectionContext, Strategy } from './strategy.ts'

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

/**
 * Judges the models and orders those that can be used. The policy of `smart.ts` always applies: no composition of
 * strategies reaches a model that is not the tenant's to use.
 * @param named whether the caller named the model
 */
export function select(
  models: readonly Model[],
  context: SelectionContext,
  strategies: readonly Strategy[] = STANDARD,
  named = false,
): Decision {
  const rules = strategies.flatMap(({ exclude = [] }) => exclude)
  const considered = models.map((model) => candidateOf(model, context, rules, named))
  let ordered = contenders(considered)
  for (const strategy of strategies) ordered = strategy.order?.(ordered, context) ?? ordered
  return { chosen: best(ordered), considered }
}

/** The usable ones of the first ranks, as many ranks as it takes to fill the choice: the rest cannot get in. */
function contenders(considered: readonly Candidate[]): readonly Candidate[] {
  const ranks: Candidate[][] = []
  for (const candidate of considered) {
    if (candidate.excluded) continue
    const rank = ranks[candidate.rank]
    if (rank) rank.push(candidate)
    else ranks[candidate.rank] = [candidate]
  }
  let found: Candidate[] = []
  for (const rank of ranks) {
    if (found.length >= MAX_CHOSEN) break
    if (rank) found = found.length === 0 ? rank : [...found, ...rank]
  }
  return found
}

/** The first `MAX_CHOSEN` in order, by insertion: nearly every candidate is done with after one comparison. */
function best(candidates: readonly Candidate[]): readonly Candidate[] {
  const chosen: Candidate[] = []
  for (const candidate of candidates) {
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
