import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OPERATOR_TOKEN, ROOT } from '../support/stores.ts'
import { type Stack, startStack } from '../support/workers.ts'

let stack: Stack
const CANARY = 'sk-canary-from-the-environment'

beforeAll(async () => {
  stack = await startStack()
  await stack.key('acme')
})
afterAll(() => stack?.close())

/** What a person at the shell sees. */
const models = (...words: string[]) => run('models', words)
const run = (program: string, words: readonly string[]): Promise<{ code: number; out: string }> =>
  new Promise((resolve) => {
    const env = {
      ...process.env,
      BEAST_URL: stack.url,
      BEAST_OPERATOR_TOKEN: OPERATOR_TOKEN,
      MODEL_KEY: CANARY,
    }
    execFile(
      process.execPath,
      [join(ROOT, `scripts/${program}.ts`), ...words],
      { env },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, out: stdout + stderr }),
    )
  })
const forAcme = (...words: string[]) => models(...words, '--tenant', 'acme')

describe('npm run models', () => {
  it('adds a model, tests it, changes it, publishes it, and rotates its key', async () => {
    const { url } = stack.provider
    const added = await forAcme(
      'add',
      'mine',
      '--endpoint',
      url,
      '--model',
      'sim-small',
      '--key-from',
      'MODEL_KEY',
    )
    expect(added.out).toContain('custom:mine')
    expect(added.out).toContain('sim-large')
    expect((await forAcme('test', 'mine')).out).toContain('It works (2xx')
    expect((await forAcme('disable', 'mine')).code).toBe(0)
    expect((await forAcme('list')).out).toMatch(/custom:mine .* openai .* disabled/)
    expect((await forAcme('enable', 'mine')).code).toBe(0)
    expect((await forAcme('publish', 'mine')).out).toContain(url)
    expect((await forAcme('set', 'mine', '--model', 'sim-large')).code).toBe(0)
    const shown = JSON.parse((await forAcme('show', 'mine', '--json')).out)
    expect(shown).toMatchObject({
      is_public: true,
      is_active: true,
      revision: 2,
      config: { model: 'sim-large' },
    })
    expect((await models('rotate-keys')).out).toContain('Rewrapped 0, unchanged 1.')
    const upstream = ['--tenant', 'beast-system', '--upstream', 'simulated:sim-large']
    expect((await models('set', 'beast-mode-code-generator', ...upstream)).code).toBe(0)
    const removed = await forAcme('remove', 'mine')
    expect(removed.code).toBe(0)
    for (const { out } of [added, removed]) expect(out).not.toContain(CANARY)
  })

  it('ends with 1 and advice where something cannot be done, with 2 where it was not understood', async () => {
    const address = ['--endpoint', 'http://169.254.169.254/v1']
    expect(await forAcme('add', 'evil', ...address)).toMatchObject({
      code: 1,
      out: expect.stringContaining('refused'),
    })
    expect(await forAcme('test', 'absent')).toMatchObject({
      code: 1,
      out: expect.stringContaining('no model'),
    })
    expect(await models('list', '--tenant', 'nobody')).toMatchObject({ code: 1 })
    const empty = ['--endpoint', stack.provider.url, '--key-from', 'NO_SUCH_VARIABLE']
    expect(await forAcme('add', 'x', ...empty)).toMatchObject({
      code: 1,
      out: expect.stringContaining('NO_SUCH'),
    })
    for (const words of [
      [],
      ['list'],
      ['add', '--tenant', 'acme'],
      ['dance', 'x', '--tenant', 'acme'],
      ['--nope'],
    ])
      expect(await models(...words)).toMatchObject({ code: 2, out: expect.stringContaining('usage') })
  })
})

describe('npm run keys', () => {
  it('lists the keys that there are', async () => {
    expect((await run('keys', ['list', '--tenant', 'acme'])).out).toMatch(/TENANT .*\n.* acme .* active/)
  })
})
