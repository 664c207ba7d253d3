import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { ROOT } from './stores.ts'

const EXECUTABLE = '/usr/bin/chromium'

export const chromiumPresent = spawnSync(EXECUTABLE, ['--version']).status === 0

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

/** For people to look at; kept out of the repository. @param fullPage also what lies below */
export async function screenshot(page: Page, name: string, fullPage = true): Promise<void> {
  const dir = join(ROOT, 'test/output')
  mkdirSync(dir, { recursive: true })
  await page.screenshot({ path: join(dir, `${name}.png`), fullPage })
}
