import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import type { Browser, Page, WebSocketRoute } from 'playwright-core'
import type { AlertState, FromHub, ToHub } from '../../src/dashboard/messages.ts'
import { objectivesOf } from '../../src/dashboard/objectives.ts'
import { choicesOf, figuresOf, timesOf } from '../../src/dashboard/read-model.ts'
import { PastMinutes, Timeline } from '../../src/dashboard/timeline.ts'
import type { View } from '../../src/dashboard/view.ts'
import { PAGE_HEADERS } from '../../workers/gateway/page-headers.ts'
import { ROOT } from '../support/stores.ts'
import { GAUGES, minutesOf, traffic } from './traffic.ts'

// The built page with a hub that a test holds in its hand.

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

/** Serves what `npm run build:page` made, under the policy that the gateway gives it. */
export async function servePage(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(({ url = '/' }, response) => {
    const path = url === '/monitoring' ? 'index.html' : url.replace('/monitoring/', '')
    try {
      const text = readFileSync(join(ROOT, 'dist/page', path))
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? '', ...PAGE_HEADERS }).end(text)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/monitoring`,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}

const NONE = { counters: {}, histograms: {} }

/** Three hours of traffic, or of nothing. @param size requests a minute */
export function timelines(nowMs: number, size: number): { timeline: Timeline; today: Timeline } {
  const endMinute = Math.floor(nowMs / 60_000)
  const slots = size > 0 ? minutesOf(endMinute, 180, size) : []
  const open = size > 0 ? traffic(endMinute, Math.round((size * (nowMs % 60_000)) / 60_000)) : NONE
  const past = new PastMinutes(slots, endMinute, 180)
  return {
    timeline: new Timeline(past, open, size > 0 ? GAUGES : {}, nowMs),
    today: new Timeline(past, open, {}, nowMs),
  }
}

export function wholeOf(
  { timeline, today }: ReturnType<typeof timelines>,
  view: View,
  alerts?: readonly AlertState[],
): FromHub {
  return {
    kind: 'whole',
    atMs: timeline.nowMs,
    isolates: 12,
    view,
    times: timesOf(timeline, view),
    choices: choicesOf(timeline),
    figures: figuresOf(timeline, view, true),
    objectives: objectivesOf(timeline, today, view.filter),
    ...(alerts && { alerts }),
  }
}

export interface Look {
  readonly colorScheme?: 'light' | 'dark'
  readonly width?: number
  readonly height?: number
}

/** Opens the page. @param answer called with each view that the page asks for */
export async function openPage(
  browser: Browser,
  url: string,
  { colorScheme = 'light', width = 1440, height = 900 }: Look,
  answer: (view: View, line: WebSocketRoute) => void,
): Promise<Page> {
  const context = await browser.newContext({ colorScheme, viewport: { width, height }, timezoneId: 'UTC' })
  const page = await context.newPage()
  await page.routeWebSocket('**/monitoring/live', (line) => {
    line.onMessage((text) => {
      const wish = JSON.parse(String(text)) as ToHub
      if ('look' in wish) answer(wish.look, line)
    })
  })
  await page.goto(url)
  return page
}
