import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDevVars } from '../../scripts/stack/dev-vars.ts'
import { loadSecrets } from '../../scripts/stack/secrets.ts'
import { describeWith, redisServerPresent } from '../support/require.ts'
import {
  ROOT,
  redisClient,
  startTestRedis,
  startTestSupabase,
  type TestRedis,
  TOKEN,
} from '../support/stores.ts'

const dir = mkdtempSync(join(tmpdir(), 'beast-test-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const file = (name: string, text: string) => {
  const path = join(dir, name)
  writeFileSync(path, text)
  return path
}

describe('.dev.vars', () => {
  it('is read as names and values', () => {
    const path = file('good', '# keys\nA=1\n\nexport B="two words"\nC=\'x\' \nEMPTY=\nD=a=b # why\n')
    expect(readDevVars(path)).toEqual({ A: '1', B: 'two words', C: 'x', D: 'a=b' })
    expect(readDevVars(join(dir, 'absent'))).toEqual({})
  })

  it.each([
    ['OPENAI_API_KEY sk-secret', 1],
    ['A=1\nB="sk-secret', 2],
    ['=sk-secret', 1],
  ])('names the broken line, not its value: %j', (text, line) => {
    const read = () => readDevVars(file('broken', text))
    expect(read).toThrow(`line ${line}`)
    expect(read).not.toThrow('sk-secret')
  })
})

describe('secrets', () => {
  it("are made once, for the owner's eyes only, and weak ones are refused", () => {
    const path = join(dir, 'secrets.json')
    const first = loadSecrets(path, {})
    expect(loadSecrets(path, {})).toEqual(first)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(first.ROOT_KEY).toHaveLength(43)
    expect(loadSecrets(path, { OPERATOR_TOKEN: 'x'.repeat(40) }).OPERATOR_TOKEN).toBe('x'.repeat(40))
    expect(() => loadSecrets(path, { OPERATOR_TOKEN: 'short' })).toThrow('OPERATOR_TOKEN is shorter')
  })
})

function upstashContract(start: () => Promise<TestRedis>): void {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await start()
  })
  afterAll(() => redis?.close())

  it('serves the genuine client', async () => {
    const client = redisClient(redis.url)
    expect(await client.set('a', 'ü"\n', { px: 60_000 })).toBe('OK')
    expect(await client.get('a')).toBe('ü"\n')
    expect(await client.set('a', 'again', { nx: true, px: 10 })).toBeNull()
    expect(await client.pttl('a')).toBeGreaterThan(50_000)
    expect(await client.del('a', 'b')).toBe(1)
    expect(await client.get('a')).toBeNull()
    expect(await Promise.all([client.ping(), client.exists('a')])).toEqual(['PONG', 0])
  })

  it('refuses a wrong token, nonsense, and unknown commands', async () => {
    const post = (body: string, token = TOKEN) =>
      fetch(redis.url, { method: 'POST', body, headers: { authorization: `Bearer ${token}` } })
    expect((await post('["PING"]', 'wrong')).status).toBe(401)
    expect((await post('nonsense')).status).toBe(400)
    expect((await post('{"a":1}')).status).toBe(400)
    expect(await (await post('["NOPE"]')).json()).toHaveProperty('error')
  })
}

describe('the Upstash endpoint in memory', () => upstashContract(() => startTestRedis(false)))
describeWith('redis-server', redisServerPresent, 'the Upstash endpoint over redis-server', () =>
  upstashContract(() => startTestRedis(true)),
)

describe('embedded Supabase', () => {
  it('applies each migration once and keeps book of it', async () => {
    const supabase = await startTestSupabase()
    const rows = await supabase.sql<{ version: string; name: string }>(
      'select version, name from supabase_migrations.schema_migrations order by version',
    )
    const files = (await readdir(join(ROOT, 'supabase/migrations'))).map((file) => file.replace('.sql', ''))
    expect(rows.map(({ version, name }) => `${version}_${name}`)).toEqual(files.sort())
    await supabase.close()
  })
})
