import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { WIRE_FORMATS } from '../../src/providers/adapter.ts'
import type { RequestEvent } from '../../src/routing/settlement.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { ALIASES, type Answer, answerOf, apiAt, MODELS, PROVIDER_KEYS } from '../support/api.ts'
import { carelessly, keyIn, TRICKS } from '../support/careless-provider.ts'
import { KvDouble } from '../support/kv-double.ts'
import { nodeGateway } from '../support/node-gateway.ts'
import { type ProviderServer, startProviderServer } from '../support/provider-server.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { found } from '../support/traces.ts'
import { chat, kek, type Stack, startStack } from '../support/workers.ts'

// One canary in every field that takes a secret and in every prompt; a look at all that leaves or stays behind.

/** Of the letters that providers' own codes and our fields are made of, so that nothing hides it but our care. */
const CANARY = 'gsk_canary_7391_0123456789abcdef'
let stack: Stack
let server: ProviderServer
/** Whatever the gateway said, by where. */
const heard: [where: string, text: string][] = []
const written: string[] = []
let free: string
let paid: string

/** What is written to the terminal while the suite runs: what workerd says ends there too. */
function listenToTerminal(): void {
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => written.push(String(text)) > 0)
  for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const)
    vi.spyOn(console, level).mockImplementation((...words) => written.push(words.map(String).join(' ')))
}

beforeAll(async () => {
  listenToTerminal()
  server = await startProviderServer()
  server.serve(carelessly)
  stack = await startStack({
    OPENAI_API_KEY: CANARY,
    OPENAI_BASE_URL: `${server.url}/openai`,
    // The usual one repeats the prompt, as a model may.
    SIMULATED_PROVIDER_URL: `${server.url}/openai`,
    UPSTREAM_LOOPBACK: new URL(server.url).host,
  })
  free = await stack.key('acme', 'free')
  paid = await stack.key('rich', 'paid')
})
afterAll(async () => {
  vi.restoreAllMocks()
  await stack?.close()
  await server?.close()
})

function hear(where: string, answer: Answer): Answer {
  heard.push([where, `${answer.status} ${JSON.stringify([...answer.headers])} ${answer.text}`])
  return answer
}
const call = async (key: string | undefined, method: string, path: string, body?: unknown): Promise<Answer> =>
  hear(`${method} ${path}`, await apiAt(stack.url)(key, method, path, body))
const ask = async (key: string, model: string, text: string, stream: boolean): Promise<Answer> => {
  const body = chatBody(`${CANARY} ${text}`, { model, stream, user: CANARY })
  return hear(
    `chat ${model} ${text}${stream ? ', streamed' : ''}`,
    await answerOf(await chat(stack.url, key, body)),
  )
}
/** Every secret there is, the canary first. */
const secrets = (): string[] => [
  CANARY,
  OPERATOR_TOKEN,
  kek(1),
  free,
  paid,
  'k'.repeat(43),
  stack.supabase.secretKey,
  stack.redis.token,
]

const statuses = new Set<string>()
const noteOf = ({ status, body }: Answer) => statuses.add(`${status} ${body?.error?.code ?? ''}`)

