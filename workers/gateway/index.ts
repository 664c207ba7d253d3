import { createFetch } from './app.ts'
import type { Env } from './env.ts'
import { servicesOf } from './isolate.ts'

export { Upkeep } from './upkeep.ts'

export default { fetch: createFetch(servicesOf) } satisfies ExportedHandler<Env>
