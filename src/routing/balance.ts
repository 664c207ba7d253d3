import { type Route, type Target, targetOf } from '../models/provider.ts'

// Made once a route, and routes are made once a snapshot.
const known = new WeakMap<Route, readonly Target[]>()

/**
 * Every endpoint of a route's provider, in an order drawn by weight: the first takes the request, the others follow.
 * @param random uniform in [0, 1); absent = in the order of the configuration
 */
export function targetsOf(route: Route, random?: () => number): readonly Target[] {
  let targets = known.get(route)
  if (!targets) {
    targets = route.provider.endpoints.map((endpoint) => targetOf(route, endpoint))
    known.set(route, targets)
  }
  return targets.length === 1 || !random ? targets : drawn(targets, random)
}

/** Weighted sampling without replacement: the largest u^(1/w) first (Efraimidis and Spirakis, 2006). */
function drawn(targets: readonly Target[], random: () => number): readonly Target[] {
  const lots = targets.map((target) => ({ target, lot: random() ** (1 / target.endpoint.weight) }))
  return lots.sort((a, b) => b.lot - a.lot).map(({ target }) => target)
}
