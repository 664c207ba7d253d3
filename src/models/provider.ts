import type { Plan } from '../tenants/tenant.ts'

/** A server that speaks the OpenAI protocol, as the operator configured it. */
export interface Provider {
  /** Stands before the colon in `{provider}:{model}`. */
  readonly name: string
  /** Ends without a slash: `https://api.openai.com/v1`. */
  readonly baseUrl: string
  /** Sent upstream only, never shown. */
  readonly headers: Readonly<Record<string, string>>
  /** The models offered; absent = ask the provider itself. */
  readonly models?: readonly string[]
  /** The plans that may use it. */
  readonly plans: readonly Plan[]
  /** Part of every cache key: raise it when the same name starts to mean another model. */
  readonly revision: string
}

/** A model at a provider: what a request is sent to, and what its answer is cached under. */
export interface Route {
  /** `{provider}:{model}` */
  readonly id: string
  readonly revision: string
  readonly provider: Provider
  readonly model: string
}
