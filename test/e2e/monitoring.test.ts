import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FromHub } from '../../src/dashboard/messages.ts'
import { TABS } from '../../src/dashboard/tabs.ts'
import { FIRST_VIEW } from '../../src/dashboard/view.ts'
import type { Batch } from '../../src/metrics/batch.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { seriesName } from '../../src/metrics/catalogue.ts'
import { HUB_NAME, shardName } from '../../src/metrics/shard-name.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { HOSTILE, traffic } from '../dashboard/traffic.ts'
import { chromiumPresent, startBrowser } from '../support/browser.ts'
import { describeWith } from '../support/require.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { type Stack, startStack } from '../support/workers.ts'

const VIEWER_TOKEN = 'v'.repeat(43)
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

let stack: Stack
let page: string
beforeAll(async () => {
  stack = await startStack({ VIEWER_TOKEN })
  page = `${stack.url}/monitoring`
})
afterAll(() => stack?.close())

const ownOrigin = () => ({ origin: stack.url })
const get = (path = '', headers: Record<string, string> = {}) =>
  fetch(`${page}${path}`, { headers, redirect: 'manual' })
const post = (path: string, secret: string, headers: Record<string, string> = ownOrigin()) =>
  fetch(`${page}${path}`, {
    method: 'POST',
    headers: { ...FORM, ...headers },
    body: new URLSearchParams({ secret }),
    redirect: 'manual',
  })
const FAULTS =
  'axe.run().then(({ violations }) => violations.filter(({ impact }) => impact !== "minor").map(({ id, nodes }) => id + " " + nodes[0].html))'
const cookieOf = (response: Response) => response.headers.getSetCookie()[0] ?? ''
const signedIn = async (secret = VIEWER_TOKEN) => cookieOf(await post('/sign-in', secret)).split(';')[0] ?? ''

/** A batch as an isolate would send it. */
let seq = 0
async function give(added: Batch['added'], sketches: Batch['sketches'] = {}) {
  const { METRICS_SHARD: shards } = await stack.harness.getWorker<Env>().getEnv()
  const batch = { isolate: 'test', seq: ++seq, startedAtMs: Date.now(), added, sketches }
  await shards.get(shards.idFromName(shardName('weur', 'test'))).take(batch)
}
async function giveRequests(count: number, mode: '1' | '2' = '1') {
  const tally = new Tally(10)
  tally.count(
    seriesName('requests_total', {
      mode,
      provider: 'openai',
      model: 'gpt',
      outcome: 'success',
      cache: 'miss',
      stream: 'false',
    }),
    count,
  )
  await give({ ...tally.amounts(), gauges: {} })
}

/** The line that the page holds, without a browser. */
async function line(cookie: string, headers: Record<string, string> = ownOrigin()) {
  const response = await stack.harness
    .getWorker()
    .fetch(`${page}/live`, { headers: { upgrade: 'websocket', cookie, ...headers } })
  return { response, socket: response.webSocket }
}

