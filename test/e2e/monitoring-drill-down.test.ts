import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { uuidv7 } from '../../src/core/ids.ts'
import { STORY, SUMMARY } from '../dashboard/requests.ts'
import { type Look, openPage, servePage, timelines, wholeOf } from '../dashboard/shown-page.ts'
import { HOSTILE } from '../dashboard/traffic.ts'
import { chromiumPresent, screenshot, startBrowser } from '../support/browser.ts'
import { describeWith } from '../support/require.ts'
import { ROOT } from '../support/stores.ts'

// From a chart to the requests of a minute, and to what became of one. Pictures lie in test/output.

const NOW_MS = Date.UTC(2026, 10, 21, 14, 3, 40)
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const rowsFrom = (startMs: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    ...SUMMARY,
    id: uuidv7(startMs - i * 1_000),
    created_at: new Date(startMs - i * 1_000).toISOString(),
    ...(i % 4 === 1 && { cache: 'hit', cache_tier: 'memory', cost_usd: 0, total_ms: 2.25 }),
    ...(i % 5 === 2 && { outcome: 'error', error_code: 'upstream_timeout', model: null }),
  }))

const error = (message: string, tip: string) => JSON.stringify({ error: { message, tip } })

/** What the gateway would say. */
type Answer = (url: URL) => { readonly status?: number; readonly body: string } | undefined

