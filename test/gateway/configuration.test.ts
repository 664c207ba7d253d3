import { describe, expect, it } from 'vitest'
import { createFetch } from '../../workers/gateway/app.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { configuredProviders } from '../../workers/gateway/providers.ts'
import { createServices } from '../../workers/gateway/services.ts'

const GOOD = {
  ROOT_KEY: 'r'.repeat(42).concat('o'),
  KEY_PEPPER: 'k'.repeat(43),
  SUPABASE_URL: 'http://127.0.0.1:9',
  SUPABASE_SECRET_KEY: 's',
  OPERATOR_TOKEN: 'o'.repeat(43),
}
const env = (vars: object) => ({ ...GOOD, ...vars }) as unknown as Env
const AS_SOMEONE = { headers: { authorization: 'Bearer x' } }
const ctx = { waitUntil: () => {} } as unknown as ExecutionContext

describe('a secret that is missing or weak', () => {
  it.each([
    ['ROOT_KEY', undefined],
    ['ROOT_KEY', ''],
    ['ROOT_KEY', 'weak'],
    ['ROOT_KEY', '!'.repeat(43)],
    ['KEY_PEPPER', ''],
    ['KEY_PEPPER', 'weak'],
    ['SUPABASE_URL', undefined],
    ['SUPABASE_SECRET_KEY', ''],
    ['MAX_BODY_BYTES', '-1'],
  ])('%s = %j: closed, and named', async (name, value) => {
    const handle = createFetch((env) => createServices(env))
    const response = await handle(new Request('http://g/v1/models', AS_SOMEONE), env({ [name]: value }), ctx)
    expect(response.status).toBe(500)
    const { error } = (await response.json()) as { error: { code: string; message: string } }
    expect(error.code).toBe('misconfigured')
    expect(error.message).toContain(name)
    if (value) expect(error.message).not.toContain(value)
    expect((await handle(new Request('http://g/healthz'), env({ [name]: value }), ctx)).status).toBe(200)
  })

  it.each([undefined, '', 'short'])('OPERATOR_TOKEN = %j: the administration is closed', async (token) => {
    const handle = createFetch((env) => createServices(env))
    for (const presented of ['', `Bearer ${token}`, 'Bearer ', 'Bearer undefined']) {
      const request = new Request('http://g/api/admin/keys', { headers: { authorization: presented } })
      expect((await handle(request, env({ OPERATOR_TOKEN: token }), ctx)).status).toBe(401)
    }
  })
})

describe('providers', () => {
  it('come from what is configured', () => {
    const names = (vars: object) => configuredProviders(env(vars)).map(({ name }) => name)
    expect(names({})).toEqual([])
    expect(names({ SIMULATED_PROVIDER_URL: 'http://127.0.0.1:1/v1' })).toEqual(['simulated'])
    expect(
      names({ OPENAI_API_KEY: 'a', ANTHROPIC_API_KEY: 'b', OLLAMA_BASE_URL: 'http://127.0.0.1:11434/' }),
    ).toEqual(['openai', 'anthropic', 'ollama'])
    const [ollama] = configuredProviders(env({ OLLAMA_BASE_URL: 'http://127.0.0.1:11434/' }))
    expect(ollama?.endpoints.map(({ baseUrl }) => baseUrl)).toEqual(['http://127.0.0.1:11434/v1'])
    const [openai] = configuredProviders(env({ OPENAI_API_KEY: 'a, b' }))
    expect(openai?.endpoints.map(({ id, credential }) => [id, credential])).toEqual([
      ['openai', 'a'],
      ['openai#2', 'b'],
    ])
    expect(configuredProviders(env({ OPENAI_API_KEY: 'a' }))[0]?.plans).toEqual(['paid'])
  })

  it.each(['OPENAI', 'ANTHROPIC', 'GEMINI'])("lie where %s_BASE_URL says, else at the vendor's", (name) => {
    const key = { [`${name}_API_KEY`]: 'k' }
    const [usual] = configuredProviders(env(key))
    const [moved] = configuredProviders(env({ ...key, [`${name}_BASE_URL`]: 'https://proxy.example.com/x/' }))
    expect(usual?.endpoints[0].baseUrl).toMatch(/^https:\/\/\S+\/v1(beta)?$/)
    expect(moved?.endpoints[0]).toMatchObject({
      baseUrl: 'https://proxy.example.com/x',
      host: 'proxy.example.com',
    })
    // What one server answered is not served in the name of the other.
    expect(moved?.revision).not.toBe(usual?.revision)
    expect(configuredProviders(env({ [`${name}_BASE_URL`]: 'https://proxy.example.com/x' }))).toEqual([])
  })

  it.each([
    'proxy',
    'ftp://proxy.example.com',
    'https://u:hunter2@proxy.example.com',
    'https://p.com/?k=hunter2',
  ])('are not looked for at %s, which the error does not repeat', (address) => {
    const vars = { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: address }
    const expected = { code: 'misconfigured', message: expect.stringContaining('OPENAI_BASE_URL') }
    expect(() => configuredProviders(env(vars))).toThrow(expect.objectContaining(expected))
    expect(() => configuredProviders(env(vars))).not.toThrow(/hunter2/)
  })
})