describe('the door', () => {
  it('shows a form to whom it does not know, under a strict policy and uncached', async () => {
    const response = await get()
    expect(response.status).toBe(401)
    expect(await response.text()).toContain('<form method="post" action="/monitoring/sign-in">')
    expect(response.headers.get('cache-control')).toBe('no-store')
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'; script-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:/)
  })

  it('takes the viewer’s secret and the operator’s, and gives a cookie that no script reads', async () => {
    for (const secret of [VIEWER_TOKEN, OPERATOR_TOKEN, ` ${VIEWER_TOKEN}\n`]) {
      const response = await post('/sign-in', secret)
      expect([response.status, response.headers.get('location')]).toEqual([303, '/monitoring'])
      const cookie = cookieOf(response)
      expect(cookie).toMatch(/^beast_monitoring=v1\.\w+\.\d+\.[\w-]{43};/)
      for (const rule of ['HttpOnly', 'SameSite=Strict', 'Path=/monitoring', 'Max-Age=43200'])
        expect(cookie).toContain(rule)
      expect(cookie).not.toContain(secret.trim())
      const inside = await get('', { cookie: cookie.split(';')[0] ?? '' })
      expect([inside.status, (await inside.text()).includes('id="vitals"')]).toEqual([200, true])
    }
  })

  it('keeps the cookie to https where there is https', async () => {
    const https = page.replace('http:', 'https:')
    const response = await stack.harness.getWorker().fetch(`${https}/sign-in`, {
      method: 'POST',
      headers: { ...FORM, origin: new URL(https).origin },
      body: `secret=${VIEWER_TOKEN}`,
      redirect: 'manual',
    })
    expect(response.headers.get('set-cookie')).toContain('; Secure')
  })

  it('refuses wrong secrets, a virtual key, and cookies that were not given here', async () => {
    for (const secret of ['', 'x', VIEWER_TOKEN.slice(1), await stack.key('acme')]) {
      const response = await post('/sign-in', secret)
      expect([response.status, cookieOf(response)]).toEqual([401, ''])
      expect(await response.text()).toContain('This is not the secret.')
    }
    const cookie = await signedIn()
    const [version, role, until, mac] = cookie.replace('beast_monitoring=', '').split('.')
    const forged = [
      `${version}.operator.${until}.${mac}`,
      `${version}.${role}.${Number(until) + 1}.${mac}`,
      `${version}.${role}.${until}.${'A'.repeat(43)}`,
      `${version}.${role}.${until}.`,
      'v1.viewer.9999999999999.x',
      'x',
    ]
    for (const value of forged)
      expect((await get('', { cookie: `beast_monitoring=${value}` })).status, value).toBe(401)
  })

  it('lets only its own pages sign in, sign out and listen', async () => {
    const cookie = await signedIn()
    for (const headers of [
      {},
      { origin: 'null' },
      { origin: 'https://evil.example' },
      { origin: `${stack.url}.evil.example` },
    ]) {
      for (const path of ['/sign-in', '/sign-out'])
        expect((await post(path, VIEWER_TOKEN, headers as Record<string, string>)).status).toBe(403)
      const { response } = await line(cookie, headers as Record<string, string>)
      expect([response.status, response.webSocket]).toEqual([403, null])
    }
    expect((await line('')).response.status).toBe(401)
    expect((await line('beast_monitoring=x')).response.status).toBe(401)
    expect((await get('/live', { cookie })).status).toBe(426)
  })

  it('takes no secret from an address, and signs out', async () => {
    expect((await get(`?secret=${VIEWER_TOKEN}`)).status).toBe(401)
    expect((await get(`/sign-in?secret=${VIEWER_TOKEN}`)).status).toBe(404)
    const out = await post('/sign-out', '')
    expect([out.status, cookieOf(out)]).toEqual([
      303,
      expect.stringMatching(/^beast_monitoring=;.*Max-Age=0/),
    ])
  })

  it('asks again from its own page when a link from elsewhere brought no cookie', async () => {
    const response = await get('', { 'sec-fetch-site': 'cross-site' })
    expect([response.status, await response.text()]).toEqual([
      200,
      expect.stringContaining('http-equiv="refresh"'),
    ])
  })

  it('serves its own parts only', async () => {
    const [, script = ''] =
      /src="\/monitoring(\/assets\/[^"]+)"/.exec(
        await (await get('', { cookie: await signedIn() })).text(),
      ) ?? []
    const response = await get(script)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain('javascript')
    expect(response.headers.get('cache-control')).toContain('immutable')
    await response.body?.cancel()
    for (const path of [
      '/assets/nothing.js',
      '/assets/..%2Findex.html',
      '/assets/../index.html',
      '/index.html',
    ])
      expect((await get(path)).status, path).toBe(404)
    // Nor past the gateway.
    for (const path of ['/index.html', '/assets', script])
      expect((await fetch(`${stack.url}${path}`)).status, path).toBe(404)
  })
})

