import { Hono } from 'hono'
import type { AppEnv } from '../context.ts'
import { PAGE_HEADERS } from '../page-headers.ts'
import style from './home.css'
import page from './home.html'

/** GET /: what this is and where to go from here. The same for everyone. */
export const home = new Hono<AppEnv>()
  .get('/', (c) => c.body(page, 200, { 'content-type': 'text/html; charset=utf-8', ...PAGE_HEADERS }))
  .get('/home.css', (c) => c.body(style, 200, { 'content-type': 'text/css; charset=utf-8', ...PAGE_HEADERS }))
