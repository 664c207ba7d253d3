import { createApp } from './app.ts'
import type { Env } from './env.ts'
import { type Administration, createServices, type Services } from './services.ts'

// One isolate, one set of services: values and bindings only, nothing that belongs to a request.
let services: (Services & Administration) | undefined

const app = createApp((env: Env) => {
  services ??= createServices(env)
  return services
})

export default { fetch: app.fetch } satisfies ExportedHandler<Env>