describe('a canary', () => {
  it('goes into every field that takes a secret', async () => {
    for (const wire_format of WIRE_FORMATS)
      await call(free, 'POST', MODELS, {
        model_id: wire_format,
        wire_format,
        endpoint_url: `${server.url}/${wire_format}`,
        api_key: CANARY,
        config: { model: 'well' },
      })
    for (const [provider, wire_format] of [
      ['openai', 'openai'],
      ['claude', 'anthropic'],
    ])
      await call(free, 'PUT', `${PROVIDER_KEYS}/${provider}`, {
        api_key: CANARY,
        base_url: `${server.url}/${wire_format}`,
        wire_format,
      })
    const targets = WIRE_FORMATS.map((format) => ({ model: `custom:${format}` }))
    await call(free, 'PUT', `${ALIASES}/all`, { kind: 'fallback', targets })
    const asked = server.requests.map(({ headers }) => keyIn(headers))
    expect(asked.filter((key) => key === CANARY).length).toBeGreaterThanOrEqual(3)
  })

  it('goes wrong in every way that a provider knows', async () => {
    const models = [
      ...WIRE_FORMATS.map((format) => `custom:${format}`),
      'openai:well',
      'claude:well',
      'all',
      'auto',
    ]
    for (const trick of [...Object.keys(TRICKS), 'none'])
      for (const stream of /Stream$|none|refuse/.test(trick) ? [false, true] : [false]) {
        for (const model of models) noteOf(await ask(free, model, `trick ${trick}`, stream))
        // On the operator's own key.
        noteOf(await ask(paid, 'openai:well', `trick ${trick}`, stream))
      }
    for (const { id } of (await call(free, 'GET', MODELS)).body.data)
      await call(free, 'POST', `${MODELS}/${id}/test`)
    for (const format of WIRE_FORMATS) await call(free, 'GET', `${MODELS}/${format}`)
    for (const path of ['/v1/models', ALIASES, PROVIDER_KEYS])
      for (const key of [free, paid]) await call(key, 'GET', path)
    expect([...statuses].sort()).toEqual(
      expect.arrayContaining([
        '200 ',
        '400 upstream_rejected',
        '502 upstream_failed',
        '502 upstream_invalid',
        '502 upstream_refused_access',
      ]),
    )
    expect(heard.some(([, text]) => text.includes('upstream_cut_off'))).toBe(true)
  })

  it('goes where it does not belong', async () => {
    const wrong: readonly [string | undefined, string, string, unknown?][] = [
      [CANARY, 'GET', '/v1/models'],
      [CANARY, 'GET', '/api/admin/keys'],
      [CANARY, 'POST', '/api/admin/rotate-keys', {}],
      [`bm_live_${CANARY}`, 'GET', MODELS],
      [OPERATOR_TOKEN, 'POST', '/api/admin/rotate-keys', { cursor: CANARY }],
      [OPERATOR_TOKEN, 'GET', `${MODELS}?tenant=${CANARY}`],
      [OPERATOR_TOKEN, 'DELETE', `/api/admin/keys/${CANARY}`],
      [OPERATOR_TOKEN, 'POST', '/api/admin/keys', { tenant: `${CANARY}!` }],
      [free, 'POST', MODELS, `{"model_id":"x","api_key":"${CANARY}"`],
      [free, 'POST', MODELS, { model_id: 'x', api_key: `${CANARY}\n`, endpoint_url: server.url }],
      [free, 'POST', MODELS, { model_id: 'x', api_key: [CANARY], endpoint_url: server.url }],
      [free, 'POST', MODELS, { model_id: 'x', endpoint_url: `https://${CANARY}@llm.example.com/v1` }],
      [free, 'POST', MODELS, { model_id: 'x', endpoint_url: `https://llm.example.com/v1?key=${CANARY}` }],
      [free, 'POST', MODELS, { model_id: 'x', wire_format: CANARY, endpoint_url: server.url }],
      [free, 'PUT', `${PROVIDER_KEYS}/unheard-of`, { api_key: CANARY }],
      [free, 'PATCH', `${MODELS}/openai`, { endpoint_url: 'https://llm.example.com/v1' }],
      [free, 'PATCH', `${MODELS}/openai`, { revision: 99, api_key: CANARY }],
      [free, 'POST', '/v1/chat/completions', `{"messages":"${CANARY}`],
      [
        free,
        'POST',
        '/v1/chat/completions',
        { model: CANARY, messages: [{ role: 'user', content: CANARY }] },
      ],
      [
        free,
        'POST',
        '/v1/chat/completions',
        { model: 'auto', messages: [{ role: CANARY, content: CANARY }] },
      ],
      [free, 'POST', '/v1/chat/completions', { model: 'auto', messages: CANARY }],
      [free, 'GET', `/v1/models/${CANARY}`],
    ]
    for (const [key, method, path, body] of wrong) {
      const { status } = await apiAt(stack.url)(key, method, path, body).then((answer) =>
        hear('misplaced', answer),
      )
      expect(status, `${method} ${path} ${JSON.stringify(body)}`).toBeGreaterThanOrEqual(400)
    }
  })

  it('goes through a database in trouble, and rows that cannot be read', async () => {
    for (const table of ['provider_keys', 'custom_models']) {
      await stack.supabase.sql(`alter table ${table} rename to hidden`)
      const made = { api_key: CANARY, endpoint_url: server.url, model_id: 'x' }
      const answers = [
        await call(free, 'PUT', `${PROVIDER_KEYS}/groq`, { api_key: CANARY }),
        await call(free, 'POST', MODELS, made),
      ]
      expect(answers.map(({ status }) => status)).toContain(503)
      await stack.supabase.sql(`alter table hidden rename to ${table}`)
    }
    await stack.supabase.sql(
      `update custom_models set api_key_iv = 'AAAAAAAAAAAAAAAA' where model_id in ('openai', 'gemini')`,
    )
    await call(free, 'PATCH', `${MODELS}/anthropic`, { model_name: 'Looked at anew' })
    const spoilt = [
      await ask(free, 'custom:openai', 'sealed?', false),
      await call(free, 'POST', `${MODELS}/gemini/test`),
    ]
    expect(spoilt.map(({ status, body }) => [status, body.error?.code])).toEqual([
      [500, 'key_unreadable'],
      [500, 'key_unreadable'],
    ])
  })
})

