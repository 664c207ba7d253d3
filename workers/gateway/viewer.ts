import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'
import { utf8 } from '../../src/core/bytes.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { Vault } from '../../src/core/vault.ts'
import { AccessTokens } from '../../src/dashboard/access.ts'
import { type ViewerRole, ViewerSessions } from '../../src/dashboard/session.ts'
import type { AppEnv } from './context.ts'
import { type Env, MIN_SECRET_LENGTH, requireSecret } from './env.ts'
import { isOperator } from './middleware/operator.ts'

export const COOKIE = 'beast_monitoring'
const ACCESS_HEADER = 'cf-access-jwt-assertion'
const FETCH_MS = 3_000

/** One an isolate: it remembers the team's keys, values that belong to no request. */
let access: { readonly key: string; readonly tokens: AccessTokens } | undefined

const isStrong = (secret: string | undefined): boolean => (secret?.length ?? 0) >= MIN_SECRET_LENGTH
const strong = (secret: string | undefined): string | undefined => (isStrong(secret) ? secret : undefined)

/** Whether anybody can see the page at all. */
export const isOpen = (env: Env): boolean =>
  isStrong(env.VIEWER_TOKEN) || isStrong(env.OPERATOR_TOKEN) || accessOf(env) !== undefined

export const sessionsOf = (env: Env): ViewerSessions =>
  new ViewerSessions(new Vault(utf8(requireSecret(env, 'ROOT_KEY', MIN_SECRET_LENGTH))), {
    viewer: strong(env.VIEWER_TOKEN),
    operator: strong(env.OPERATOR_TOKEN),
  })

/** Which of the two secrets it is; undefined for neither. */
export async function roleOf(secret: string, env: Env): Promise<ViewerRole | undefined> {
  if (await isOperator(secret, env.VIEWER_TOKEN)) return 'viewer'
  return (await isOperator(secret, env.OPERATOR_TOKEN)) ? 'operator' : undefined
}

/** Until when the caller may see the page, by its cookie or by Cloudflare Access; undefined: it may not. */
export async function viewerUntilMs(c: Context<AppEnv>): Promise<number | undefined> {
  const { env } = c.env
  const cookie = getCookie(c, COOKIE)
  const session = cookie && (await sessionsOf(env).read(cookie, Date.now()))
  if (session) return session.untilMs
  const token = c.req.header(ACCESS_HEADER)
  return token === undefined ? undefined : accessOf(env)?.verify(token)
}

/** @throws GatewayError `misconfigured` when only a part of it is set, or not a team's address */
function accessOf(env: Env): AccessTokens | undefined {
  const { ACCESS_TEAM_DOMAIN: team, ACCESS_AUD: audience } = env
  if (!team && !audience) return undefined
  if (!team || !audience || !TEAM.test(team))
    throw new GatewayError(
      'misconfigured',
      'The gateway is not configured: ACCESS_TEAM_DOMAIN and ACCESS_AUD must both be set.',
      'Set ACCESS_TEAM_DOMAIN to https://<team>.cloudflareaccess.com and ACCESS_AUD to the tag of the application, or remove both.',
    )
  const key = `${team} ${audience}`
  if (access?.key !== key)
    access = {
      key,
      tokens: new AccessTokens({
        team,
        audience,
        fetch: (url) => fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_MS) }),
        now: () => Date.now(),
      }),
    }
  return access.tokens
}

/** Nobody else signs for Access, so nothing else is asked for keys. */
const TEAM = /^https:\/\/[a-z0-9-]+\.cloudflareaccess\.com$/
