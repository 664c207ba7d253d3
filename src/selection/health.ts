import type { Strategy } from './strategy.ts'

/** Leaves out what fails at the moment. */
export const healthy: Strategy = {
  name: 'health',
  exclude: (model, context) => (context.health(model).available ? undefined : 'unhealthy'),
}
