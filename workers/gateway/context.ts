import type { Env } from './env.ts'
import type { Administration, Services } from './services.ts'

/** What every handler finds in its context. */
export interface AppEnv {
  Bindings: Env
  Variables: {
    readonly services: Services & Administration
    readonly requestId: string
  }
}
