import { NONE, OTHER } from './catalogue.ts'

/** Labels of whoever answers. */
export interface RouteNames {
  readonly provider: string
  /** As its provider calls it. */
  readonly model: string
}

export interface KnownRoutes {
  hasProvider(name: string): boolean
  /** Whether it is a model that every tenant sees: a name that one of them made up is no label. */
  hasRoute(routeId: string): boolean
}

/** Nobody was asked, and it is not known who would have been. */
export const NOBODY: RouteNames = { provider: NONE, model: NONE }
const UNKNOWN: RouteNames = { provider: OTHER, model: OTHER }
const MAX_HELD = 5_000

/** Labels by route. Whatever the catalogue does not know now it may know later, so only what it knows is kept. */
export class RouteLabels {
  readonly #known: KnownRoutes
  readonly #held = new Map<string, RouteNames>()
  readonly #others = new Map<string, RouteNames>()

  constructor(known: KnownRoutes) {
    this.#known = known
  }

  of(routeId: string | undefined): RouteNames {
    if (routeId === undefined || routeId === 'auto' || routeId.startsWith('alias:')) return NOBODY
    return this.#held.get(routeId) ?? this.#judge(routeId)
  }

  #judge(routeId: string): RouteNames {
    const colon = routeId.indexOf(':')
    const provider = routeId.slice(0, Math.max(colon, 0))
    if (colon < 1 || !this.#known.hasProvider(provider)) return UNKNOWN
    if (!this.#known.hasRoute(routeId)) return this.#otherOf(provider)
    const names = { provider, model: routeId.slice(colon + 1) }
    if (this.#held.size < MAX_HELD) this.#held.set(routeId, names)
    return names
  }

  #otherOf(provider: string): RouteNames {
    let names = this.#others.get(provider)
    if (!names) {
      names = { provider, model: OTHER }
      this.#others.set(provider, names)
    }
    return names
  }
}
