import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { SwitchJson } from '../../src/switches/switch.ts'
import { openPage, servePage, timelines, wholeOf } from '../dashboard/shown-page.ts'
import { chromiumPresent, screenshot, startBrowser } from '../support/browser.ts'
import { describeWith } from '../support/require.ts'
import { ROOT } from '../support/stores.ts'

// What is turned off, as the page shows it.

const NOW_MS = Date.UTC(2026, 10, 21, 14, 3, 40)
const AT = new Date(NOW_MS - 600_000).toISOString()
const OFF: readonly SwitchJson[] = [
  { kind: 'cache', name: 'all', note: 'stale answers', by: 'ann', at: AT, until: null },
  {
    kind: 'model',
    name: 'custom:mine',
    note: '<img src=x>',
    by: 'bo',
    at: AT,
    until: '2026-11-21T16:00:00.000Z',
  },
  { kind: 'tenant', name: 'acme', note: 'x'.repeat(500), by: 'operator', at: AT, until: null },
]

describeWith('chromium', chromiumPresent, 'what is turned off', () => {
  let browser: Browser
  let served: Awaited<ReturnType<typeof servePage>>
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
    { name: 'wide', width: 1440 },
    { name: 'phone', width: 390 },
  ])('stands above the figures, with why, by whom and until when: $name', async ({ name, width }) => {
    const busy = timelines(NOW_MS, 300)
    const page = await openPage(browser, served.url, { width }, (view, line) =>
      line.send(JSON.stringify(wholeOf(busy, view))),
    )
    const strip = page.locator('#switches')
    await page.locator('[data-state="live"]').waitFor()
    // Nothing was told so far.
    expect(await strip.isVisible()).toBe(false)
    let data = OFF
    await page.route('**/monitoring/switches', (route) => route.fulfill({ json: { data } }))
    await page.reload()
    await strip.waitFor()
    const said = await strip.innerText()
    for (const part of [
      '3 turned off',
      'All caching',
      'stale answers',
      'by ann',
      'Model custom:mine',
      'Tenant acme',
    ])
      expect(said).toContain(part)
    expect(said).toMatch(/<img src=x> · by bo.*until .*16:00/)
    expect(await strip.locator('img').count()).toBe(0)
    await screenshot(page, `switches-${name}`, false)
    const [wide, seen] = await page.evaluate<number[]>('[document.documentElement.scrollWidth, innerWidth]')
    expect(wide).toBeLessThanOrEqual(seen ?? 0)
    data = []
    await strip.waitFor({ state: 'hidden', timeout: 20_000 })
    await page.context().close()
  })
})
