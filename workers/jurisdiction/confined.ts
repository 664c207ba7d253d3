/** Named so in the configuration that is made for deployment: `npm run deploy -- --jurisdiction eu`. */
export interface Confinement {
  readonly DURABLE_OBJECT_JURISDICTION: DurableObjectJurisdiction
}

const isNamespace = (value: unknown): value is DurableObjectNamespace =>
  typeof value === 'object' && value !== null && 'idFromName' in value && 'jurisdiction' in value

/** The same bindings, but each Durable Object that is reached through them lies in the jurisdiction. */
export function confined<Env extends object>(env: Env & Confinement): Env {
  const jurisdiction = env.DURABLE_OBJECT_JURISDICTION
  const bindings = Object.entries(env).map(([name, value]) => [
    name,
    isNamespace(value) ? value.jurisdiction(jurisdiction) : value,
  ])
  return Object.fromEntries(bindings) as Env
}
