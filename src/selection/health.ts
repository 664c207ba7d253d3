import type { Strategy } from './strategy.ts'

/** Leaves out what fails at the moment. */
export const healthy: Strategy = {
  name: 'health',
  apply: (candidates, context) =>
    candidates.map((candidate) =>
      candidate.excluded || context.health(candidate.model).available
        ? candidate
        : { ...candidate, excluded: 'unhealthy' },
    ),
}
