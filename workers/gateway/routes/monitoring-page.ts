import { type Context, Hono } from 'hono'
import { deleteCookie, setCookie } from 'hono/cookie'
import { fromUtf8 } from '../../../src/core/bytes.ts'
import { GatewayError } from '../../../src/core/errors.ts'
import { SESSION_MS } from '../../../src/dashboard/session.ts'
import { LONG_RANGES, parseLongView } from '../../../src/dashboard/view.ts'
import { HUB_NAME } from '../../../src/metrics/shard-name.ts'
import { GuessGuard } from '../../../src/tenants/guess-guard.ts'
import { readBody } from '../body.ts'
import type { AppEnv } from '../context.ts'
import { PAGE_HEADERS } from '../page-headers.ts'
import { stored } from '../stored.ts'
import { COOKIE, isOpen, roleOf, sessionsOf, viewerUntilMs } from '../viewer.ts'
import closedPage from './monitoring-closed.html'
import signInStyle from './monitoring-sign-in.css'
import signInPage from './monitoring-sign-in.html'

const PATH = '/monitoring'
const MAX_FORM_BYTES = 2_000

const HEADERS = {
  ...PAGE_HEADERS,
  // With "no-referrer" a browser would send "Origin: null" with the form.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}
const UNKEPT = { ...HEADERS, 'cache-control': 'no-store' }
const HTML = { ...UNKEPT, 'content-type': 'text/html; charset=utf-8' }

/** One an isolate: whoever guesses is slowed down. */
const guesses = new GuessGuard()

/** The page that shows the figures, for those who have a secret of it or come through Cloudflare Access. */
export const monitoringPage = new Hono<AppEnv>()
  .get('/', async (c) => {
    if (!isOpen(c.env.env)) return c.body(closedPage, 403, HTML)
    if ((await viewerUntilMs(c)) !== undefined) return asset(c, '/index.html', UNKEPT)
    // A strict cookie does not come with a link from elsewhere; it does when our own page asks again.
    if (c.req.header('sec-fetch-site') === 'cross-site') return c.body(AGAIN, 200, HTML)
    return signIn(c, '', 401)
  })
  .get('/sign-in.css', (c) =>
    c.body(signInStyle, 200, { ...HEADERS, 'content-type': 'text/css; charset=utf-8' }),
  )
  // The program is no secret, and its name changes with it.
  .get('/assets/:file{[\\w-]+\\.(?:js|css)}', (c) =>
    asset(c, `/assets/${c.req.param('file')}`, {
      ...HEADERS,
      'cache-control': 'public, max-age=31536000, immutable',
    }),
  )
  .post('/sign-in', async (c) => {
    if (!isOwnOrigin(c)) return c.text(FOREIGN, 403, UNKEPT)
    if (!isOpen(c.env.env)) return c.body(closedPage, 403, HTML)
    const client = c.req.header('cf-connecting-ip') ?? 'local'
    try {
      guesses.check(client, Date.now())
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      return signIn(c, `Too many tries. Wait ${error.retryAfterSeconds ?? 60} s, then try again.`, 429)
    }
    const form = new URLSearchParams(fromUtf8(await readBody(c.req.raw, MAX_FORM_BYTES)))
    const role = await roleOf((form.get('secret') ?? '').trim(), c.env.env)
    if (!role) {
      guesses.missed(client, Date.now())
      return signIn(c, 'This is not the secret. Ask whoever runs this gateway for VIEWER_TOKEN.', 401)
    }
    setCookie(c, COOKIE, await sessionsOf(c.env.env).open(role, Date.now()), {
      ...cookieRules(c),
      maxAge: SESSION_MS / 1_000,
    })
    return c.body(null, 303, { ...UNKEPT, location: PATH })
  })
  .post('/sign-out', (c) => {
    if (!isOwnOrigin(c)) return c.text(FOREIGN, 403, UNKEPT)
    deleteCookie(c, COOKIE, cookieRules(c))
    return c.body(null, 303, { ...UNKEPT, location: PATH })
  })
  .get('/live', async (c) => {
    if (c.req.header('upgrade')?.toLowerCase() !== 'websocket')
      return c.text('This address speaks WebSocket only. Open /monitoring in a browser.\n', 426, UNKEPT)
    if (!isOwnOrigin(c)) return c.text(FOREIGN, 403, UNKEPT)
    const untilMs = await viewerUntilMs(c)
    if (untilMs === undefined) return c.text(SIGN_IN, 401, UNKEPT)
    c.env.services.metrics.buffer.hasten()
    const { METRICS_HUB: hubs } = c.env.env
    // Made anew: nothing else of the caller reaches the hub.
    return hubs
      .get(hubs.idFromName(HUB_NAME))
      .fetch(`https://hub/page?until=${untilMs}`, { headers: { upgrade: 'websocket' } })
  })
  // What the hub does not remember: `?minutes=1440`, and what is chosen.
  .get('/history', async (c) => {
    if ((await viewerUntilMs(c)) === undefined) return c.text(SIGN_IN, 401, UNKEPT)
    const view = parseLongView(new URL(c.req.url).searchParams)
    if (!view)
      throw new GatewayError(
        'invalid_request',
        'This is no time or choice of the page.',
        `Ask for ?minutes= with one of ${LONG_RANGES.join(', ')}, and at most one mode, model and tenant.`,
      )
    return c.json(await stored(c.env.services.history.read(view)), 200, UNKEPT)
  })

const SIGN_IN = 'Sign in at /monitoring first.\n'
const FOREIGN = 'Only the page itself may ask for this. Open /monitoring on this address and try again.\n'
const AGAIN = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Monitoring</title><meta http-equiv="refresh" content="0"></html>`

const isOwnOrigin = (c: Context<AppEnv>): boolean => c.req.header('origin') === new URL(c.req.url).origin

const cookieRules = (c: Context<AppEnv>) =>
  ({
    path: PATH,
    httpOnly: true,
    sameSite: 'Strict',
    secure: new URL(c.req.url).protocol === 'https:',
  }) as const

const signIn = (c: Context<AppEnv>, message: string, status: 401 | 429) =>
  c.body(signInPage.replace('<!-- message -->', message), status, HTML)

async function asset(c: Context<AppEnv>, path: string, headers: Readonly<Record<string, string>>) {
  const found = await c.env.env.ASSETS?.fetch(new URL(path, c.req.url))
  if (!found?.ok)
    throw new GatewayError(
      'not_found',
      'This part of the page is not here.',
      'Reload /monitoring; if it happens again, build it with "npm run build:page" and deploy again.',
    )
  const type = found.headers.get('content-type')
  return new Response(found.body, { headers: { ...headers, ...(type !== null && { 'content-type': type }) } })
}
