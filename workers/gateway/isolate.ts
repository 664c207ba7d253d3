import type { Administration } from './administration.ts'
import type { Env } from './env.ts'
import { createServices, type Place, type Services } from './services.ts'

// One isolate, one set of services: values and bindings only, nothing that belongs to a request.
let services: (Services & Administration) | undefined

const placeOf = (request: Request | undefined): Place => ({
  continent: request?.cf?.continent as string | undefined,
  colo: request?.cf?.colo as string | undefined,
})

/** @param request that asks for them; the scheduler comes without one */
export const servicesOf = (env: Env, request?: Request): Services & Administration => {
  // Where the platform says nothing of the place, as on a laptop, there is no `cf`.
  services ??= createServices(env, placeOf(request))
  return services
}
