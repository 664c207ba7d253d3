import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BAD } from '../support/addresses.ts'
import { type Answer, type Api, answerOf, apiAt, codeOf, MODELS, PROVIDER_KEYS } from '../support/api.ts'
import { type ProviderServer, startProviderServer } from '../support/provider-server.ts'
import { describeWith, hasShared, SHARED_DATA } from '../support/require.ts'
import { chatBody } from '../support/slots.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// Nobody brings the gateway to call an address inside, whenever it came to be a model's or a provider's.

let stack: Stack
let api: Api
let acme: string
/** The one server that tenants' models may lie at. */
let allowed: ProviderServer
/** Stands for everything inside: it must never see a connection. */
let inside: Server
let port: number
let connections = 0

beforeAll(async () => {
  allowed = await startProviderServer()
  inside = createServer((_, response) => response.end('{"data":[]}'))
  inside.on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
  port = (inside.address() as AddressInfo).port
  stack = await startStack({ UPSTREAM_LOOPBACK: new URL(allowed.url).host })
  api = apiAt(stack.url)
  acme = await stack.key('acme', 'free')
  for (const model_id of ['plain', 'keyed'])
    await api(acme, 'POST', MODELS, { model_id, endpoint_url: `${allowed.url}/v1`, api_key: 'sk-travelling' })
})
afterAll(async () => {
  await stack?.close()
  await allowed?.close()
  inside?.closeAllConnections()
  inside?.close()
})

const ask = async (model: string, stream = false): Promise<Answer> =>
  answerOf(await chat(stack.url, acme, chatBody('inside?', { model, stream })))

/** The ways to have an address stored. */
const attempts = (url: string): readonly (readonly [string, string, object])[] => [
  ['POST', MODELS, { model_id: 'x', endpoint_url: url }],
  [
    'POST',
    MODELS,
    { model_id: 'x', endpoint_url: url, config: { discover: true }, api_key: 'sk-travelling' },
  ],
  ['PATCH', `${MODELS}/plain`, { endpoint_url: url, api_key: null }],
  ['PUT', `${PROVIDER_KEYS}/x`, { base_url: url, api_key: 'sk-travelling' }],
]
async function refusesAll(urls: readonly string[]): Promise<void> {
  for (const url of urls)
    for (const [method, path, body] of attempts(url)) {
      const answer = await api(acme, method, path, body)
      const where = `${method} ${path} ${url}`
      expect(answer.status, where).toBe(400)
      const { code, param } = answer.body.error
      expect(['address_refused', 'invalid_request', 'ill_formed_string'], where).toContain(code)
      if (code !== 'ill_formed_string') expect(['endpoint_url', 'base_url'], where).toContain(param)
    }
  expect((await api(acme, 'GET', `${MODELS}/plain`)).body.endpoint_url).toBe(`${allowed.url}/v1`)
  expect((await api(acme, 'GET', PROVIDER_KEYS)).body.data).toEqual([])
  expect(connections).toBe(0)
}

describe('an address inside is not stored', () => {
  it('however the next port of this machine is written', async () => {
    const hosts = [
      '127.0.0.1',
      'localhost',
      '127.1',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '0',
      '[::1]',
      '[::ffff:7f00:1]',
    ]
    const odd = ['localhost.', 'a.localhost', 'user@127.0.0.1', '127.0.0.1.nip.io', '127。0。0。1']
    await refusesAll(
      [...hosts, ...odd].flatMap((host) => [`http://${host}:${port}/v1`, `https://${host}:${port}/v1`]),
    )
  })

  it.each(Object.keys(BAD))('%s', async (kind) => {
    await refusesAll(BAD[kind] ?? [])
  })
})

describeWith(
  'the shared list of hostile addresses',
  hasShared('hostile-urls.txt'),
  'the hostile list',
  () => {
    it('is refused, all of it', async () => {
      const lines = readFileSync(join(SHARED_DATA, 'hostile-urls.txt'), 'utf8').split('\n')
      const urls = lines.filter((line) => line !== '' && !line.startsWith('#'))
      expect(urls.length).toBeGreaterThan(50)
      await refusesAll(urls)
    })
  },
)

describe('an address that is stored already', () => {
  it('is judged again wherever it is used: chat, streams, lists, tests', async () => {
    await api(acme, 'POST', MODELS, {
      model_id: 'stale',
      endpoint_url: allowed.url,
      api_key: 'sk-travelling',
      config: { discover: true },
    })
    await api(acme, 'PUT', `${PROVIDER_KEYS}/stale`, { base_url: allowed.url, api_key: 'sk-travelling' })
    for (const url of [
      `http://127.0.0.1:${port}/v1`,
      `http://localhost:${port}/v1`,
      'https://169.254.169.254/v1',
    ]) {
      await stack.supabase.sql(`update custom_models set endpoint_url = '${url}' where model_id = 'stale'`)
      await stack.supabase.sql(`update provider_keys set base_url = '${url}' where provider = 'stale'`)
      // So that the next request looks at the rows anew.
      await api(acme, 'PATCH', `${MODELS}/plain`, { model_name: `Beside ${url.slice(0, 20)}` })
      for (const model of ['custom:stale', 'custom:stale/m', 'stale:m'])
        for (const stream of [false, true])
          expect(codeOf(await ask(model, stream)), `${model} ${url}`).toEqual([502, 'upstream_unreachable'])
      expect((await api(acme, 'GET', '/v1/models')).status).toBe(200)
      expect(codeOf(await api(acme, 'POST', `${MODELS}/stale/test`))).toEqual([400, 'address_refused'])
    }
    expect(connections).toBe(0)
    await api(acme, 'DELETE', `${MODELS}/stale`)
    await api(acme, 'DELETE', `${PROVIDER_KEYS}/stale`)
  })
})
