import type { Strategy } from './strategy.ts'

/** Leaves out what cannot serve the request. What is not known of a model never leaves it out. */
export const capable: Strategy = {
  name: 'context',
  exclude: ({ capabilities: { tools, vision, json, contextTokens } }, { needs }) => {
    if (tools === false && needs.tools) return 'no_tools'
    if (vision === false && needs.vision) return 'no_vision'
    if (json === false && needs.json) return 'no_json'
    if (contextTokens === undefined) return undefined
    // An answer needs room too: one token where the caller named no maximum.
    return needs.inputTokens + Math.max(1, needs.outputTokens) > contextTokens
      ? 'context_too_short'
      : undefined
  },
}
