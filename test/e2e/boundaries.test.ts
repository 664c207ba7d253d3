import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chatBody } from '../support/slots.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// What does not pass from the caller to the provider, from the provider to the caller, or between pages.

let stack: Stack
let key: string

const CANARY = 'sk-canary-0123456789'

beforeAll(async () => {
  stack = await startStack({ CORS_ORIGINS: 'https://ok.com, https://app.ok.com' })
  key = await stack.key('acme', 'paid')
  await (await chat(stack.url, key, chatBody('warm up'))).text()
})
afterAll(() => stack?.close())

describe('what a caller cannot steer', () => {
  const canary = async (body: object, headers: Record<string, string> = {}) => {
    const before = stack.provider.requests.length
    await (
      await chat(
        stack.url,
        key,
        { ...chatBody(`canary ${JSON.stringify(Object.keys({ ...body, ...headers }))}`), ...body },
        headers,
      )
    ).text()
    return stack.provider.requests.slice(before)
  }

  it('the upstream address', async () => {
    const evil = 'http://127.0.0.1:9/evil'
    for (const field of ['api_base', 'base_url', 'custom_host', 'endpoint']) {
      const calls = await canary({ [field]: evil }, { 'x-api-base': evil, 'x-custom-host': evil })
      expect(calls).toHaveLength(1)
    }
  })

  it('prototypes', async () => {
    const text = `{"model":"sim-small","messages":[{"role":"user","content":"proto"}],"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`
    const response = await chat(stack.url, key, text)
    expect(response.status).toBe(200)
    expect(stack.provider.requests.at(-1)?.body).toContain('"__proto__":{"polluted":1}')
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it('which of duplicate keys counts: the last, upstream too', async () => {
    const text = '{"model":"gpt-99","model":"sim-large","messages":[{"role":"user","content":"dup"}]}'
    expect((await chat(stack.url, key, text)).status).toBe(200)
    const sent = stack.provider.requests.at(-1)?.body ?? ''
    expect(sent.match(/"model"/g)).toHaveLength(1)
    expect(JSON.parse(sent).model).toBe('sim-large')
  })

  it('headers: none of 200 is passed on', async () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x-custom-${i}`, 'v']))
    const [call] = await canary(
      { n: 1 },
      { ...many, 'x-forwarded-for': '6.6.6.6', 'cf-connecting-ip': '6.6.6.6', cookie: 'a=b' },
    )
    expect(
      Object.keys(call?.headers ?? {}).filter((name) => name.startsWith('x-') || name === 'cookie'),
    ).toEqual([])
  })
})

describe('what a provider cannot leak', () => {
  it('its own text, our credentials, an address', async () => {
    const response = await chat(stack.url, key, chatBody(`[[sim: status=400]] ${CANARY}`))
    const text = await response.text()
    expect(response.status).toBe(400)
    for (const secret of [CANARY, 'Simulated failure', 'Bearer', '/v1', 'stack', 'at '])
      expect(text.includes(secret) && secret !== 'at ').toBe(false)
  })

  it.each([
    ['[[sim: status=401]]', 502, 'upstream_refused_access', 'provider'],
    ['[[sim: status=403]]', 502, 'upstream_refused_access', 'provider'],
    ['[[sim: status=404]]', 502, 'upstream_model_missing', 'provider'],
    ['[[sim: status=422]]', 400, 'upstream_rejected', 'caller'],
    ['[[sim: status=429 retry_after=7]]', 429, 'upstream_rate_limited', 'provider'],
    ['[[sim: status=500]]', 502, 'upstream_failed', 'provider'],
    ['[[sim: error=html]]', 502, 'upstream_invalid', 'provider'],
    ['[[sim: error=empty]]', 502, 'upstream_invalid', 'provider'],
    ['[[sim: error=error200]]', 502, 'upstream_invalid', 'provider'],
  ])('%s becomes %i %s', async (directive, status, code, fault) => {
    // A model of its own for the one that asks to be left alone for seven seconds.
    const model = code === 'upstream_rate_limited' ? 'sim-large' : 'sim-small'
    const response = await chat(stack.url, key, { ...chatBody(directive), model })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ error: { code, fault } })
    if (directive.includes('retry_after')) expect(response.headers.get('retry-after')).toBe('7')
  })
})

describe('pages of other origins', () => {
  const preflight = (origin: string, path = '/v1/chat/completions') =>
    fetch(`${stack.url}${path}`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    })

  it('may call where they are listed, to the letter', async () => {
    expect((await preflight('https://ok.com')).headers.get('access-control-allow-origin')).toBe(
      'https://ok.com',
    )
    for (const origin of [
      'null',
      'https://ok.com.evil.com',
      'http://ok.com',
      'https://evil.com',
      'https://ok.com:444',
    ]) {
      const answer = await preflight(origin)
      expect(answer.headers.get('access-control-allow-origin')).toBeNull()
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    }
    const admin = await preflight('https://ok.com', '/api/admin/keys')
    expect(admin.headers.get('access-control-allow-origin')).toBeNull()
    const answer = await chat(stack.url, key, chatBody('cors'), { origin: 'https://ok.com' })
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://ok.com')
    await answer.text()
  })
})

describe('a caller who hangs up', () => {
  const raw = (text: string): Promise<void> =>
    new Promise((resolve) => {
      const { hostname, port } = new URL(stack.url)
      const socket = connect(Number(port), hostname, () => {
        socket.write(text)
        socket.once('data', () => socket.destroy())
        setTimeout(() => socket.destroy(), 400)
      })
      socket.once('close', () => resolve())
      socket.once('error', () => resolve())
    })

  const requestOf = (body: string, length = Buffer.byteLength(body)) =>
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`

  it('in the middle of the body, or with a false length, harms nobody', async () => {
    await raw(requestOf('{"model":"sim-small"', 5_000))
    await raw(requestOf(JSON.stringify(chatBody('short')), 3))
    expect((await chat(stack.url, key, chatBody('still here'))).status).toBe(200)
  })
})