describeWith('chromium', chromiumPresent, 'from a chart to its requests', () => {
  let browser: Browser
  let served: Awaited<ReturnType<typeof servePage>>
  const busy = timelines(NOW_MS, 300)

  beforeAll(async () => {
    execFileSync(process.execPath, [join(ROOT, 'scripts/build-page.ts')])
    served = await servePage()
    browser = await startBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await served?.close()
  })

  /** @returns the page, and what it asked of the gateway */
  async function open(look: Look, answer: Answer): Promise<{ page: Page; asked: URL[] }> {
    const asked: URL[] = []
    const page = await openPage(browser, served.url, look, (view, line) =>
      line.send(JSON.stringify(wholeOf(busy, view))),
    )
    page.setDefaultTimeout(8_000)
    await page.route('**/monitoring/requests**', (route) => {
      const url = new URL(route.request().url())
      asked.push(url)
      const given = answer(url)
      return given
        ? route.fulfill({ status: given.status ?? 200, contentType: 'application/json', body: given.body })
        : route.abort()
    })
    await page.locator('[data-panel="P1"] canvas').waitFor()
    return { page, asked }
  }
  const usual: Answer = ({ pathname, searchParams }) => {
    if (pathname !== '/monitoring/requests') return { body: JSON.stringify(STORY) }
    const isFirst = !searchParams.has('cursor')
    const rows = rowsFrom(Date.parse(searchParams.get('to') ?? '') - (isFirst ? 1_000 : 21_000), 20)
    return { body: JSON.stringify({ data: rows, next_cursor: isFirst ? rows.at(-1)?.id : null }) }
  }
  const dialog = (page: Page) => page.getByRole('dialog')
  const rows = (page: Page) => dialog(page).locator('.list tbody tr')
  async function faults(page: Page): Promise<unknown> {
    const cdp = await page.context().newCDPSession(page)
    const run = async (expression: string) =>
      (await cdp.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })).result
        .value
    await run(`${AXE};0`)
    return run(
      'axe.run().then(({ violations }) => violations.filter(({ impact }) => impact !== "minor").map(({ id, nodes }) => id + " " + nodes[0].html))',
    )
  }

  it.each([
    { name: 'light', look: {} },
    { name: 'dark', look: { colorScheme: 'dark' } },
    { name: 'phone', look: { width: 390, height: 844 } },
    { name: 'phone-dark', look: { width: 390, height: 844, colorScheme: 'dark' } },
  ] as const)('$name: list and story fit, and axe finds no fault', async ({ name, look }) => {
    const { page } = await open(look, usual)
    await page.locator('[data-panel="P1"]').getByRole('button', { name: 'Requests' }).click()
    await rows(page).nth(19).waitFor()
    for (const what of ['list', 'story']) {
      if (what === 'story') await rows(page).first().getByRole('button').click()
      if (what === 'story') await dialog(page).getByText('Why this model').waitFor()
      await screenshot(page, `requests-${name}-${what}`, false)
      expect(await faults(page), what).toEqual([])
      const fits =
        '[document.documentElement, document.querySelector("dialog")].every((e) => e.scrollWidth <= e.clientWidth + 1)'
      expect(await page.evaluate<boolean>(fits), `${name} ${what}`).toBe(true)
    }
    await page.context().close()
  })

  it('a click on a chart lists the requests of that minute, under the choices above', async () => {
    const { page, asked } = await open({}, usual)
    await page.getByLabel('Tenant', { exact: true }).selectOption({ index: 1 })
    const tenant = await page.getByLabel('Tenant', { exact: true }).inputValue()
    const chart = page.locator('[data-panel="P1"] .u-over')
    const box = await chart.boundingBox()
    if (!box) throw new Error('no chart')
    // A third of 15 minutes from the left: 13:48:40 + 5 min = 13:53:40, nearest to the point of 13:54.
    await page.mouse.click(box.x + box.width / 3, box.y + box.height / 2)
    await rows(page).first().waitFor()
    const [{ searchParams } = new URL('x:')] = asked
    const told = ['from', 'to', 'tenant'].map((name) => searchParams.get(name))
    expect(told).toEqual(['2026-11-21T13:53:00.000Z', '2026-11-21T13:54:00.000Z', tenant])
    expect(await dialog(page).getByRole('heading', { level: 2 }).textContent()).toBe(
      'Requests from 13:53 to 13:54',
    )
    expect(await dialog(page).getByRole('status').textContent()).toBe('20 requests, newest first')

    await dialog(page).getByRole('button', { name: 'Older ones' }).click()
    await rows(page).nth(39).waitFor()
    expect(asked.at(-1)?.searchParams.get('cursor')).toMatch(/^01/)
    expect(await dialog(page).getByRole('button', { name: 'Older ones' }).isHidden()).toBe(true)
    await dialog(page).getByLabel('Outcome').selectOption('error')
    await expect.poll(() => asked.at(-1)?.searchParams.get('outcome')).toBe('error')
    expect(asked.at(-1)?.searchParams.has('cursor')).toBe(false)
    await page.context().close()
  })

  it('is gone through by keyboard alone, there and back again', async () => {
    const { page, asked } = await open({}, usual)
    const chart = page.getByRole('slider', { name: /^Chart: / }).first()
    await chart.focus()
    expect(await chart.getAttribute('aria-valuetext')).toBe('14:03')
    for (const key of ['ArrowLeft', 'ArrowLeft', 'ArrowRight']) await page.keyboard.press(key)
    expect(await chart.getAttribute('aria-valuetext')).toBe('14:02')
    expect(await page.locator('[data-panel="P1"] .time').textContent()).toBe('14:03:00')
    await page.keyboard.press('Enter')
    await rows(page).first().waitFor()
    expect(asked[0]?.searchParams.get('from')).toBe('2026-11-21T14:02:00.000Z')

    await rows(page).nth(2).getByRole('button').focus()
    await page.keyboard.press('Enter')
    await dialog(page).getByText('Why this model').waitFor()
    expect(asked.at(-1)?.pathname).toBe(
      `/monitoring/requests/${await rows(page).nth(2).locator('.cell-id').textContent()}`,
    )
    expect(await page.locator(':focus').textContent()).toBe('Back to the list')
    await page.keyboard.press('Enter')
    expect(await page.locator(':focus').textContent()).toBe(
      await rows(page).nth(2).getByRole('button').textContent(),
    )
    await page.keyboard.press('Escape')
    expect(await dialog(page).count()).toBe(0)
    expect(await page.locator(':focus').getAttribute('aria-valuetext')).toBe('14:02')

    // Also from the table, and from a chart of another kind.
    const panel = page.locator('[data-panel="P1"]')
    await panel.getByText('Table', { exact: true }).click()
    await panel.getByRole('button', { name: '13:59' }).focus()
    await page.keyboard.press('Enter')
    await rows(page).first().waitFor()
    expect(asked.at(-1)?.searchParams.get('to')).toBe('2026-11-21T13:59:00.000Z')
    await page.context().close()
  })

  it('opens from a heat map, at the column that is meant', async () => {
    const { page, asked } = await open({}, usual)
    const map = page.locator('.panel.heatmap .chart, .panel:has(.chart > canvas) .chart').first()
    await map.focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('Enter')
    await rows(page).first().waitFor()
    await page.keyboard.press('Escape')
    const box = await map.boundingBox()
    if (!box) throw new Error('no heat map')
    await page.mouse.click(box.x + 62 + 2, box.y + 20)
    await expect.poll(() => asked.length).toBe(2)
    expect(asked.map(({ searchParams }) => searchParams.get('from'))).toEqual(
      Array(2).fill('2026-11-21T13:48:00.000Z'),
    )
    await page.context().close()
  })

  it.each([
    ['nothing recorded', { body: '{"data":[],"next_cursor":null}' }, 'No request of this time is recorded.'],
    [
      'signed out',
      { status: 401, body: error('You are not signed in.', 'Sign in.') },
      'Your session is over.',
    ],
    [
      'store down',
      { status: 503, body: error('The database is away.', 'Try again.') },
      'The database is away.Try again.',
    ],
    ['no gateway', undefined, 'The gateway did not answer.'],
    ['nonsense', { status: 502, body: '<html>' }, 'The gateway did not answer.'],
  ] as const)('%s: says what to do, and looks again', async (_, given, text) => {
    let answer: Answer = () => given
    const { page } = await open({}, (url) => answer(url))
    await page.locator('[data-panel="P1"]').getByRole('button', { name: 'Requests' }).click()
    const again = dialog(page).getByRole('button', { name: 'Look again' })
    await again.waitFor()
    expect(await dialog(page).textContent()).toContain(text)
    answer = usual
    await again.click()
    await rows(page).nth(19).waitFor()
    expect(await again.isHidden()).toBe(true)
    // A story that cannot be had leaves a way back.
    answer = () => (given && 'status' in given ? given : undefined)
    await rows(page).first().getByRole('button').click()
    await again.waitFor()
    await dialog(page).getByRole('button', { name: 'Back to the list' }).click()
    expect([await rows(page).count(), await again.isHidden()]).toEqual([20, true])
    await page.context().close()
  })

  it('writes hostile names as text', async () => {
    const hostile = JSON.stringify({ data: [{ ...SUMMARY, model: HOSTILE }], next_cursor: null })
    const story = JSON.stringify({ ...STORY, request_id: HOSTILE, cached_prediction_id: HOSTILE })
    const { page } = await open({}, ({ pathname }) => ({
      body: pathname === '/monitoring/requests' ? hostile : story,
    }))
    await page.locator('[data-panel="P1"]').getByRole('button', { name: 'Requests' }).click()
    await dialog(page).getByText(HOSTILE).click()
    await dialog(page).getByText('Why this model').waitFor()
    expect(await dialog(page).getByText(HOSTILE).count()).toBeGreaterThanOrEqual(2)
    expect(await page.locator('dialog :is(img, script)').count()).toBe(0)
    await page.context().close()
  })
})
