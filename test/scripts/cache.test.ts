import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN, ROOT } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

let stack: Stack
let key: string

beforeAll(async () => {
  stack = await startStack()
  key = await stack.key('acme', 'paid')
})
afterAll(() => stack?.close())

/** What a person at the shell sees. */
const cache = (...words: string[]): Promise<{ code: number; out: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, BEAST_URL: stack.url, BEAST_OPERATOR_TOKEN: OPERATOR_TOKEN }
    execFile(process.execPath, [join(ROOT, 'scripts/cache.ts'), ...words], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, out: stdout + stderr }),
    )
  })
const isHit = async (text: string): Promise<boolean> => {
  const response = await chat(stack.url, key, chatBody(text), { 'x-beast-cache': `tag=${text}` })
  await response.text()
  expect(response.status).toBe(200)
  return /; hit/.test(response.headers.get('cache-status') ?? '')
}

describe('npm run cache', () => {
  it('purges by tag, by model and all, and shows what is known', async () => {
    for (const text of ['one', 'two']) {
      await isHit(text)
      expect(await isHit(text)).toBe(true)
    }
    const purged = await cache('purge', '--tenant', 'acme', '--tag', 'one')
    expect(purged).toEqual({ code: 0, out: 'Purged: gone where it was done, everywhere within 90 s.\n' })
    expect([await isHit('one'), await isHit('two')]).toEqual([false, true])
    expect((await cache('purge', '--tenant', 'acme', '--model', 'sim-small')).code).toBe(0)
    expect([await isHit('one'), await isHit('two')]).toEqual([false, false])
    const { out } = await cache('stats', '--tenant', 'acme')
    expect(out).toMatch(/^memory +- +-/m)
    expect(out).toMatch(/^supabase +2 +\d+ +\d+$/m)
    expect(out).toMatch(/^model:simulated:sim-small +20/m)
    expect((await cache('purge', '--tenant', 'acme', '--all')).out).toContain('with all that the tenant has')
    expect([await isHit('one'), await isHit('two')]).toEqual([false, false])
    expect((await cache('stats', '--tenant', 'acme')).out).toContain('No marks hold.')
    expect(JSON.parse((await cache('stats', '--tenant', 'acme', '--json')).out).tiers).toHaveLength(4)
  })

  it('says what is wrong', async () => {
    const wrong = [
      [],
      ['stats'],
      ['purge', '--tenant', 'acme'],
      ['purge', '--tenant', 'acme', '--all', '--tag', 'a'],
      ['stats', '--tenant', 'acme', '--all'],
      ['purge', '--tenant', 'acme', '--tags', 'a'],
    ]
    for (const words of wrong) expect((await cache(...words)).code, words.join(' ')).toBe(2)
    expect(await cache('purge', '--tenant', 'nobody', '--all')).toMatchObject({ code: 1 })
    expect((await cache('purge', '--tenant', 'acme', '--tag', 'a b')).out).toContain('no valid name')
    expect((await cache('purge', '--tenant', 'acme', '--prediction', 'x')).out).toContain(
      'x-beast-prediction',
    )
  })
})
