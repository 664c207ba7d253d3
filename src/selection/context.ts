import type { Strategy } from './strategy.ts'

/** Leaves out what cannot serve the request. What is not known of a model never leaves it out. */
export const capable: Strategy = {
  name: 'context',
  exclude: ({ capabilities: { tools, vision, json, contextTokens } }, { needs }) => {
    if (needs.tools && tools === false) return 'no_tools'
    if (needs.vision && vision === false) return 'no_vision'
    if (needs.json && json === false) return 'no_json'
    if (contextTokens === undefined) return undefined
    // An answer needs room too: one token where the caller named no maximum.
    return needs.inputTokens + Math.max(1, needs.outputTokens) > contextTokens
      ? 'context_too_short'
      : undefined
  },
}
