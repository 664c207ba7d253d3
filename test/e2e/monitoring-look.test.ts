import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Browser, Page, Route, WebSocketRoute } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AlertState } from '../../src/dashboard/messages.ts'
import { TABS } from '../../src/dashboard/tabs.ts'
import { type LongView, parseLongView } from '../../src/dashboard/view.ts'
import { ALERT_RULES, type AlertRule } from '../../src/metrics/alert-rules.ts'
import { openPage, servePage, timelines, wholeOf } from '../dashboard/shown-page.ts'
import { emptyHistory, storedHistory } from '../dashboard/stored-times.ts'
import { chromiumPresent, screenshot, startBrowser } from '../support/browser.ts'
import { describeWith } from '../support/require.ts'
import { ROOT } from '../support/stores.ts'

// What the page looks like, with three hours of traffic and with nothing. Pictures lie in test/output.

const NOW_MS = Date.UTC(2026, 10, 21, 14, 3, 40)
const alert = (name: string, more: Partial<AlertState>): AlertState => {
  const rule = ALERT_RULES.find((each) => each.name === name) as AlertRule
  const none = { labels: '', sinceMs: null, value: null, told: [], silencedUntilMs: null }
  return { ...rule, ...none, rule: name, state: 'pending', ...more }
}
const ALERTS: readonly AlertState[] = [
  alert('HighLatency', { state: 'firing', sinceMs: NOW_MS - 480_000, value: 12.4, told: ['slack'] }),
  alert('HighDailyCost', { sinceMs: NOW_MS - 60_000, value: 417.08 }),
]

