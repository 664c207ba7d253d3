import { execFile } from 'node:child_process'
import { createHmac, generateKeyPairSync, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { databaseKey, signerOf, WORKER_ROLES } from '../../scripts/stack/database-keys.ts'
import { supabaseConnector } from '../../workers/supabase.ts'
import { KEYS, ROOT } from '../support/stores.ts'

const dir = mkdtempSync(join(tmpdir(), 'beast-keys-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const file = (name: string, text: string) => {
  const path = join(dir, name)
  writeFileSync(path, text)
  return path
}

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const jwkOf = (pair: typeof ec) => ({ ...pair.privateKey.export({ format: 'jwk' }), kid: 'key-1' })
const JWT_SECRET = KEYS.jwtSecret
const PUBLISHABLE = 'sb_publishable_p'

const partsOf = (token: string) => {
  const [header = '', claims = '', signature = ''] = token.split('.')
  const json = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  return {
    header: json(header),
    claims: json(claims),
    signed: Buffer.from(`${header}.${claims}`),
    signature: Buffer.from(signature, 'base64url'),
  }
}

/** The command, as an operator without a laptop stack runs it. */
const run = (args: readonly string[], env: Record<string, string> = {}) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      [join(ROOT, 'scripts/database-keys.ts'), ...args],
      { env: { PATH: process.env.PATH ?? '', ...env } },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    )
  })

describe('a key of a role', () => {
  const life = { nowMs: 1_800_000_000_500, days: 2 }

  it.each(Object.entries(WORKER_ROLES))('%s names %s and its end', (name, role) => {
    const key = databaseKey(name as keyof typeof WORKER_ROLES, PUBLISHABLE, signerOf(JWT_SECRET), life)
    const [apiKey, token = ''] = key.split(':')
    expect(apiKey).toBe(PUBLISHABLE)
    const { header, claims, signed, signature } = partsOf(token)
    expect(header).toEqual({ alg: 'HS256', typ: 'JWT' })
    expect(claims).toEqual({ role, iat: 1_800_000_000, exp: 1_800_172_800 })
    expect(signature).toEqual(createHmac('sha256', JWT_SECRET).update(signed).digest())
  })

  it.each([
    ['ES256', jwkOf(ec), ec.publicKey],
    ['RS256', jwkOf(rsa as typeof ec), rsa.publicKey],
    ['ES256', [jwkOf(ec)], ec.publicKey],
  ])('is signed by a private key, %s', (alg, jwk, key) => {
    const { header, signed, signature } = partsOf(signerOf(JSON.stringify(jwk))({ role: 'r' }))
    expect(header).toEqual({ alg, kid: 'key-1', typ: 'JWT' })
    expect(verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true)
  })

  it.each([
    'short',
    '{}',
    '[]',
    '{"kty":"EC"}',
    JSON.stringify(ec.publicKey.export({ format: 'jwk' })),
    '{"kty":"oct"}',
  ])('is not signed by %s', (text) => {
    expect(() => signerOf(text)({})).toThrow(/signing key/)
  })
})

describe('the command', () => {
  const env = { SUPABASE_PUBLISHABLE_KEY: PUBLISHABLE }

  it('prints the key and nothing else', async () => {
    const signing = file('signing-key.json', JSON.stringify(jwkOf(ec)))
    const { code, stdout } = await run(['keeper', '--days', '7', '--signing-key', signing], env)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^sb_publishable_p:[\w-]+\.[\w-]+\.[\w-]+\n$/)
    const { claims } = partsOf(stdout.trim().split(':')[1] ?? '')
    expect(claims).toMatchObject({ role: 'beast_keeper' })
    expect(claims.exp - claims.iat).toBe(7 * 86_400)
    const bySecret = await run(['reader'], { ...env, SUPABASE_SIGNING_KEY: JWT_SECRET })
    expect(partsOf(bySecret.stdout.trim().split(':')[1] ?? '').claims.role).toBe('beast_reader')
  })

  it.each([
    [[]],
    [['service_role']],
    [['recorder', 'reader']],
    [['recorder', '--days', '0']],
    [['recorder', '--days', 'x']],
    [['recorder', '--nonsense']],
  ])('shows its usage for %j', async (args) => {
    const { code, stdout, stderr } = await run(args, env)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^usage:/)
  })

  it('says in one line what is missing, and shows no key', async () => {
    const wrong = file('wrong.json', '{"kty":"EC","d":"canary"}')
    for (const args of [
      ['recorder', '--signing-key', join(dir, 'absent')],
      ['recorder', '--signing-key', wrong],
    ]) {
      const { code, stderr } = await run(args, env)
      expect(code).toBe(1)
      expect(stderr.trim().split('\n')).toHaveLength(1)
      expect(stderr).not.toContain('canary')
    }
    const alone = await run(['recorder'], { SUPABASE_SIGNING_KEY: JWT_SECRET })
    const secret = await run(['recorder'], {
      SUPABASE_SIGNING_KEY: JWT_SECRET,
      SUPABASE_PUBLISHABLE_KEY: 'sb_secret_canary',
    })
    for (const { code, stdout, stderr } of [alone, secret]) {
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining('SUPABASE_PUBLISHABLE_KEY')])
      expect(stderr).not.toContain('canary')
    }
  })
})

describe('a worker', () => {
  const connect = (key: string) =>
    supabaseConnector({ url: 'http://127.0.0.1:9', key, keyName: 'SUPABASE_RECORDER_KEY', timeoutMs: 1 })
  const keyOf = (days: number) =>
    databaseKey('SUPABASE_RECORDER_KEY', PUBLISHABLE, signerOf(JWT_SECRET), { nowMs: Date.now(), days })

  it('takes a secret key, and the key of a role until it expires', () => {
    for (const key of ['sb_secret_s', keyOf(1)]) expect(connect(key)()).toHaveProperty('from')
    expect(connect(keyOf(-1))).toThrow('SUPABASE_RECORDER_KEY has expired')
    for (const key of [`${PUBLISHABLE}:`, `${PUBLISHABLE}:a.b.c`, `${PUBLISHABLE}:a.bnVsbA.c`])
      expect(connect(key)).toThrow('is not a key')
  })
})