it('would be found, however it was packed', () => {
  for (const before of ['', 'x', 'xy', 'xyz'])
    for (const encoding of ['utf8', 'hex', 'base64', 'base64url'] as const)
      expect(found(Buffer.from(`${before}${CANARY} after`).toString(encoding), [CANARY])).not.toEqual([])
})

describe('nothing of it, nor of any other secret,', () => {
  const readiness = async () => {
    const headers = { authorization: `Bearer ${OPERATOR_TOKEN}` }
    return [await fetch(`${stack.url}/readyz`), await fetch(`${stack.url}/readyz`, { headers })]
  }

  it('is told to any caller: answers, errors, headers, lists, readiness', async () => {
    for (const response of await readiness()) hear('/readyz', await answerOf(response))
    expect(heard.length).toBeGreaterThan(150)
    expect(heard.some(([, text]) => text.includes('x-beast-route'))).toBe(true)
    for (const [where, text] of heard) expect(found(text, secrets()), where).toEqual([])
  })

  it('is in the logs', () => {
    const logs = JSON.stringify(stack.harness.getLogs())
    expect(logs).toContain('key_unreadable')
    expect(found(logs, secrets())).toEqual([])
    expect(found(written.join('\n'), secrets())).toEqual([])
  })

  it('is in Redis', async () => {
    const { store } = stack.redis
    const keys = (await store.send(['KEYS', '*'])) as string[]
    expect(keys.length).toBeGreaterThan(0)
    for (const key of keys) {
      const value = String(await store.send(['GET', key]))
      expect(value.length).toBeGreaterThan(20)
      expect(found(`${key} ${value}`, secrets())).toEqual([])
    }
  })

  it('is in KV', async () => {
    const { CACHE } = await stack.harness.getWorker<Env>().getEnv()
    const { keys } = await CACHE.list()
    expect(keys.length).toBeGreaterThan(0)
    for (const { name, metadata } of keys) {
      const value = await CACHE.get(name, 'text')
      expect(found(`${name} ${JSON.stringify(metadata)} ${value}`, secrets())).toEqual([])
    }
  })

  it('is in any table of the database', async () => {
    const tables = await stack.supabase.sql<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    )
    const rows: Record<string, number> = {}
    for (const { name } of tables) {
      const dump = await stack.supabase.sql<{ row: string }>(`select to_jsonb(t)::text as row from ${name} t`)
      rows[name] = dump.length
      for (const { row } of dump) expect(found(row, secrets()), name).toEqual([])
    }
    for (const table of ['custom_models', 'provider_keys', 'llm_cache', 'virtual_keys'])
      expect(rows[`public.${table}`], table).toBeGreaterThan(0)
  })

  it('is in the events of settlement', async () => {
    const gateway = nodeGateway({
      kv: new KvDouble(Date.now).at(),
      redisUrl: stack.redis.url,
      supabaseUrl: stack.supabase.url,
      supabaseKey: stack.supabase.secretKey,
      providerUrl: `${server.url}/openai`,
      vars: {
        KEK_1: kek(1),
        OPENAI_API_KEY: CANARY,
        OPENAI_BASE_URL: `${server.url}/openai`,
        UPSTREAM_LOOPBACK: new URL(server.url).host,
      },
    })
    const events: RequestEvent[] = []
    Object.assign(gateway.services, { record: (event: RequestEvent) => events.push(event) })
    for (const trick of [...Object.keys(TRICKS), 'none'])
      for (const model of ['all', 'custom:anthropic', 'claude:well', 'nothing']) {
        const body = chatBody(`${CANARY} trick ${trick} settled`, {
          model,
          user: CANARY,
          stream: trick.endsWith('Stream'),
        })
        const answer = await answerOf(await gateway.chat(free, body))
        expect(found(answer.text, secrets())).toEqual([])
      }
    await gateway.settled()
    expect(events.length).toBe(4 * (Object.keys(TRICKS).length + 1))
    expect(events.flatMap(({ attempts }) => attempts).length).toBeGreaterThan(20)
    expect(found(JSON.stringify(events), secrets())).toEqual([])
  })
})
