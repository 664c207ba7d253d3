import { execFile } from 'node:child_process'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { type Answer, type Api, apiAt, chatsAt, codeOf, isHit, lastBody } from '../support/api.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN, ROOT } from '../support/stores.ts'
import { type Stack, startStack } from '../support/workers.ts'

// Limits through the whole stack, with OpenAI's own client in front of it.

const PATIENCE = { timeout: 25_000, interval: 200 }
let stack: Stack
let api: Api
let tenants = 0
beforeAll(async () => {
  stack = await startStack()
  api = apiAt(stack.url)
  // The first statements of a cold database may take longer than a request waits.
  await vi.waitFor(() => stack.admin.create('first', 'free'), PATIENCE)
})
afterAll(() => stack?.close())

const CHAT = '/v1/chat/completions'

interface Team {
  readonly name: string
  readonly key: string
  readonly keyId: string
  ask(text: string, more?: JsonObject, key?: string): Promise<Answer>
  set(limits: object): Promise<Answer>
  limits(): Promise<readonly JsonObject[]>
}

async function team(): Promise<Team> {
  const name = `limited-${++tenants}`
  const { key, id } = await stack.admin.create(name, 'paid')
  return {
    name,
    key,
    keyId: id,
    ask: (text, more = {}, of = key) => api(of, 'POST', CHAT, chatBody(text, more)),
    set: (limits) => api(OPERATOR_TOKEN, 'PUT', '/api/limits', { tenant: name, ...limits }),
    limits: async () => (await api(key, 'GET', '/api/limits')).body.data,
  }
}
const asked = () => chatsAt(stack.provider).length
const client = (apiKey: string, maxRetries: number) =>
  new OpenAI({ baseURL: `${stack.url}/v1`, apiKey, maxRetries })
const say = (content: string) => ({ model: 'sim-small', messages: [{ role: 'user' as const, content }] })

describe('a limit of requests', () => {
  it('lets exactly so many of two hundred at once reach the provider, and leaves others alone', {
    timeout: 60_000,
  }, async () => {
    const { ask, set, keyId, name } = await team()
    const other = await stack.key(name)
    const stranger = await team()
    expect((await set({ key_id: keyId, requests_per_minute: 37 })).status).toBe(200)
    const calls = asked()
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => ask(`one of many ${index}`)))
    const count = (status: number) => answers.filter((answer) => answer.status === status).length
    expect([count(200), count(429), asked() - calls]).toEqual([37, 163, 37])
    for (const { status, headers, body } of answers) {
      expect(headers.get('x-ratelimit-limit-requests')).toBe('37')
      if (status === 200) continue
      expect(body.error).toMatchObject({
        code: 'rate_limit_exceeded',
        context: { limit: 'requests', of: 'key' },
      })
      expect(Number(headers.get('retry-after'))).toBe(
        Math.ceil(Number(headers.get('retry-after-ms')) / 1_000),
      )
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
    }
    const free = await ask('of another key', {}, other)
    expect([free.status, free.headers.get('x-ratelimit-limit-requests')]).toEqual([200, null])
    expect((await stranger.ask('of another tenant')).status).toBe(200)
    // What was refused is recorded as what it was.
    const rows = () =>
      stack.supabase.sql(
        `select outcome, error_code, count(*)::int as n from ml_predictions p join tenants t on t.id = p.tenant_id
         where t.name = '${name}' and key_id = '${keyId}' group by 1, 2 order by 3`,
      )
    await expect.poll(rows, PATIENCE).toEqual([
      { outcome: 'success', error_code: null, n: 37 },
      { outcome: 'client_error', error_code: 'rate_limit_exceeded', n: 163 },
    ])
  })

  it('is an error of its own class to OpenAI’s client', async () => {
    const { key, set } = await team()
    await set({ requests_per_minute: 1 })
    await client(key, 0).chat.completions.create(say('first'))
    const refused = await client(key, 0)
      .chat.completions.create(say('second'))
      .catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(OpenAI.RateLimitError)
    expect(refused).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'rate_limit_exceeded' })
  })

  it('counts answers from the cache in the isolate', async () => {
    const { ask, set } = await team()
    await set({ requests_per_minute: 3 })
    const answers = []
    for (let i = 0; i < 5; i++) answers.push(await ask('the same'))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429])
    expect(answers.slice(1, 3).every(isHit)).toBe(true)
    expect(answers[2]?.headers.get('x-ratelimit-remaining-requests')).toBe('0')
  })
})

describe('a limit of requests at the same time', () => {
  it('lets OpenAI’s client through on its second try, once the first request is over', {
    timeout: 60_000,
  }, async () => {
    const { key, set, limits } = await team()
    await set({ concurrency: 1 })
    const slow = await client(key, 0).chat.completions.create({
      ...say('[[sim: rate=20]] say a few words'),
      stream: true,
      max_tokens: 10,
    })
    await expect.poll(limits, PATIENCE).toMatchObject([{ in_flight: 1 }])
    const refused = await client(key, 0)
      .chat.completions.create(say('beside it'))
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ status: 429, error: { context: { limit: 'concurrency', of: 'tenant' } } })
    const patient = client(key, 5).chat.completions.create(say('patiently'))
    for await (const _chunk of slow);
    expect((await patient).choices[0]?.message.content).toBeTruthy()
    await expect.poll(limits, PATIENCE).toMatchObject([{ in_flight: 0 }])
  })
})

