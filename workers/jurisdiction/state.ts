import * as state from '../state/index.ts'
import { type Confinement, confined } from './confined.ts'

export { Account, default, Flight, Idempotency } from '../state/index.ts'

type Bindings<Class extends new (...parts: never[]) => unknown> = ConstructorParameters<Class>[1] &
  Confinement

/** Reaches the hub inside the jurisdiction that it lies in itself. */
export class MetricsShard extends state.MetricsShard {
  constructor(ctx: DurableObjectState, env: Bindings<typeof state.MetricsShard>) {
    super(ctx, confined(env))
  }
}

/** The same for the shards that it gathers from. */
export class MetricsHub extends state.MetricsHub {
  constructor(ctx: DurableObjectState, env: Bindings<typeof state.MetricsHub>) {
    super(ctx, confined(env))
  }
}
