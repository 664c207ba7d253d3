import type { WireFormat } from '../providers/adapter.ts'
import type { Plan } from '../tenants/tenant.ts'
import type { KeyPlace, SealedKey } from './key-box.ts'

/** A tenant's key as it lies in the database: opened for one call, never held open. */
export interface SealedCredential {
  readonly sealed: SealedKey
  readonly place: KeyPlace
}

/** List price, US dollars for a million tokens. */
export interface ListPrice {
  readonly inputUsdPerMTok: number
  readonly outputUsdPerMTok: number
}

/** One address and one key of a provider. Several of one provider share its load by weight. */
export interface Endpoint {
  /** Tells it apart in records and breakers: `openai`, `openai#2`. */
  readonly id: string
  /** Ends without a slash: `https://api.openai.com/v1`. */
  readonly baseUrl: string
  /** Host and port as errors may name them; undefined where they are not the caller's to know. */
  readonly host: string | undefined
  /** The operator's key as text, a tenant's sealed; undefined where the server wants none. Never shown. */
  readonly credential?: string | SealedCredential | undefined
  /** Share of the load among the endpoints of its provider, > 0. */
  readonly weight: number
  /** Whether a tenant gave the address, so that it is judged again before each call. */
  readonly isForeign: boolean
}

/** Who serves models: one protocol, one list of models, at one or more endpoints. */
export interface Provider {
  /** Stands before the colon in `{provider}:{model}`. */
  readonly name: string
  readonly format: WireFormat
  readonly endpoints: readonly [Endpoint, ...Endpoint[]]
  /** The models offered; absent = ask the provider itself. */
  readonly models?: readonly string[]
  /** The tenant whose own key it is; undefined for the operator's. */
  readonly ownerId?: string | undefined
  /** The plans that may use it. */
  readonly plans: readonly Plan[]
  /** Part of every cache key: raise it when the same name starts to mean another model. */
  readonly revision: string
  /** What every model of it costs; absent = what is listed of each. */
  readonly price?: ListPrice | undefined
}

/** A model at a provider: what a request is sent to, and what its answer is cached under. */
export interface Route {
  /** `{provider}:{model}`, `custom:{id}` */
  readonly id: string
  readonly revision: string
  readonly provider: Provider
  /** Its name at the provider. */
  readonly model: string
  /** What whoever added it says it costs; absent = what the provider lists. */
  readonly price?: ListPrice | undefined
}

/** Where one attempt goes. */
export interface Target {
  readonly route: Route
  readonly endpoint: Endpoint
  /** Under what its health is remembered, see `HealthBook`. */
  readonly marks: { readonly provider: string; readonly key: string; readonly model: string }
}

/** Made once a snapshot, not once a request. */
export function targetOf(route: Route, endpoint: Endpoint): Target {
  return {
    route,
    endpoint,
    marks: {
      // A tenant's own address is in nobody else's book.
      provider: `provider ${endpoint.isForeign ? endpoint.id : ''} ${endpoint.baseUrl}`,
      key: `key ${endpoint.id}`,
      model: `model ${route.id} ${endpoint.id}`,
    },
  }
}
