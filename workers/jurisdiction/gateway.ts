import type { Env } from '../gateway/env.ts'
import gateway, * as parts from '../gateway/index.ts'
import { type Confinement, confined } from './confined.ts'

// Bindings only, nothing that belongs to a request.
let inside: Env | undefined

/** The gateway, whose Durable Objects lie in the jurisdiction that its configuration names. */
export default {
  fetch: (request, env, context) => {
    inside ??= confined<Env>(env)
    return gateway.fetch(request, inside, context)
  },
} satisfies ExportedHandler<Env & Confinement>

/** What the scheduler asks of it, inside the same. */
export class Upkeep extends parts.Upkeep {
  constructor(ctx: ExecutionContext, env: Env & Confinement) {
    super(ctx, confined<Env>(env))
  }
}
