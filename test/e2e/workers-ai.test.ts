import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startKvService } from '../../scripts/bench/kv-service.ts'
import { bundle, freePort, type Served, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import { AdminClient } from '../../scripts/stack/admin-client.ts'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { WORKERS_AI_MODELS } from '../../workers/gateway/workers-ai.ts'
import { fixture, streamText } from '../support/provider-fixtures.ts'
import {
  OPERATOR_TOKEN,
  ROOT,
  startTestRedis,
  startTestSupabase,
  type TestRedis,
  TOKEN,
} from '../support/stores.ts'
import { chat } from '../support/workers.ts'

// The gateway as it is deployed, on raw workerd, with the runtime's own class behind `env.AI`. What that class sends
// to the platform comes here instead: the models themselves exist only in an account.

type Answer = (response: ServerResponse) => void

interface Asked {
  readonly model: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: read as each test expects it
  readonly body: any
  closed: boolean
}

let dir: string
let supabase: EmbeddedSupabase
let redis: TestRedis
let kv: Awaited<ReturnType<typeof startKvService>>
let served: Served
let key: string
const asked: Asked[] = []
let answer: Answer = (response) => json(response, 200, { response: 'Hello.' })

const platform = createServer(async (request: IncomingMessage, response) => {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const model = request.headers['cf-consn-model-id'] as string | undefined
  const one: Asked = { model, body: JSON.parse(Buffer.concat(pieces).toString('utf8')), closed: false }
  asked.push(one)
  response.on('close', () => {
    one.closed = !response.writableFinished
  })
  answer(response)
})

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beast-workers-ai-'))
  mkdirSync(join(dir, 'disk'))
  ;[supabase, redis, kv] = await Promise.all([startTestSupabase(), startTestRedis(), startKvService()])
  await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve))
  const port = await freePort()
  const gateway = join(bundle(ROOT, 'wrangler.toml', join(dir, 'gateway')), 'index.js')
  const state = join(bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state')), 'index.js')
  const main = {
    mainFile: gateway,
    texts: {
      ROOT_KEY: 'r'.repeat(42).concat('o'),
      KEY_PEPPER: 'k'.repeat(43),
      OPERATOR_TOKEN,
      SUPABASE_URL: supabase.url,
      SUPABASE_SECRET_KEY: supabase.secretKey,
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: TOKEN,
    },
    bindings: [
      '(name = "CACHE", kvNamespace = "kv")',
      '(name = "ACCOUNT", durableObjectNamespace = (className = "Account", serviceName = "state"))',
      '(name = "AI", wrapped = (moduleName = "cloudflare-internal:ai-api", innerBindings = [(name = "fetcher", service = "platform")]))',
    ],
  }
  const objects = {
    mainFile: state,
    more: [
      'durableObjectNamespaces = [(className = "Account", uniqueKey = "account", enableSql = true)]',
      'durableObjectStorage = (localDisk = "disk")',
    ],
  }
  const external = (name: string, at: number) =>
    `(name = "${name}", external = (address = "127.0.0.1:${at}", http = ()))`
  const config = writeConfig(join(dir, 'gateway.capnp'), port, main, { state: objects }, [
    external('kv', kv.port),
    external('platform', (platform.address() as AddressInfo).port),
    `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`,
  ])
  served = await serve(config, port, '/healthz')
  key = (await new AdminClient(url(), OPERATOR_TOKEN).create('acme', 'paid')).key
}, 180_000)
afterAll(async () => {
  await served?.close()
  platform.closeAllConnections()
  platform.close()
  await Promise.all([supabase?.close(), redis?.close(), kv?.close()])
  rmSync(dir, { recursive: true, force: true })
})

const url = () => `http://127.0.0.1:${served.port}`
const [MODEL = ''] = WORKERS_AI_MODELS
let questions = 0
const bodyOf = (more: object = {}) => ({
  model: `workers-ai:${MODEL}`,
  messages: [{ role: 'user', content: `question ${questions++}` }],
  ...more,
})

describe('the binding of the runtime itself', () => {
  it('is asked for the model by its name, with the inputs as they are', async () => {
    answer = (response) => json(response, 200, fixture('workers-ai', 'plain').answer)
    const response = await chat(url(), key, bodyOf({ max_tokens: 50 }))
    expect(await response.json()).toMatchObject({ object: 'chat.completion' })
    expect(asked.at(-1)).toMatchObject({
      model: MODEL,
      body: {
        inputs: { messages: [{ role: 'user' }], max_tokens: 50 },
        options: { returnRawResponse: true },
      },
    })
  })

  it('passes a stream on', async () => {
    const text = streamText(fixture('workers-ai', 'plain'))
    answer = (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text)
    const streamed = await (await chat(url(), key, bodyOf({ stream: true }))).text()
    expect(streamed).toContain('chat.completion.chunk')
    expect(streamed).toContain('[DONE]')
  })

  it.each([
    [429, { internalCode: 3040, name: 'AiError', description: 'Capacity' }, 503, 'upstream_overloaded'],
    [429, { errors: [{ code: 3036, message: 'x' }] }, 502, 'upstream_quota_exhausted'],
    [
      404,
      { internalCode: 3042, name: 'AiError', description: 'Invalid model ID' },
      502,
      'upstream_model_missing',
    ],
  ])('hands an error of status %i on as what it means', async (status, body, ours, code) => {
    answer = (response) => json(response, status, body)
    // A model each, so that one that is left alone spoils no other's turn.
    const model = WORKERS_AI_MODELS[code === 'upstream_model_missing' ? 2 : 1]
    const response = await chat(url(), key, bodyOf({ model: `workers-ai:${model}` }))
    expect([response.status, await response.json()]).toMatchObject([
      ours,
      { error: { code, fault: 'provider' } },
    ])
  })

  it.each([
    ['while the model speaks', 50],
    ['while it is silent', undefined],
  ])('is left off within a second when the caller leaves %s', async (_, everyMs) => {
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: {"response":"Once "}\n\n')
      if (everyMs === undefined) return
      const talk = setInterval(() => response.write('data: {"response":"word "}\n\n'), everyMs)
      response.on('close', () => clearInterval(talk))
    }
    const before = asked.length
    const text = JSON.stringify(bodyOf({ stream: true }))
    const socket = connect(served.port, '127.0.0.1', () => {
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      )
    })
    socket.on('error', () => {})
    await new Promise<void>((resolve) => socket.once('data', () => resolve()))
    expect(asked.length).toBe(before + 1)
    // Closed both ways: from one who only ends its own side the runtime may go on to expect that it reads.
    socket.resetAndDestroy()
    await expect.poll(() => asked.at(-1)?.closed, { timeout: 1_000, interval: 20 }).toBe(true)
  })
})