describe('the line', () => {
  it('tells everything once, then what changed, and closes on what it does not understand', async () => {
    await giveRequests(3)
    const { response, socket } = await line(await signedIn())
    expect(response.status).toBe(101)
    if (!socket) throw new Error('no socket')
    const told: FromHub[] = []
    socket.addEventListener('message', ({ data }) => told.push(JSON.parse(String(data)) as FromHub))
    const closed = new Promise<number>((resolve) =>
      socket.addEventListener('close', ({ code }) => resolve(code)),
    )
    socket.accept()
    socket.send(JSON.stringify({ look: FIRST_VIEW }))
    await expect.poll(() => told.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(3)
    expect(told[0]).toMatchObject({ kind: 'whole', view: FIRST_VIEW })
    const rowsOf = (message: FromHub | undefined) => message?.figures.P7
    expect(rowsOf(told[0])).toEqual([{ labels: ['1'], now: 3 }])
    expect(told.slice(2).every(({ kind, figures }) => kind === 'whole' || !figures.P7)).toBe(true)
    await giveRequests(2)
    const later = () => told.filter((message) => rowsOf(message)?.[0]?.now === 5)
    await expect.poll(() => later().length, { timeout: 2_000 }).toBeGreaterThan(0)

    // It may sleep as soon as nobody looks, and knows its sockets when it wakes.
    socket.send(JSON.stringify({ rest: true }))
    let before = -1
    const isQuiet = () => {
      const same = told.length === before
      before = told.length
      return same
    }
    // Longer than one of its looks.
    await expect.poll(isQuiet, { timeout: 10_000, interval: 800 }).toBe(true)
    await stack.harness
      .getWorker('beast-state')
      .evictDurableObject('MetricsHub', { name: HUB_NAME, webSockets: 'hibernate' })
    told.splice(0)
    socket.send(JSON.stringify({ look: FIRST_VIEW }))
    await expect.poll(() => told.length, { timeout: 5_000 }).toBeGreaterThan(1)
    expect(told.map(({ kind }) => kind).slice(0, 2)).toEqual(['whole', 'now'])
    expect(rowsOf(told[0])?.[0]?.now).toBe(5)

    socket.send('{"look":{"tab":"X"}}')
    expect(await closed).toBe(4400)
  })
})

describeWith('chromium', chromiumPresent, 'in a browser', () => {
  let browser: Browser
  let context: BrowserContext
  let tab: Page
  const complaints: string[] = []

  beforeAll(async () => {
    browser = await startBrowser()
    context = await browser.newContext()
    context.setDefaultTimeout(8_000)
    tab = await context.newPage()
    tab.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    tab.on('pageerror', (error) => complaints.push(String(error)))
  })
  afterAll(() => browser?.close())

  it('is opened with the secret, by keyboard alone', async () => {
    await tab.goto(page)
    await tab.getByLabel('Secret').fill('wrong')
    await tab.keyboard.press('Enter')
    await tab.getByText('This is not the secret.').waitFor()
    await tab.getByLabel('Secret').fill(VIEWER_TOKEN)
    await tab.keyboard.press('Enter')
    await tab.locator('[data-state="live"]').waitFor()
    const [cookie] = await context.cookies()
    expect(cookie).toMatchObject({ name: 'beast_monitoring', httpOnly: true, sameSite: 'Strict' })
    // 401 is what a wrong secret is answered with.
    complaints.splice(0)
  })

  it('shows a new count within a second', async () => {
    const cell = tab.locator('[data-panel="P7"] tr', { hasText: 'Mode 2' }).locator('td')
    await giveRequests(7, '2')
    const text = () => cell.evaluate((td) => td.firstChild?.textContent ?? '').catch(() => '')
    await expect.poll(text, { timeout: 3_000, interval: 10 }).toBe('7')
    const tookMs: number[] = []
    for (let count = 8; count <= 20; count++) {
      // Right behind one look of the hub: it takes longest until the next.
      const startedMs = performance.now()
      await giveRequests(1, '2')
      await expect.poll(text, { timeout: 3_000, interval: 5 }).toBe(String(count))
      tookMs.push(performance.now() - startedMs)
    }
    console.log(
      `a new count was shown after ${Math.round(Math.max(...tookMs))} ms at most, of ${tookMs.length}`,
    )
    expect(Math.max(...tookMs)).toBeLessThan(1_000)
  })

  it('has no serious fault that axe knows, on any tab, and breaks none of its own rules', async () => {
    const { counters, histograms, sketches } = traffic(1, 300)
    await give({ counters, histograms, gauges: {} }, sketches)
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    // The page's policy lets nobody add a script: this one comes from outside of it.
    const cdp = await context.newCDPSession(tab)
    const run = async (expression: string) =>
      (await cdp.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })).result
        .value
    for (const colorScheme of ['light', 'dark'] as const) {
      await tab.emulateMedia({ colorScheme })
      for (const { code, short } of TABS) {
        await tab.getByRole('tab', { name: short }).click()
        await tab.locator(`[data-tab="${code}"]`).waitFor()
        await run(`${axe};0`)
        const faults = await run(FAULTS)
        expect(faults, `${short}, ${colorScheme}`).toEqual([])
      }
      await tab.getByRole('tab', { name: 'Cost' }).click()
      await tab.locator('label.range', { hasText: '24 h' }).click()
      await tab.getByText('nothing was summed up yet').waitFor()
      expect(await run(FAULTS), `longer times, ${colorScheme}`).toEqual([])
      await tab.locator('label.range', { hasText: '15 min' }).click()
    }
    expect(complaints).toEqual([])
  })

  it('shows hostile names as text', async () => {
    await tab.getByRole('tab', { name: 'Performance' }).click()
    await tab.locator('[data-panel="P12"]').getByText(HOSTILE).waitFor()
    expect(await tab.locator('img').count()).toBe(0)
  })

  it('is open to who follows a link from elsewhere and is signed in', async () => {
    const other = await context.newPage()
    await other.goto(stack.url.replace('127.0.0.1', 'localhost'))
    await other.evaluate(`location.href = ${JSON.stringify(page)}`)
    await other.locator('[data-state="live"]').waitFor()
    await other.close()
  })

  it('is moved through by arrow keys, and remembers where it was in its address', async () => {
    await tab.getByRole('tab', { name: 'Performance' }).focus()
    await tab.keyboard.press('ArrowRight')
    await tab.keyboard.press('ArrowRight')
    await tab.locator('[data-tab="K"]').waitFor()
    expect(await tab.locator('[aria-selected="true"]').textContent()).toBe('Cost')
    expect(new URL(tab.url()).hash).toBe('#cost')
    await tab.reload()
    await tab.locator('[data-tab="K"]').waitFor()
    await tab.getByLabel('Mode', { exact: true }).selectOption('1')
    await tab.locator('[data-panel="K9"] .note', { hasText: 'Counts every mode' }).waitFor()
  })

  it('says when it is not live', async () => {
    stack = await stack.restart()
    await tab.locator('[data-state="away"]').waitFor({ timeout: 15_000 })
    expect(await tab.getByRole('alert').textContent()).toContain('It tries again by itself.')
  })
})
