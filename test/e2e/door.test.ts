import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createVirtualKey } from '../../src/tenants/virtual-key.ts'
import { describeWith, hasShared, SHARED_DATA } from '../support/require.ts'
import { chatBody } from '../support/slots.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

let stack: Stack
let key: string

beforeAll(async () => {
  stack = await startStack()
  key = await stack.key('acme', 'paid')
  await (await chat(stack.url, key, chatBody('warm up'))).text()
})
afterAll(() => stack?.close())

const upstreamCalls = () =>
  stack.provider.requests.filter(({ path }) => path.endsWith('/chat/completions')).length

interface Refusal {
  readonly status: number
  readonly code: string
  readonly param: string | null
  readonly ms: number
}

/** Sends what must be refused, and checks that the refusal has its shape and reached nobody. */
async function refused(
  body: unknown,
  headers: Record<string, string> = {},
  as: string | undefined = key,
): Promise<Refusal> {
  const before = upstreamCalls()
  const started = performance.now()
  const response = await chat(stack.url, as, body, headers)
  const { error } = (await response.json()) as { error: Record<string, string | null> }
  const ms = performance.now() - started
  expect(Object.keys(error).sort()).toEqual([
    'code',
    'fault',
    'message',
    'param',
    'request_id',
    'tip',
    'type',
  ])
  expect(error.tip?.length).toBeGreaterThan(10)
  expect(error.request_id).toBe(response.headers.get('x-request-id'))
  expect(response.status).toBeGreaterThanOrEqual(400)
  expect(response.status).toBeLessThan(500)
  expect(error.fault).toBe('caller')
  expect(upstreamCalls()).toBe(before)
  return { status: response.status, code: error.code ?? '', param: error.param ?? null, ms }
}

const message = [{ role: 'user', content: 'x' }]

