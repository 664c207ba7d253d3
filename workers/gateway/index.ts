import { createFetch } from './app.ts'
import type { Env } from './env.ts'
import { type Administration, createServices, type Services } from './services.ts'

// One isolate, one set of services: values and bindings only, nothing that belongs to a request.
let services: (Services & Administration) | undefined

const servicesOf = (env: Env): Services & Administration => {
  services ??= createServices(env)
  return services
}

export default { fetch: createFetch(servicesOf) } satisfies ExportedHandler<Env>