describeWith('chromium', chromiumPresent, 'the page', () => {
  let browser: Browser
  let served: Awaited<ReturnType<typeof servePage>>
  const busy = timelines(NOW_MS, 300)
  const idle = timelines(NOW_MS, 0)

  beforeAll(async () => {
    execFileSync(process.execPath, [join(ROOT, 'scripts/build-page.ts')])
    served = await servePage()
    browser = await startBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await served?.close()
  })

  it.each([
    { name: 'light', look: {} },
    { name: 'dark', look: { colorScheme: 'dark' } },
    { name: 'phone', look: { width: 390, height: 844 } },
    { name: 'phone-dark', look: { width: 390, height: 844, colorScheme: 'dark' } },
    { name: 'empty', look: {}, data: idle },
  ] as const)('$name', async (each) => {
    const data = ('data' in each && each.data) || busy
    const page = await openPage(browser, served.url, each.look, (view, line) =>
      line.send(JSON.stringify(wholeOf(data, view, data === busy ? ALERTS : undefined))),
    )
    for (const { code, short } of TABS) {
      await page.getByRole('tab', { name: short }).click()
      await page.locator(`[data-tab="${code}"]`).waitFor()
      await page.locator('.panel :is(.body, .empty, .facts):visible').first().waitFor()
      await screenshot(page, `${each.name}-${code}`)
      const [wide, seen] = await page.evaluate<number[]>('[document.documentElement.scrollWidth, innerWidth]')
      expect(wide, `${each.name} ${short}`).toBeLessThanOrEqual(seen ?? 0)
    }
    await page.context().close()
  })

  /** The page at a longer time, whose answers a test holds in its hand. */
  async function openLong(
    look: Parameters<typeof openPage>[2],
    answer: (view: LongView, route: Route) => void,
  ) {
    const page = await openPage(browser, served.url, look, (view, line) =>
      line.send(JSON.stringify(wholeOf(busy, view))),
    )
    await page.route('**/monitoring/history?*', (route) => {
      const view = parseLongView(new URL(route.request().url()).searchParams)
      if (view) answer(view, route)
    })
    await page.locator('[data-state="live"]').waitFor()
    return page
  }
  const choose = (page: Page, range: string) => page.locator('label.range', { hasText: range }).click()

  it.each([
    { name: 'long', look: {} },
    { name: 'long-dark', look: { colorScheme: 'dark' } },
    { name: 'long-phone', look: { width: 390, height: 844 } },
    { name: 'long-empty', look: {}, isEmpty: true },
  ] as const)('$name', async (each) => {
    const page = await openLong(each.look, (view, route) =>
      route.fulfill({
        json: 'isEmpty' in each ? emptyHistory(view, NOW_MS, NOW_MS) : storedHistory(view, NOW_MS),
      }),
    )
    for (const range of ['24 h', '7 d', '30 d']) {
      await choose(page, range)
      await page.getByText('From the database: all that was stored by').waitFor()
      for (const { code, short } of TABS.slice(0, range === '7 d' ? undefined : 1)) {
        await page.getByRole('tab', { name: short }).click()
        await page.locator(`[data-tab="${code}"]`).waitFor()
        await page.locator('.panel :is(.body, .empty, .facts):visible').first().waitFor()
        await screenshot(page, `${each.name}-${range.replace(' ', '')}-${code}`)
        const [wide, seen] = await page.evaluate<number[]>(
          '[document.documentElement.scrollWidth, innerWidth]',
        )
        expect(wide, `${each.name} ${short}`).toBeLessThanOrEqual(seen ?? 0)
      }
      await page.getByRole('tab', { name: 'Performance' }).click()
    }
    await page.context().close()
  })

  it('asks the database for longer times, of what is chosen, and goes back to what is live', async () => {
    const asked: LongView[] = []
    const page = await openLong({}, (view, route) => {
      asked.push(view)
      void route.fulfill({ json: storedHistory(view, NOW_MS) })
    })
    const rate = page.locator('[data-panel="P1"] .value')
    const live = await rate.textContent()
    await choose(page, '24 h')
    await page.getByText('A point is an hour').waitFor()
    const day = await rate.textContent()
    expect(day).not.toBe(live)
    await page.getByLabel('Tenant', { exact: true }).selectOption('globex')
    await expect.poll(() => asked.length).toBe(2)
    await choose(page, '30 d')
    await page.getByText('A point is six hours').waitFor()
    expect(asked).toEqual([
      { minutes: 1_440, filter: {} },
      { minutes: 1_440, filter: { tenant: 'globex' } },
      { minutes: 43_200, filter: { tenant: 'globex' } },
    ])
    // Where nothing comes from the database, nothing says so; what is only live does.
    await page.getByRole('tab', { name: 'Custom models' }).click()
    expect(await page.locator('#source').isHidden()).toBe(true)
    await page.getByRole('tab', { name: 'System' }).click()
    await page.locator('[data-panel="S10"]', { hasText: 'nobody keeps what it was' }).waitFor()
    await page.getByRole('tab', { name: 'Performance' }).click()
    await page.getByLabel('Tenant', { exact: true }).selectOption('')
    await choose(page, '15 min')
    await expect.poll(() => rate.textContent()).toBe(live)
    expect(await page.locator('#source').isHidden()).toBe(true)
    await page.context().close()
  })

  it('has the steps of longer times as a table, with their dates', async () => {
    const page = await openLong({}, (view, route) => route.fulfill({ json: storedHistory(view, NOW_MS) }))
    await choose(page, '24 h')
    const panel = page.locator('[data-panel="P1"]')
    await panel.getByText('Table').click()
    const rows = panel.locator('tbody tr')
    await expect.poll(() => rows.count()).toBe(26)
    expect(await rows.first().textContent()).toBe(`All${await panel.locator('.value').textContent()}`)
    expect(await rows.nth(1).textContent()).toContain('Nov 21, 2026, 14:02')
    await choose(page, '7 d')
    await expect.poll(() => rows.count()).toBe(86)
    await page.context().close()
  })

  it('says what to do when the database is down, goes on live, and tries again', async () => {
    const answers = [
      (route: Route) =>
        route.fulfill({
          status: 503,
          json: { error: { message: 'The database did not do what was asked.', tip: 'See GET /readyz.' } },
        }),
      (route: Route) => route.abort(),
    ]
    const page = await openLong({}, (view, route) => {
      const answer = answers.shift()
      void (answer ? answer(route) : route.fulfill({ json: storedHistory(view, NOW_MS) }))
    })
    await page.clock.install()
    await choose(page, '7 d')
    const source = page.locator('#source')
    await page.getByText('Longer times cannot be shown.').waitFor()
    expect(await source.textContent()).toBe(
      'Longer times cannot be shown. The database did not do what was asked. See GET /readyz. The page tries again every 15 s. Live figures go on: choose 3 h or less.',
    )
    await screenshot(page, 'long-down')
    expect(await page.locator('[data-panel="P1"] .empty').textContent()).toBe('The database told nothing.')
    expect(await page.locator('[data-panel="P10"] .empty').textContent()).toContain('nobody keeps')
    expect(await page.locator('[data-vital="P1"]').textContent()).toMatch(/\/s/)
    await page.clock.runFor(16_000)
    await page.getByText('The gateway did not answer.').waitFor()
    await page.clock.runFor(16_000)
    await page.getByText('From the database: all that was stored by').waitFor()
    expect(await page.locator('[data-panel="P1"] .empty').isHidden()).toBe(true)
    await page.context().close()
  })

  it('says when summing up is behind, and when the session is over', async () => {
    let isOver = false
    const page = await openLong({}, (view, route) =>
      route.fulfill(
        isOver ? { status: 401, body: '' } : { json: storedHistory(view, NOW_MS, NOW_MS - 3 * 3_600_000) },
      ),
    )
    await choose(page, '24 h')
    await page.getByText('3 h ago. Summing up is behind').waitFor()
    isOver = true
    await choose(page, '7 d')
    await page.getByText('Your session is over. Load the page again').waitFor()
    await page.context().close()
  })

  it('comes back by itself when its line breaks, and keeps what it knew', async () => {
    const lines = new Set<WebSocketRoute>()
    const page = await openPage(browser, served.url, {}, (view, line) => {
      if (!lines.has(line)) line.send(JSON.stringify(wholeOf(busy, view)))
      lines.add(line)
    })
    await page.locator('[data-state="live"]').waitFor()
    for (const line of lines) await line.close({ code: 1012 })
    await page.locator('[data-state="away"]').waitFor()
    expect(await page.locator('#trouble').textContent()).toContain('It tries again by itself.')
    expect(await page.locator('[data-vital="P1"]').textContent()).toMatch(/\/s/)
    await page.locator('[data-state="live"]').waitFor()
    expect(await page.locator('#trouble').isHidden()).toBe(true)
    expect(lines.size).toBe(2)
    await page.context().close()
  })

  it('says that the session is over, and does not try on', async () => {
    const page = await openPage(browser, served.url, {}, (view, line) => {
      line.send(JSON.stringify(wholeOf(busy, view)))
      void line.close({ code: 4401 })
    })
    await page.getByRole('link', { name: 'Sign in again' }).waitFor()
    expect(await page.locator('#live').textContent()).toBe('Signed out')
    await page.context().close()
  })

  it('has every chart as a table', async () => {
    const page = await openPage(browser, served.url, {}, (view, line) =>
      line.send(JSON.stringify(wholeOf(busy, view))),
    )
    const panel = page.locator('[data-panel="P1"]')
    await panel.getByText('Table').click()
    await panel.locator('tbody tr').first().waitFor()
    expect(await panel.locator('tbody tr').count()).toBe(16)
    expect(await panel.locator('tbody tr').first().textContent()).toBe(
      `Now${await panel.locator('.value').textContent()}`,
    )
    await page.context().close()
  })
})
