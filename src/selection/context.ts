import type { Capabilities } from '../models/model.ts'
import type { Needs } from './needs.ts'
import type { Reason, Strategy } from './strategy.ts'

/** Leaves out what cannot serve the request. What is not known of a model never leaves it out. */
export const capable: Strategy = {
  name: 'context',
  apply: (candidates, { needs }) =>
    candidates.map((candidate) => {
      if (candidate.excluded) return candidate
      const excluded = missing(candidate.model.capabilities, needs)
      return excluded ? { ...candidate, excluded } : candidate
    }),
}

function missing(has: Capabilities, needs: Needs): Reason | undefined {
  if (has.tools === false && needs.tools) return 'no_tools'
  if (has.vision === false && needs.vision) return 'no_vision'
  if (has.json === false && needs.json) return 'no_json'
  const { contextTokens } = has
  if (contextTokens === undefined) return undefined
  // An answer needs room too: one token where the caller named no maximum.
  return needs.inputTokens + Math.max(1, needs.outputTokens) > contextTokens ? 'context_too_short' : undefined
}
