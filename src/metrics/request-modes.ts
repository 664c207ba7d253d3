import { NONE } from './catalogue.ts'
import { MODES } from './families/values.ts'

export type Mode = (typeof MODES)[number]

/**
 * What a request asks for. `named`: one provider's model; `custom`: a model that somebody added; `choice`: `auto` or an
 * alias; `task`: one of the beast-mode models.
 */
export const KINDS = ['named', 'custom', 'choice', 'task'] as const
export type Kind = (typeof KINDS)[number]
export type ModeByKind = Readonly<Record<Kind, Mode>>

export const DEFAULT_MODES: ModeByKind = { named: '1', custom: '2', choice: '3', task: '4' }

/**
 * @param parts `kind=mode`, each; kinds that are left out keep their default
 * @throws RangeError for anything else
 */
export function modesOf(parts: readonly string[]): ModeByKind {
  const changed = parts.map((part) => {
    const [kind, mode] = part.split('=', 2)
    if (!KINDS.some((each) => each === kind) || !MODES.some((each) => each === mode))
      throw new RangeError(`"${part}" is not a kind of requests and its mode`)
    return [kind, mode] as const
  })
  return { ...DEFAULT_MODES, ...Object.fromEntries(changed) }
}

/** @param routeId of the request; where it has none, nothing is known of it */
export function modeOf(routeId: string | undefined, modes: ModeByKind): Mode | typeof NONE {
  return routeId === undefined ? NONE : modes[kindOf(routeId)]
}

/** The same as a row has it: 0 = nothing is known of it. */
export const modeNumber = (routeId: string | undefined, modes: ModeByKind): number =>
  routeId === undefined ? 0 : Number(modes[kindOf(routeId)])

function kindOf(routeId: string): Kind {
  if (routeId === 'auto' || routeId.startsWith('alias:')) return 'choice'
  if (/^(custom:)?beast-mode-/.test(routeId)) return 'task'
  return routeId.startsWith('custom:') ? 'custom' : 'named'
}
