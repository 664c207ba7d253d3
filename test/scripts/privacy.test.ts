import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { fill, hashOf } from '../support/privacy.ts'
import { OPERATOR_TOKEN, ROOT } from '../support/stores.ts'
import { type Stack, startStack } from '../support/workers.ts'

let stack: Stack
let proxy: FaultProxy
let dir: string
const USER = 'ann & bob/é'

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beast-privacy-'))
  stack = await startStack({}, async (url) => {
    proxy = await startFaultProxy(url)
    return proxy.url
  })
  for (const name of ['acme', 'other']) {
    await stack.key(name)
    const [tenant] = await stack.supabase.sql<{ id: string }>(`select id from tenants where name = '${name}'`)
    await fill(stack.supabase, tenant?.id ?? '')
    const hash = await hashOf(tenant?.id ?? '', USER)
    await stack.supabase.sql(
      `update ml_predictions set user_hash = '${hash}' where tenant_id = '${tenant?.id}'`,
    )
  }
})
beforeEach(() => proxy.set({ kind: 'none' }))
afterAll(async () => {
  await stack?.close()
  await proxy?.close()
  rmSync(dir, { recursive: true, force: true })
})

/** What a person at the shell sees. */
const privacy = (...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, BEAST_URL: stack.url, BEAST_OPERATOR_TOKEN: OPERATOR_TOKEN }
    execFile(
      process.execPath,
      [join(ROOT, 'scripts/privacy.ts'), ...words],
      { env, cwd: dir },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })
const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const tenants = async () =>
  (await stack.supabase.sql<{ name: string }>('select name from tenants order by name')).map(
    ({ name }) => name,
  )

describe('npm run privacy', () => {
  it('exports to a file that only its owner reads, or to standard output, a tenant or a user', async () => {
    const told = await privacy('export', '--tenant', 'acme', '--out', 'acme.ndjson')
    expect(told).toMatchObject({ code: 0, stderr: '' })
    const rows = lines(readFileSync(join(dir, 'acme.ndjson'), 'utf8'))
    expect(rows.at(-1)).toEqual({ complete: true, rows: rows.length - 1 })
    expect(told.stdout).toBe(`${rows.length - 1} rows of tenant "acme" are in acme.ndjson.\n`)
    expect(statSync(join(dir, 'acme.ndjson')).mode & 0o077).toBe(0)
    expect(lines((await privacy('export', '--tenant', 'acme')).stdout)).toEqual(rows)
    const ofUser = await privacy('export', '--tenant', 'acme', '--user', USER, '--out', 'user', '--json')
    expect(JSON.parse(ofUser.stdout)).toEqual({ rows: 1, file: 'user' })
    expect(lines(readFileSync(join(dir, 'user'), 'utf8'))[0]).toMatchObject({ section: 'ml_predictions' })
  })

  it('says in one line what cannot be done, and leaves nothing half done', async () => {
    const files = readdirSync(dir)
    const cases: [string[], RegExp][] = [
      [['export', '--tenant', 'nobody', '--out', 'x'], /no tenant of this name/],
      [['erase', '--tenant', 'nobody', '--yes'], /no tenant of this name/],
      [['erase', '--tenant', 'beast-system', '--yes'], /public models/],
      [['erase', '--tenant', 'acme'], /tenant "acme" for good.*--yes/],
      [['erase', '--tenant', 'acme', '--user', USER], /user "ann & bob\/é" of tenant "acme".*--yes/],
      [['export', '--tenant', 'acme', '--out', 'no/such/folder'], /cannot be written/],
      [['export', '--tenant', 'acme', '--url', 'http://127.0.0.1:1'], /No gateway answers/],
    ]
    for (const [words, expected] of cases) {
      const { code, stdout, stderr } = await privacy(...words)
      expect([words, code, stdout]).toEqual([words, 1, ''])
      expect(stderr).toMatch(expected)
      expect(stderr.trimEnd()).not.toContain('\n')
    }
    for (const words of [
      [],
      ['export'],
      ['erase', '--yes'],
      ['dance', '--tenant', 'acme'],
      ['export', '--tenant', 'acme', '--user', ''],
      ['erase', '--tenant', 'acme', '--user', '', '--yes'],
      ['erase', 'acme', '--tenant', 'acme', '--yes'],
      ['--nope'],
    ])
      expect([words, await privacy(...words)]).toMatchObject([
        words,
        { code: 2, stderr: expect.stringContaining('usage') },
      ])
    expect(readdirSync(dir)).toEqual(files)
    expect(await tenants()).toEqual(['acme', 'beast-system', 'other'])
  })

  it('takes an export that broke off for none', async () => {
    proxy.set({
      kind: 'rewrite',
      rewrite: (body, path) => (path.includes('export_page') && body === '[]' ? '<html>' : body),
    })
    const { code, stderr } = await privacy('export', '--tenant', 'acme', '--out', 'broken')
    expect([code, stderr]).toEqual([1, expect.stringContaining('broke off')])
    expect(existsSync(join(dir, 'broken'))).toBe(false)
    expect(existsSync(join(dir, 'broken.part'))).toBe(false)
  })

  it('erases a user, then the tenant, however many calls that takes', async () => {
    const user = await privacy('erase', '--tenant', 'acme', '--user', USER, '--yes')
    expect(user).toMatchObject({ code: 0, stdout: expect.stringContaining('ml_predictions 1') })
    expect(await tenants()).toContain('acme')
    await stack.supabase.sql(
      `insert into virtual_keys (tenant_id, digest, hint)
       select id, rpad('key' || g, 43, 'd'), 'hint' from tenants, generate_series(1, 70) g where name = 'acme'`,
    )
    const { code, stdout } = await privacy('erase', '--tenant', 'acme', '--yes', '--json')
    expect([code, JSON.parse(stdout).removed]).toEqual([
      0,
      expect.objectContaining({ virtual_keys: 72, tenants: 1 }),
    ])
    expect(await tenants()).toEqual(['beast-system', 'other'])
  })
})
