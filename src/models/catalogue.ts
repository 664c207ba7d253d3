import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { Plan } from '../tenants/tenant.ts'
import type { Provider, Route } from './provider.ts'

/** Asks a provider which models it has. Rejects when it does not say. */
export type ListModels = (provider: Provider) => Promise<readonly string[]>

/** How long a provider's own list is believed. */
const LIST_MS = 60_000
/** How long a provider that did not answer is left alone. */
const RETRY_MS = 5_000

interface Known {
  readonly routes: ReadonlyMap<string, Route>
  readonly untilMs: number
}

/** Which models there are, and which of them a name means. */
export class Catalogue {
  readonly #providers: readonly Provider[]
  readonly #list: ListModels
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()

  constructor(providers: readonly Provider[], list: ListModels, clock: Clock) {
    this.#providers = providers
    this.#list = list
    this.#clock = clock
    for (const provider of providers) {
      if (provider.models) this.#remember(provider, provider.models, Number.POSITIVE_INFINITY)
    }
  }

  /** Every model that the plan may use, in the order of the configuration. */
  async routes(plan: Plan): Promise<readonly Route[]> {
    const usable = this.#providers.filter((provider) => provider.plans.includes(plan))
    const lists = await Promise.all(usable.map((provider) => this.#routes(provider)))
    return lists.flatMap((routes) => [...routes.values()])
  }

  /**
   * @param name `{provider}:{model}`, the bare name of a model, or `auto` for the first that the plan may use
   * @throws GatewayError `model_not_found`, `plan_required`
   */
  async resolve(name: string, plan: Plan): Promise<Route> {
    const route = name === 'auto' ? (await this.routes(plan))[0] : await this.#find(name)
    if (!route) throw name === 'auto' ? nothingUsable(plan) : notFound()
    if (!route.provider.plans.includes(plan)) throw planRequired(plan)
    return route
  }

  async #find(name: string): Promise<Route | undefined> {
    const colon = name.indexOf(':')
    const named = colon > 0 && this.#providers.find((provider) => provider.name === name.slice(0, colon))
    if (named) return (await this.#routes(named)).get(name.slice(colon + 1))
    for (const provider of this.#providers) {
      const route = (await this.#routes(provider)).get(name)
      if (route) return route
    }
    return undefined
  }

  async #routes(provider: Provider): Promise<ReadonlyMap<string, Route>> {
    const known = this.#known.get(provider.name)
    if (known && known.untilMs > this.#clock.now()) return known.routes
    try {
      return this.#remember(provider, await this.#list(provider), this.#clock.now() + LIST_MS)
    } catch {
      // The last good list serves while the provider is silent; its models may still answer.
      const routes = known?.routes ?? new Map()
      this.#known.set(provider.name, { routes, untilMs: this.#clock.now() + RETRY_MS })
      return routes
    }
  }

  #remember(provider: Provider, models: readonly string[], untilMs: number): ReadonlyMap<string, Route> {
    const { name, revision } = provider
    const routes = new Map(
      models.map((model) => [model, { id: `${name}:${model}`, revision, provider, model }]),
    )
    this.#known.set(name, { routes, untilMs })
    return routes
  }
}

const notFound = () =>
  new GatewayError(
    'model_not_found',
    'There is no model of this name.',
    'Call GET /v1/models for the names you may use.',
    {
      param: 'model',
    },
  )

const nothingUsable = (plan: Plan) =>
  new GatewayError(
    'model_not_found',
    `No model is available to the plan "${plan}".`,
    'Ask whoever runs this gateway to configure a provider, or for another plan.',
    { param: 'model' },
  )

const planRequired = (plan: Plan) =>
  new GatewayError(
    'plan_required',
    `This model is not part of the plan "${plan}".`,
    'Choose a model from GET /v1/models, or ask whoever runs this gateway for the paid plan.',
    { param: 'model' },
  )
