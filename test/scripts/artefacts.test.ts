import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedSupabase, startSupabase } from '../../scripts/stack/supabase.ts'
import { BUCKET } from '../../src/training/artefacts/supabase-shelf.ts'
import { describeWith } from '../support/require.ts'
import { ROOT, startTestSupabase } from '../support/stores.ts'

const dir = mkdtempSync(join(tmpdir(), 'beast-artefacts-'))
let supabase: EmbeddedSupabase
beforeAll(async () => {
  supabase = await startTestSupabase()
})
afterAll(async () => {
  await supabase?.close()
  rmSync(dir, { recursive: true, force: true })
})

interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** What a person at the shell sees. */
const artefacts = (...words: string[]) => as({}, ...words)
const as = (more: Record<string, string>, ...words: string[]): Promise<Said> =>
  new Promise((resolve) => {
    const env = {
      ...process.env,
      SUPABASE_URL: supabase.url,
      SUPABASE_SECRET_KEY: supabase.secretKey,
      ...more,
    }
    execFile(
      process.execPath,
      [join(ROOT, 'scripts/artefacts.ts'), ...words],
      { env, timeout: 30_000 },
      (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
    )
  })
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text)
  return join(dir, name)
}

describe('npm run artefacts', () => {
  it('puts, lists, gets and verifies', async () => {
    expect((await artefacts('list')).out).toContain('There are no artefacts yet')
    const put = await artefacts('put', 'models/quality.json', file('q.json', '{"v": 1}\n'), '--stamp')
    expect(put).toMatchObject({
      code: 0,
      out: expect.stringMatching(/models\/quality-\d{8}T\d{9}Z\.json \(9 bytes/),
    })
    await artefacts('put', 'models/quality-2020-01-01.json', file('old.json', '{"v": 0}'))
    await artefacts('put', 'audit/logs/day.json', file('day.json', '[]'))
    const listed = JSON.parse((await artefacts('list', 'models/*', '--json')).out) as {
      name: string
      moment: string
    }[]
    expect(listed).toHaveLength(2)
    expect(listed[1]).toEqual({ name: 'models/quality-2020-01-01.json', moment: '2020-01-01T00:00:00.000Z' })
    expect((await artefacts('get', 'models/quality-*')).out).toBe('{"v": 1}\n')
    await artefacts('get', 'models/quality-2020-01-01.json', '--out', join(dir, 'got.json'))
    expect(readFileSync(join(dir, 'got.json'), 'utf8')).toBe('{"v": 0}')
    expect(await artefacts('verify')).toMatchObject({
      code: 0,
      out: expect.stringContaining('All 3 are sound.'),
    })
  })

  it('says what is damaged, and gives none of it out', async () => {
    await artefacts('put', 'oracle/table.json', file('table.json', '{"rows": [1, 2, 3]}'))
    writeFileSync(join(supabase.storageDir, BUCKET, 'oracle/table.json'), '{"rows": [1, 2, 4]}')
    const verified = await artefacts('verify', 'oracle/*')
    expect(verified.code).toBe(1)
    expect(verified.out).toMatch(/oracle\/table\.json +has another SHA-256/)
    expect(await artefacts('get', 'oracle/table.json')).toMatchObject({ code: 1, out: '' })
    await artefacts('put', 'oracle/table.json', join(dir, 'table.json'))
    expect((await artefacts('verify', 'oracle/*')).code).toBe(0)
  })

  it.each([
    [['put', '../evil.json', 'q.json'], 'is no name of an artefact'],
    [['put', 'models/proto.json', 'proto.json'], 'has the key __proto__'],
    [['put', 'models/absent.json', 'absent.json'], 'cannot be read'],
    [['get', 'models/absent.json'], 'There is no artefact'],
    [['get', 'catalogs/*'], 'No artefact fits'],
    [['list', '*'], 'is no pattern'],
  ])('%j ends in one line that helps', async (words, expected) => {
    file('proto.json', '{"__proto__":{}}')
    const said = await artefacts(
      ...words.map((word) => (existsSync(join(dir, word)) ? join(dir, word) : word)),
    )
    expect(said.code).toBe(1)
    expect(said.err).toContain(expected)
    expect(said.err.trim().split('\n')).toHaveLength(1)
  })

  it('tells a wrong key and a Supabase that is away from an empty bucket, and shows no key', async () => {
    const wrong: Record<string, string>[] = [
      { SUPABASE_URL: 'http://127.0.0.1:1' },
      { SUPABASE_SECRET_KEY: 'sb_secret_canary' },
    ]
    for (const more of wrong) {
      const said = await as(more, 'put', 'models/quality.json', file('q.json', '{}'))
      expect(said).toMatchObject({ code: 1, err: expect.stringContaining('did not serve the bucket') })
      expect(said.out + said.err).not.toMatch(/sb_secret_/)
    }
    expect((await artefacts('shred')).code).toBe(2)
  })

  it('works on a local copy', async () => {
    const folder = join(dir, 'copy')
    await artefacts('put', 'models/quality.json', file('q.json', '{"v": 1}\n'), '--folder', folder)
    expect((await artefacts('list', '--folder', folder)).out).toContain('models/quality.json')
    expect((await artefacts('list', 'models/quality.json')).out).not.toContain('models/quality.json')
  })
})

const sha256sumPresent = spawnSync('sha256sum', ['--version']).status === 0
describeWith('sha256sum', sha256sumPresent, 'a local copy', () => {
  it('is what sha256sum can check', async () => {
    const folder = join(dir, 'summed')
    await artefacts('put', 'models/quality.json', file('q.json', '{"v": 1}\n'), '--folder', folder)
    const models = { cwd: join(folder, 'models'), encoding: 'utf8' } as const
    expect(execFileSync('sha256sum', ['--check', '--strict', 'quality.json.sha256'], models)).toContain('OK')
  })
})

describe('embedded storage', () => {
  it('is still there after a restart', async () => {
    const start = () =>
      startSupabase({
        dataDir: join(dir, 'postgres'),
        storageDir: join(dir, 'storage'),
        migrationsDir: join(ROOT, 'supabase/migrations'),
        port: 0,
        secretKey: supabase.secretKey,
        publishableKey: supabase.publishableKey,
        jwtSecret: 'j'.repeat(43),
      })
    const first = await start()
    await as({ SUPABASE_URL: first.url }, 'put', 'models/kept.json', file('k.json', '{"kept": true}'))
    await first.close()
    const second = await start()
    expect((await as({ SUPABASE_URL: second.url }, 'get', 'models/kept.json')).out).toBe('{"kept": true}')
    await second.close()
  })
})
