import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Browser, WebSocketRoute } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AlertState } from '../../src/dashboard/messages.ts'
import { TABS } from '../../src/dashboard/tabs.ts'
import { ALERT_RULES, type AlertRule } from '../../src/metrics/alert-rules.ts'
import { openPage, servePage, timelines, wholeOf } from '../dashboard/shown-page.ts'
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
