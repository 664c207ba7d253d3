import { Hono } from 'hono'
import type { AppEnv } from '../context.ts'
import style from './home.css'
import page from './home.html'

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

/** GET /: what this is and where to go from here. The same for everyone. */
export const home = new Hono<AppEnv>()
  .get('/', (c) => c.body(page, 200, { 'content-type': 'text/html; charset=utf-8', ...safe }))
  .get('/home.css', (c) => c.body(style, 200, { 'content-type': 'text/css; charset=utf-8', ...safe }))

const safe = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}
