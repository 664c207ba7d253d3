import type { TierName } from '../cache/tier.ts'
import type { Model } from '../models/model.ts'

/** What can be turned off. Of `cache` the names are `all` and the tiers'; of `model` the ids of routes. */
export type SwitchKind = 'cache' | 'model' | 'provider' | 'tenant'
export const SWITCH_KINDS: readonly SwitchKind[] = ['cache', 'model', 'provider', 'tenant']

export const ALL_CACHING = 'all'
export const TIERS: readonly TierName[] = ['memory', 'kv', 'redis', 'supabase']

/** Something that is off, and who turned it off, when, and why. */
export interface Switch {
  readonly kind: SwitchKind
  readonly name: string
  readonly note: string
  readonly by: string
  readonly atMs: number
  /** From when on it is on again by itself; null = until somebody turns it on. */
  readonly untilMs: number | null
}

/** What is off, as requests ask for it. Undefined where nothing of the kind is, so that most look at one field. */
export interface SwitchedOff {
  readonly isCacheOff: boolean
  readonly tiers: ReadonlySet<string> | undefined
  readonly tenants: ReadonlySet<string> | undefined
  readonly isModelOff: ((model: Model) => boolean) | undefined
}

export const NOTHING_OFF: SwitchedOff = {
  isCacheOff: false,
  tiers: undefined,
  tenants: undefined,
  isModelOff: undefined,
}

export const isInForce = ({ untilMs }: Switch, nowMs: number): boolean => untilMs === null || untilMs > nowMs

/** When the first of those in force ends by itself, milliseconds since the epoch. */
export const nextEndMs = (switches: readonly Switch[], nowMs: number): number =>
  Math.min(...switches.flatMap(({ untilMs }) => (untilMs !== null && untilMs > nowMs ? [untilMs] : [])))

export function switchedOff(switches: readonly Switch[], nowMs: number): SwitchedOff {
  const namesOf = (kind: SwitchKind): ReadonlySet<string> | undefined => {
    const names = switches.filter((each) => each.kind === kind && isInForce(each, nowMs))
    return names.length === 0 ? undefined : new Set(names.map(({ name }) => name))
  }
  const cache = namesOf('cache')
  return {
    isCacheOff: cache?.has(ALL_CACHING) ?? false,
    tiers: cache,
    tenants: namesOf('tenant'),
    isModelOff: modelJudge(namesOf('model'), namesOf('provider')),
  }
}

/** A custom model that a provider serves is off with the model behind it. */
function modelJudge(
  models: ReadonlySet<string> | undefined,
  providers: ReadonlySet<string> | undefined,
): SwitchedOff['isModelOff'] {
  if (!models && !providers) return undefined
  return ({ route: { id, model, provider } }) => {
    if (providers?.has(provider.name) || models?.has(id)) return true
    // What a tenant's own server calls its model is no name of ours.
    return provider.name !== 'custom' && models?.has(`${provider.name}:${model}`) === true
  }
}

/** As it is told: over HTTP, and to the page. */
export interface SwitchJson {
  readonly kind: SwitchKind
  readonly name: string
  readonly note: string
  readonly by: string
  readonly at: string
  readonly until: string | null
}

export const switchJson = ({ kind, name, note, by, atMs, untilMs }: Switch): SwitchJson => ({
  kind,
  name,
  note,
  by,
  at: new Date(atMs).toISOString(),
  until: untilMs === null ? null : new Date(untilMs).toISOString(),
})
