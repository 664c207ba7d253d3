import { GatewayError } from '../core/errors.ts'

/** What a key may be used for: to ask models, rate answers, report events, manage models, read costs and requests. */
export const SCOPES = ['inference', 'feedback', 'telemetry', 'models', 'costs'] as const
export type Scope = (typeof SCOPES)[number]

/** As a key's record holds them: undefined = all of them, which needs no room and no look. */
export const scopesOf = (stored: readonly string[] | null | undefined): readonly Scope[] | undefined => {
  const scopes = SCOPES.filter((scope) => stored?.includes(scope))
  return stored && scopes.length < SCOPES.length ? scopes : undefined
}

/** @throws GatewayError `scope_missing` */
export function requireScope(scopes: readonly Scope[] | undefined, scope: Scope): void {
  if (scopes === undefined || scopes.includes(scope)) return
  throw new GatewayError(
    'scope_missing',
    `This API key has no scope "${scope}".`,
    `Use a key with the scope "${scope}", or ask whoever runs this gateway for one.`,
  )
}
