import type { Administration } from './administration.ts'
import { createFetch } from './app.ts'
import type { Env } from './env.ts'
import { createServices, type Place, type Services } from './services.ts'

// One isolate, one set of services: values and bindings only, nothing that belongs to a request.
let services: (Services & Administration) | undefined

const placeOf = ({ cf }: Request): Place => ({
  continent: cf?.continent as string | undefined,
  colo: cf?.colo as string | undefined,
})

const servicesOf = (env: Env, request: Request): Services & Administration => {
  // Where the platform says nothing of the place, as on a laptop, there is no `cf`.
  services ??= createServices(env, placeOf(request))
  return services
}

export default { fetch: createFetch(servicesOf) } satisfies ExportedHandler<Env>