describe('bodies that are not a request', () => {
  it.each<[string, unknown, number, string]>([
    ['malformed JSON', '{"model":', 400, 'invalid_json'],
    ['nothing', '', 400, 'invalid_json'],
    ['a list', '[]', 400, 'invalid_request'],
    ['no messages', { model: 'sim-small' }, 400, 'invalid_request'],
    ['empty messages', { model: 'sim-small', messages: [] }, 400, 'invalid_request'],
    ['messages of a wrong type', { model: 'sim-small', messages: 'hi' }, 400, 'invalid_request'],
    [
      'a role that is none',
      { model: 'sim-small', messages: [{ role: 'boss', content: 'x' }] },
      400,
      'invalid_request',
    ],
    ['a model of a wrong type', { model: 7, messages: message }, 400, 'invalid_request'],
    ['an unknown model', { model: 'gpt-99', messages: message }, 404, 'model_not_found'],
    [
      'an unknown model of a known provider',
      { model: 'simulated:gpt-99', messages: message },
      404,
      'model_not_found',
    ],
    ['n: 0', { model: 'sim-small', messages: message, n: 0 }, 400, 'invalid_request'],
    ['n: 1e9', { model: 'sim-small', messages: message, n: 1e9 }, 400, 'invalid_request'],
    ['max_tokens: -1', { model: 'sim-small', messages: message, max_tokens: -1 }, 400, 'invalid_request'],
    [
      'max_tokens: 10^12',
      { model: 'sim-small', messages: message, max_tokens: 1e12 },
      400,
      'invalid_request',
    ],
    [
      'temperature: "NaN"',
      { model: 'sim-small', messages: message, temperature: 'NaN' },
      400,
      'invalid_request',
    ],
    [
      'a seed beyond exact integers',
      `{"model":"sim-small","messages":[{"role":"user","content":"x"}],"seed":9007199254740993}`,
      400,
      'invalid_request',
    ],
    [
      '1e400',
      '{"model":"sim-small","messages":[{"role":"user","content":"x"}],"foo":1e400}',
      400,
      'number_out_of_range',
    ],
    [
      'half a surrogate pair',
      '{"model":"sim-small","messages":[{"role":"user","content":"\\ud800"}]}',
      400,
      'ill_formed_string',
    ],
    [
      'half a surrogate pair in a key',
      '{"model":"sim-small","messages":[{"role":"user","content":"x"}],"\\udc01":1}',
      400,
      'ill_formed_string',
    ],
    [
      'depth 65',
      `{"model":"sim-small","messages":[{"role":"user","content":"x"}],"deep":${'['.repeat(65)}${']'.repeat(65)}}`,
      400,
      'too_deep',
    ],
    [
      'depth 5,000',
      `{"model":"sim-small","messages":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      400,
      'too_deep',
    ],
    ['depth 400,000', '['.repeat(400_000), 400, 'invalid_json'],
    ['invalid UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 400, 'invalid_encoding'],
    [
      'a byte order mark',
      new Uint8Array([0xef, 0xbb, 0xbf, ...new TextEncoder().encode(JSON.stringify(chatBody('x')))]),
      400,
      'invalid_json',
    ],
    ['UTF-16', new Uint8Array(Buffer.from(JSON.stringify(chatBody('x')), 'utf16le')), 400, 'invalid_json'],
  ])('%s: refused within 50 ms', async (_name, body, status, code) => {
    const refusals = [await refused(body), await refused(body), await refused(body)]
    for (const refusal of refusals) expect(refusal).toMatchObject({ status, code })
    // The best of three: what the machine does beside it is not the door's time.
    expect(Math.min(...refusals.map(({ ms }) => ms))).toBeLessThan(50)
  })

  it('names the field at fault', async () => {
    const refusal = await refused({ model: 'sim-small', messages: [{ role: 'user', content: 5 }] })
    expect(refusal.param).toBe('messages[0].content')
  })

  it('refuses 1 MB of keys within bounds', async () => {
    const keys = Object.fromEntries(Array.from({ length: 100_001 }, (_, i) => [`k${i}`, 0]))
    expect(await refused({ ...chatBody('x'), keys })).toMatchObject({ code: 'too_many_keys' })
  })

  it('refuses a body over the cap, stated or counted, and one that is packed', async () => {
    const big = new Uint8Array(10_000_001).fill(97)
    expect(await refused(big)).toMatchObject({ status: 413, code: 'body_too_large' })
    const response = await fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: new ReadableStream({
        start: (controller) => {
          for (let i = 0; i < 11; i++) controller.enqueue(new Uint8Array(1_000_000).fill(97))
          controller.close()
        },
      }),
      duplex: 'half',
    } as RequestInit)
    expect(response.status).toBe(413)
    await response.body?.cancel()
    expect(await refused('x', { 'content-encoding': 'gzip' })).toMatchObject({ status: 415 })
  })

  it('says 401 to nonsense without a key: nothing of it is parsed', async () => {
    const nonsense = new Uint8Array(9_999_999).fill(123)
    expect(await refused(nonsense, {}, '')).toMatchObject({ status: 401, code: 'missing_api_key' })
  })
})

describe('keys that are none', () => {
  it.each([
    ['an unknown one', createVirtualKey()],
    ['a prefix', 'bm_live_'],
    ['one with a typing error', 'bm_live_xxxx'],
    ['SQL', "' or 1=1 --"],
    ['a filter', 'bm_live_*,digest.neq.x'],
  ])('%s', async (_name, wrong) => {
    expect(await refused(chatBody('x'), {}, wrong)).toMatchObject({ status: 401 })
  })

  it('takes two keys in one header for none', async () => {
    expect(await refused(chatBody('x'), { authorization: `Bearer ${key}, Bearer ${key}` })).toMatchObject({
      status: 401,
    })
  })
})

describeWith(
  '../shared/data/json-test-suite',
  hasShared('json-test-suite'),
  'the JSON test suite at the door',
  () => {
    const dir = join(SHARED_DATA, 'json-test-suite/test_parsing')
    const files = hasShared('json-test-suite')
      ? readdirSync(dir).filter((name) => name.endsWith('.json'))
      : []

    /** Whether the door took it for JSON: what comes after that is about its content. */
    const verdict = async (name: string) => {
      const response = await chat(stack.url, key, new Uint8Array(readFileSync(join(dir, name))))
      const { error } = (await response.json()) as { error: { code: string } }
      expect(response.status, name).toBeGreaterThanOrEqual(400)
      expect(response.status, name).toBeLessThan(500)
      return ['invalid_json', 'invalid_encoding'].includes(error.code) ? 'refused' : 'accepted'
    }

    it('is whole', () => expect(files.length).toBeGreaterThan(300))

    it('accepts every y_, refuses every n_, and lives through every i_', async () => {
      for (const name of files) {
        const expected = { y: 'accepted', n: 'refused' }[name[0] ?? '']
        const found = await verdict(name)
        if (expected) expect(found, name).toBe(expected)
      }
    })
  },
)