describe('a limit of tokens', () => {
  it('holds back the estimate, and gives back what was not used', async () => {
    const { ask, set, limits } = await team()
    await set({ tokens_per_minute: 1_000 })
    const first = await ask('short', { max_tokens: 800 })
    expect(Number(first.headers.get('x-ratelimit-remaining-tokens'))).toBeLessThan(200)
    await expect
      .poll(async () => (await limits())[0]?.tokens_used, PATIENCE)
      .toBe(first.body.usage.total_tokens)
    expect((await ask('short too', { max_tokens: 800 })).status).toBe(200)
    expect(codeOf(await ask('long', { max_tokens: 1_200 }))).toEqual([400, 'over_token_limit'])
  })

  it('of one request refuses more, and is sent where none is named', async () => {
    const { ask, set } = await team()
    await set({ max_tokens: 77 })
    expect(codeOf(await ask('much', { max_tokens: 78 }))).toEqual([400, 'over_token_limit'])
    expect((await ask('not said', { max_tokens: null })).status).toBe(200)
    expect(lastBody(stack.provider).max_tokens).toBe(77)
  })
})

describe('npm run limits', () => {
  const command = (...words: string[]): Promise<{ code: number; said: string }> =>
    new Promise((resolve) => {
      const env = { ...process.env, BEAST_URL: stack.url, BEAST_OPERATOR_TOKEN: OPERATOR_TOKEN }
      execFile(process.execPath, [join(ROOT, 'scripts/limits.ts'), ...words], { env }, (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, said: out + err }),
      )
    })

  it('sets, lists and removes', async () => {
    const { name, keyId, ask, limits } = await team()
    const place = ['--tenant', name]
    expect((await command('list', ...place)).said).toContain('has no limits')
    const set = await command('set', ...place, '--key', keyId, '--requests', '1', '--max-tokens', '50')
    expect(set).toMatchObject({ code: 0, said: expect.stringMatching(/In force now[\s\S]*0 of 1 +- +- +50/) })
    await command('set', ...place, '--concurrency', '4')
    expect(await limits()).toMatchObject([
      { key_id: null, concurrency: 4, requests_per_minute: null },
      { key_id: keyId, requests_per_minute: 1, max_tokens: 50, concurrency: null },
    ])
    await ask('one')
    expect(codeOf(await ask('two'))).toEqual([429, 'rate_limit_exceeded'])
    expect((await command('list', ...place)).said).toMatch(/1 of 1/)
    expect(await command('remove', ...place, '--key', keyId)).toEqual({ code: 0, said: 'Removed.\n' })
    expect((await ask('two')).status).toBe(200)
    expect(await command('remove', ...place, '--key', keyId)).toMatchObject({ code: 1 })
    expect((await command('set', ...place)).code).toBe(2)
    expect((await command('set', ...place, '--requests', 'many')).code).toBe(1)
  })
})

describe('setting limits', () => {
  it.each([
    [{}, 'requests_per_minute'],
    [{ requests_per_minute: null }, 'requests_per_minute'],
    [{ requests_per_minute: 0 }, 'requests_per_minute'],
    [{ requests_per_minute: 1.5 }, 'requests_per_minute'],
    [{ requests_per_minute: '5' }, 'requests_per_minute'],
    [{ tokens_per_minute: -1 }, 'tokens_per_minute'],
    [{ tokens_per_minute: 1e10 }, 'tokens_per_minute'],
    [{ concurrency: true }, 'concurrency'],
    [{ concurrency: 1e6 }, 'concurrency'],
    [{ max_tokens: [] }, 'max_tokens'],
    [{ concurrency: 1, key_id: 'x' }, 'key_id'],
    [{ concurrency: 1, tenant: 'No Such' }, 'tenant'],
    [{ concurrency: 1, rpm: 5 }, 'rpm'],
  ])('refuses %j', async (limits, param) => {
    const { set } = await team()
    const answer = await set(limits)
    expect(codeOf(answer)).toEqual([400, 'invalid_request'])
    expect(answer.body.error.param).toBe(param)
  })

  it('of nobody, of a foreign or ended key, by a tenant, and removing what is not there, are told', async () => {
    const { name, set, key, keyId, limits } = await team()
    const one = { requests_per_minute: 1 }
    expect(codeOf(await set({ ...one, tenant: 'nobody' }))).toEqual([404, 'not_found'])
    const stranger = await team()
    expect(codeOf(await stranger.set({ ...one, key_id: keyId }))).toEqual([404, 'not_found'])
    expect(codeOf(await api(OPERATOR_TOKEN, 'PUT', '/api/limits', 'nonsense'))[0]).toBe(400)
    expect(codeOf(await api(key, 'PUT', '/api/limits', { tenant: name, ...one }))[0]).toBe(401)
    expect((await api(undefined, 'GET', '/api/limits')).status).toBe(401)
    expect((await api(key, 'GET', `/api/limits?tenant=${stranger.name}`)).status).toBe(400)
    const gone = await api(OPERATOR_TOKEN, 'DELETE', `/api/limits?tenant=${name}`)
    expect(codeOf(gone)).toEqual([404, 'not_found'])
    expect(await limits()).toEqual([])
    expect(await stranger.limits()).toEqual([])
  })
})
