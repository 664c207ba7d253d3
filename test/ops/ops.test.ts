import { spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { yaml } from '../../scripts/ops/yaml.ts'
import { ROOT } from '../support/stores.ts'

function ops(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/ops.ts'), ...words], {
    encoding: 'utf8',
  })
  return { status, said: stdout + stderr }
}

describe('what lies in the repository', () => {
  it('is what the catalogue says', () => {
    expect(ops('--check')).toEqual({ status: 0, said: 'All 11 files are up to date.\n' })
  })
})

describe('npm run ops', () => {
  let root = ''
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'beast-ops-'))
    cpSync(join(ROOT, 'ops'), join(root, 'ops'), { recursive: true })
    cpSync(join(ROOT, 'docs/metrics.md'), join(root, 'docs/metrics.md'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))
  const here = (...words: string[]) => ops('--root', root, ...words)

  it('--check names what was changed, is missing, or is left over, and leaves it; without, it is mended', () => {
    appendFileSync(join(root, 'ops/beast.rules.yml'), '# mine\n')
    rmSync(join(root, 'docs/metrics.md'))
    writeFileSync(join(root, 'ops/dashboards/beast-old.json'), '{}')
    const { status, said } = here('--check')
    expect(status).toBe(1)
    expect(said).toBe(
      'Stale: ops/beast.rules.yml, docs/metrics.md, ops/dashboards/beast-old.json. Run: npm run ops\n',
    )
    expect(existsSync(join(root, 'docs/metrics.md'))).toBe(false)
    expect(here().status).toBe(0)
    expect(here('--check').status).toBe(0)
    expect(readFileSync(join(root, 'docs/metrics.md'), 'utf8')).toBe(
      readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8'),
    )
  })

  it('follows the settings', () => {
    const settings = JSON.parse(readFileSync(join(root, 'ops/settings.json'), 'utf8'))
    settings.gateway = { scheme: 'https', address: 'gateway.example.com:443', scrape: 'shards' }
    settings.email.to = 'people@example.org'
    writeFileSync(join(root, 'ops/settings.json'), JSON.stringify(settings))
    expect(here('--check').said).toContain('ops/prometheus.yml, ops/alertmanager.yml.')
    here()
    expect(readFileSync(join(root, 'ops/prometheus.yml'), 'utf8')).toContain(
      "url: 'https://gateway.example.com:443/metrics/targets'",
    )
    expect(readFileSync(join(root, 'ops/alertmanager.yml'), 'utf8')).toContain("to: 'people@example.org'")
  })

  it.each([
    ['not JSON', '{'],
    ['a missing part', '{"gateway":{"scheme":"http","address":"127.0.0.1:1","scrape":"merged"}}'],
    ['a field that nobody knows', '{"gateway":{"scheme":"http","address":"a:1","scrape":"merged","x":1}}'],
    ['an address without a port', '{"gateway":{"scheme":"http","address":"a","scrape":"merged"}}'],
  ])('refuses settings with %s in one line, and writes nothing', (_, text) => {
    writeFileSync(join(root, 'ops/settings.json'), text)
    rmSync(join(root, 'docs/metrics.md'))
    const { status, said } = here()
    expect(status).toBe(1)
    expect(said.trim().split('\n')).toHaveLength(1)
    expect(said).toContain('settings.json')
    expect(existsSync(join(root, 'docs/metrics.md'))).toBe(false)
  })

  it('refuses an option that it does not have', () => {
    expect(here('--chekc')).toMatchObject({ status: 2, said: expect.stringContaining('usage:') })
  })
})

describe('YAML', () => {
  it('quotes what would be read as anything but a text', () => {
    expect(
      yaml({ a: 'yes', b: '1', c: "it's: so", d: 'plain', e: 'x\ny', f: '', g: '5m', h: '- x', i: 1 }),
    ).toBe(`a: 'yes'\nb: '1'\nc: 'it''s: so'\nd: plain\ne: "x\\ny"\nf: ''\ng: 5m\nh: '- x'\ni: 1\n`)
  })

  it('nests lists and objects, and leaves out what is undefined', () => {
    expect(yaml({ a: [{ b: 1, c: [true, { d: 'x' }] }, 'why', []], e: {}, f: undefined })).toBe(
      'a:\n  - b: 1\n    c:\n      - true\n      - d: x\n  - why\n  - []\ne: {}\n',
    )
  })
})
