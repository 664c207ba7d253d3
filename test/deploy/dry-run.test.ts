import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from '../support/stores.ts'

let clean: string
let home: string
beforeAll(() => {
  clean = mkdtempSync(join(tmpdir(), 'beast-clean-'))
  home = mkdtempSync(join(tmpdir(), 'beast-home-'))
  for (const name of ['scripts', 'supabase', 'package.json'])
    cpSync(join(ROOT, name), join(clean, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(clean, 'node_modules'))
})
afterAll(() => {
  for (const dir of [clean, home]) rmSync(dir, { recursive: true, force: true })
})

/** Without any account, token or address. */
const npmRun = (...args: string[]): string =>
  execFileSync('npm', ['run', '-s', ...args], {
    cwd: clean,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: home },
  })

describe('in a clean checkout, without an account', () => {
  it('npm run deploy -- --dry-run lists every step in order, and writes nothing', () => {
    const before = readdirSync(clean)
    const steps = npmRun('deploy', '--', '--dry-run').trim().split('\n')
    const numbered = steps.filter((line) => /^ ?\d+\. /.test(line)).map((line) => line.trim())
    const expected = [
      'accounts, project',
      'KV namespace beast-cache',
      'queue beast-telemetry-dead',
      'queue beast-telemetry',
      'configurations',
      'secrets that can be made',
      'bundles',
      'migrations',
      'worker beast-state',
      'worker beast-recorder',
      'worker beast-gateway',
      'worker beast-scheduler',
      'smoke test',
    ]
    expect(numbered.length).toBe(expected.length)
    for (const [index, text] of expected.entries())
      expect(numbered[index]).toMatch(new RegExp(`^${index + 1}\\. ${text}`))
    const migrations = readdirSync(join(ROOT, 'supabase/migrations')).map((name) => name.replace('.sql', ''))
    expect(steps.filter((line) => /^ +\d{14}_/.test(line)).map((line) => line.trim())).toEqual(
      migrations.sort(),
    )
    expect(readdirSync(clean)).toEqual(before)
  })

  it('npm run rollback -- --dry-run lists the workers in reverse, and what becomes of migrations', () => {
    const lines = npmRun('rollback', '--', '--dry-run').trim().split('\n')
    expect(lines.map((line) => line.split(' ')[1]).slice(0, 4)).toEqual([
      'beast-scheduler',
      'beast-gateway',
      'beast-recorder',
      'beast-state',
    ])
    expect(lines[4]).toMatch(/^Migrations are not rolled back/)
  })

  it('another option is met with the usage', () => {
    expect(() => npmRun('deploy', '--', '--jurisdiction', 'mars')).toThrow(/usage: npm run deploy/)
    expect(() => npmRun('deploy', '--', '--url', 'nowhere')).toThrow(/usage: npm run deploy/)
  })
})
