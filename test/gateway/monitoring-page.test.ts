import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createFetch } from '../../workers/gateway/app.ts'
import type { Env } from '../../workers/gateway/env.ts'

// Who is let in without a secret: nobody while none is set, and whom Cloudflare Access has let in.

const TEAM = 'https://acme.cloudflareaccess.com'
const AUDIENCE = 'a'.repeat(64)
const NOW_S = 1_795_000_000
const ASSETS = {
  fetch: async () => new Response('<p>figures</p>', { headers: { 'content-type': 'text/html' } }),
}

const gateway = createFetch(() => {
  throw new Error('nothing of the gateway is needed for the page')
})
const context = { waitUntil: () => {}, passThroughOnException: () => {} } as unknown as ExecutionContext
const get = async (env: object, headers: Record<string, string> = {}, path = '') =>
  gateway(
    new Request(`https://gateway.example/monitoring${path}`, { headers }),
    { ASSETS, ...env } as unknown as Env,
    context,
  )

beforeEach(() => vi.useFakeTimers({ now: NOW_S * 1_000 }))
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('without any secret', () => {
  it.each([{}, { VIEWER_TOKEN: '' }, { VIEWER_TOKEN: 'short', OPERATOR_TOKEN: 'short' }])(
    'it is closed and says what to set: %o',
    async (env) => {
      const response = await get(env)
      expect(response.status).toBe(403)
      expect(await response.text()).toContain('wrangler secret put VIEWER_TOKEN')
      const tried = await gateway(
        new Request('https://gateway.example/monitoring/sign-in', {
          method: 'POST',
          headers: { origin: 'https://gateway.example' },
          body: 'secret=short',
        }),
        env as Env,
        context,
      )
      expect([tried.status, tried.headers.get('set-cookie')]).toEqual([403, null])
    },
  )

  it.each([
    { ACCESS_TEAM_DOMAIN: TEAM },
    { ACCESS_AUD: AUDIENCE },
    { ACCESS_TEAM_DOMAIN: 'https://evil.example', ACCESS_AUD: AUDIENCE },
    { ACCESS_TEAM_DOMAIN: 'acme.cloudflareaccess.com', ACCESS_AUD: AUDIENCE },
  ])('half a configuration of Access is refused: %o', async (env) => {
    const response = await get(env)
    expect(response.status).toBe(500)
    expect(await response.text()).toContain('ACCESS_TEAM_DOMAIN')
  })
})

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('Cloudflare Access', () => {
  const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const env = { ACCESS_TEAM_DOMAIN: TEAM, ACCESS_AUD: AUDIENCE, ROOT_KEY: 'r'.repeat(43) }
  const pairs = new Map<string, CryptoKeyPair>()
  beforeAll(async () => {
    for (const kid of ['known', 'next', 'foreign'])
      pairs.set(
        kid,
        (await crypto.subtle.generateKey(
          { ...RSA, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
          true,
          ['sign', 'verify'],
        )) as CryptoKeyPair,
      )
  })
  /** The team's address. @returns how often it was asked */
  function publish(...kids: string[]): () => number {
    let asked = 0
    vi.stubGlobal('fetch', async (url: string) => {
      asked += 1
      expect(url).toBe(`${TEAM}/cdn-cgi/access/certs`)
      const keys = await Promise.all(
        kids.map(async (kid) => ({
          kid,
          ...(await crypto.subtle.exportKey('jwk', (pairs.get(kid) as CryptoKeyPair).publicKey)),
        })),
      )
      return Response.json({ keys })
    })
    return () => asked
  }
  async function token(claims: object = {}, kid = 'known', header: object = {}, signedBy = kid) {
    const head = base64({ alg: 'RS256', kid, typ: 'JWT', ...header })
    const body = base64({
      iss: TEAM,
      aud: [AUDIENCE],
      exp: NOW_S + 60,
      iat: NOW_S,
      email: 'a@b.c',
      ...claims,
    })
    const key = (pairs.get(signedBy) as CryptoKeyPair).privateKey
    const signature = await crypto.subtle.sign(RSA, key, Buffer.from(`${head}.${body}`))
    return `${head}.${body}.${Buffer.from(signature).toString('base64url')}`
  }
  const enter = async (jwt: string) => (await get(env, { 'cf-access-jwt-assertion': jwt })).status

  it('lets in whom it let in', async () => {
    publish('known')
    expect(await enter(await token())).toBe(200)
    expect(await enter(await token({ aud: AUDIENCE }))).toBe(200)
    expect((await get(env)).status).toBe(401)
    expect(
      (
        await get(
          { ...env, ACCESS_TEAM_DOMAIN: '', ACCESS_AUD: '', VIEWER_TOKEN: 'v'.repeat(43) },
          { 'cf-access-jwt-assertion': await token() },
        )
      ).status,
    ).toBe(401)
  })

  it('refuses what is for somebody else, over, not yet, unsigned or signed by others', async () => {
    publish('known')
    const good = await token()
    const [head = '', body = '', signature = ''] = good.split('.')
    const wrong = [
      await token({ aud: ['b'.repeat(64)] }),
      await token({ aud: undefined }),
      await token({ iss: 'https://other.cloudflareaccess.com' }),
      await token({ exp: NOW_S }),
      await token({ exp: undefined }),
      await token({ exp: '9999999999' }),
      await token({ nbf: NOW_S + 120 }),
      await token({}, 'known', {}, 'foreign'),
      await token({}, 'foreign'),
      await token({}, 'known', { alg: 'HS256' }),
      `${base64({ alg: 'none', kid: 'known' })}.${body}.`,
      `${head}.${base64({ iss: TEAM, aud: AUDIENCE, exp: NOW_S + 99 })}.${signature}`,
      `${good}.x`,
      `${head}.${body}`,
      '..',
      '',
      'null.null.null',
    ]
    for (const jwt of wrong) expect(await enter(jwt), jwt).toBe(401)
  })

  it('finds a new key, but asks for no more than one a minute', async () => {
    publish('known')
    expect(await enter(await token())).toBe(200)
    vi.setSystemTime((NOW_S + 61) * 1_000)
    const asked = publish('known', 'next')
    expect(await enter(await token({ exp: NOW_S + 300 }, 'next'))).toBe(200)
    for (let i = 0; i < 20; i++) expect(await enter(await token({ exp: NOW_S + 300 }, 'foreign'))).toBe(401)
    expect(asked()).toBe(1)
  })
})
