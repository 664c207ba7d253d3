import { givenRequestId, uuidv7 } from '../../src/core/ids.ts'
import type { Administration } from './administration.ts'
import type { Env } from './env.ts'
import type { Services } from './services.ts'

/** The isolate's services. @param request the one that asks for them: the first one says where the isolate lies */
export type ServicesOf = (env: Env, request: Request) => Services & Administration

/**
 * What every handler finds as `c.env`: the environment, the isolate's services, and the id of this request.
 * Made once a request and filled on demand, because middleware for it would cost each hit a tenth of its time.
 */
export class RequestScope {
  readonly env: Env
  /** Set where an error is to name the prediction that it ended. */
  predictionId: string | undefined
  /** Set where the caller has limits: what they leave. */
  limitHeaders: Readonly<Record<string, string>> | undefined
  readonly #servicesOf: ServicesOf
  readonly #request: Request
  readonly #givenId: string | undefined
  #ownId: string | undefined

  constructor(env: Env, request: Request, servicesOf: ServicesOf) {
    this.env = env
    this.#servicesOf = servicesOf
    this.#request = request
    this.#givenId = givenRequestId(request.headers.get('x-request-id'))
  }

  /** @throws GatewayError `misconfigured` */
  get services(): Services & Administration {
    return this.#servicesOf(this.env, this.#request)
  }

  /** What this request is called in logs and answers: by the caller, or else by us. */
  get requestId(): string {
    return this.#givenId ?? this.ownId
  }

  /** A UUID of version 7 that no caller has a say in. */
  get ownId(): string {
    this.#ownId ??= uuidv7(Date.now())
    return this.#ownId
  }
}

export interface AppEnv {
  Bindings: RequestScope
}
