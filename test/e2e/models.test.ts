import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { uuidv7 } from '../../src/core/ids.ts'
import { KeyBox } from '../../src/models/key-box.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { kek, type Stack, startStack } from '../support/workers.ts'

// The registry over HTTP, against every worker: what a tenant can do, and what the tenant next door cannot.

let stack: Stack
let acme: string
let other: string
let rotating: string

const CANARY = 'sk-canary-key-of-a-custom-model-7391'

beforeAll(async () => {
  stack = await startStack({ KEK_2: kek(2) })
  acme = await stack.key('acme', 'free')
  other = await stack.key('other', 'free')
  rotating = await stack.key('rotating')
})
afterAll(() => stack?.close())

interface Answer {
  readonly status: number
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: read as each test expects it
  readonly body: any
}

async function call(key: string | undefined, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${stack.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, text, body: JSON.parse(text) }
}

const MODELS = '/api/models/custom'
const ROTATE = '/api/admin/rotate-keys'
const add = (key: string, modelId: string, more: object = {}, query = '') =>
  call(key, 'POST', `${MODELS}${query}`, {
    model_id: modelId,
    endpoint_url: stack.provider.url,
    config: { model: 'sim-small' },
    ...more,
  })
const code = ({ status, body }: Answer) => [status, body.error?.code, body.error?.param]

describe('a custom model', () => {
  it('is added, read, changed, tested and deleted; its key goes in and never comes out', async () => {
    const made = await add(acme, 'mine', { api_key: CANARY, model_name: 'Mine', user_id: 'u1' })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({
      id: 'custom:mine',
      owned: true,
      is_active: true,
      is_public: false,
      wire_format: 'openai',
      api_key_hint: `...${CANARY.slice(-4)}`,
      revision: 1,
    })
    expect(made.body.discovered.map(({ id }: { id: string }) => id)).toContain('sim-large')
    const listed = stack.provider.requests.filter(({ path }) => path === '/v1/models').at(-1)
    expect(listed?.headers.authorization).toBe(`Bearer ${CANARY}`)

    const list = await call(acme, 'GET', MODELS)
    expect(list.body.data.map(({ id }: { id: string }) => id)).toEqual([
      'custom:mine',
      'custom:beast-mode-code-explainer',
      'custom:beast-mode-code-generator',
      'custom:beast-mode-quality-analyzer',
    ])
    const read = await call(acme, 'GET', `${MODELS}/custom:mine`)
    const changed = await call(acme, 'PATCH', `${MODELS}/mine`, {
      config: { model: 'sim-large', tools: true },
    })
    expect(changed.body).toMatchObject({ revision: 2, config: { model: 'sim-large', tools: true } })
    const tested = await call(acme, 'POST', `${MODELS}/mine/test`)
    expect(tested.body).toMatchObject({ ok: true, status_class: '2xx', latency_ms: expect.any(Number) })
    const asked = stack.provider.requests.filter(({ path }) => path === '/v1/chat/completions').at(-1)
    expect(asked?.headers.authorization).toBe(`Bearer ${CANARY}`)
    expect(JSON.parse(asked?.body ?? '')).toMatchObject({ model: 'sim-large', max_tokens: 16 })

    const deleted = await call(acme, 'DELETE', `${MODELS}/mine`)
    expect(deleted.body).toEqual({ model_id: 'mine', deleted: true })
    expect((await call(acme, 'GET', `${MODELS}/mine`)).status).toBe(404)
    for (const { text } of [made, list, read, changed, tested, deleted]) expect(text).not.toContain(CANARY)
  })

  it('lies in the database sealed: a dump does not hold the key', async () => {
    await add(acme, 'sealed', { api_key: CANARY })
    await call(acme, 'PUT', '/api/models/provider-keys/openai', { api_key: CANARY })
    const dump = await stack.supabase.sql(
      'select to_jsonb(m)::text row from custom_models m union all select to_jsonb(k)::text from provider_keys k',
    )
    expect(JSON.stringify(dump)).toContain('v2.KEK_2.')
    expect(JSON.stringify(dump)).not.toContain(CANARY)
    await call(acme, 'DELETE', `${MODELS}/sealed`)
  })

  it.each([
    ['no body', '', 'invalid_json', undefined],
    ['a list', [], 'invalid_request', undefined],
    ['no name', {}, 'invalid_request', 'model_id'],
    ['a name in capitals', { model_id: 'Mine' }, 'invalid_request', 'model_id'],
    ['a reserved name', { model_id: 'monitoring' }, 'invalid_request', 'model_id'],
    ['no endpoint', { endpoint_url: undefined }, 'invalid_request', 'endpoint_url'],
    ['an address inside', { endpoint_url: 'https://169.254.169.254/v1' }, 'address_refused', 'endpoint_url'],
    ['another loopback port', { endpoint_url: 'http://127.0.0.1:1/v1' }, 'address_refused', 'endpoint_url'],
    ['plain http', { endpoint_url: 'http://llm.example.com/v1' }, 'address_refused', 'endpoint_url'],
    ['a query', { endpoint_url: 'https://llm.example.com/v1?key=1' }, 'invalid_request', 'endpoint_url'],
    ['an unknown field', { api_kye: 'x' }, 'invalid_request', 'api_kye'],
    ['an unknown setting', { config: { vison: true } }, 'invalid_request', 'config.vison'],
    ['a wrong setting', { config: { tools: 'yes' } }, 'invalid_request', 'config.tools'],
    ['a format that is none', { wire_format: 'smoke' }, 'invalid_request', 'wire_format'],
    ['a NUL', { model_name: 'a\u0000b' }, 'invalid_request', 'model_name'],
    ['half a character', '{"model_id":"x","model_name":"\\ud800"}', 'ill_formed_string', undefined],
    ['a key with a line break', { api_key: 'sk-1\n' }, 'invalid_request', 'api_key'],
    ['publication', { is_public: true }, 'invalid_request', 'is_public'],
    [
      'an upstream of the operator',
      { config: { upstream: 'openai:gpt-5' } },
      'invalid_request',
      'config.upstream',
    ],
    ['a flood', { model_name: 'x'.repeat(40_000) }, 'body_too_large', undefined],
    ['__proto__', '{"model_id":"x","__proto__":{"is_public":true}}', 'invalid_request', '__proto__'],
  ])('is refused with %s', async (_, given, expected, param) => {
    const model = { model_id: 'x', endpoint_url: stack.provider.url }
    const body = typeof given === 'string' || Array.isArray(given) ? given : { ...model, ...given }
    const answer = await call(acme, 'POST', MODELS, _ === 'no name' ? {} : body)
    const [status, got, field] = code(answer)
    expect([got, field ?? undefined]).toEqual([expected, param])
    expect(status).toBe(expected === 'body_too_large' ? 413 : 400)
    expect(answer.body.error.tip).not.toBe('')
  })

  it('needs a key of ours, and one of the tenant itself', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['POST', ''],
      ['GET', '/x'],
      ['PATCH', '/x'],
      ['DELETE', '/x'],
      ['POST', '/x/test'],
    ])
      for (const key of [undefined, 'bm_live_x', 'o'.repeat(42)])
        expect((await call(key, method ?? '', MODELS + path)).status).toBe(401)
    expect(code(await call(acme, 'GET', `${MODELS}?tenant=other`))).toEqual([
      400,
      'invalid_request',
      'tenant',
    ])
  })

  it('is one of its name, and one of a hundred', async () => {
    await add(acme, 'one')
    expect(code(await add(acme, 'one'))).toEqual([409, 'conflict', null])
    await stack.supabase.sql(
      `insert into custom_models (tenant_id, model_id, model_name) select id, 'm' || n, 'm' from tenants, generate_series(1, 99) n where name = 'acme'`,
    )
    expect(code(await add(acme, 'more'))).toEqual([409, 'conflict', null])
    expect((await add(other, 'one')).status).toBe(201)
    await stack.supabase.sql(
      `delete from custom_models where tenant_id in (select id from tenants where name in ('acme', 'other'))`,
    )
  })

  it("keeps its stored key from another address, and a public model from its tenant's hand", async () => {
    await add(acme, 'kept', { api_key: CANARY })
    const elsewhere = { endpoint_url: 'https://evil.example.com/v1' }
    expect(code(await call(acme, 'PATCH', `${MODELS}/kept`, elsewhere))).toEqual([
      400,
      'invalid_request',
      'api_key',
    ])
    const moved = await call(acme, 'PATCH', `${MODELS}/kept`, { ...elsewhere, api_key: null })
    expect(moved.body).toMatchObject({ ...elsewhere, api_key_hint: null, revision: 2 })

    const publish = { is_public: true, revision: 1 }
    expect(code(await call(OPERATOR_TOKEN, 'PATCH', `${MODELS}/kept?tenant=acme`, publish))).toEqual([
      409,
      'conflict',
      null,
    ])
    await call(OPERATOR_TOKEN, 'PATCH', `${MODELS}/kept?tenant=acme`, { is_public: true, revision: 2 })
    expect(code(await call(acme, 'PATCH', `${MODELS}/kept`, { config: {} }))).toEqual([409, 'conflict', null])
    expect((await call(acme, 'PATCH', `${MODELS}/kept`, { is_active: false })).status).toBe(200)

    const seen = await call(other, 'GET', `${MODELS}/kept`)
    expect(seen.body).toEqual({
      id: 'custom:kept',
      owned: false,
      model_id: 'kept',
      model_name: 'kept',
      is_active: false,
      is_public: true,
      config: {},
    })
    await call(acme, 'DELETE', `${MODELS}/kept`)
  })
})

describe('the tenant next door', () => {
  const ROUTES = [
    ['GET', (id: string) => `${MODELS}/${id}`],
    ['PATCH', (id: string) => `${MODELS}/${id}`],
    ['DELETE', (id: string) => `${MODELS}/${id}`],
    ['POST', (id: string) => `${MODELS}/${id}/test`],
    ['DELETE', (id: string) => `/api/models/aliases/${id}`],
    ['DELETE', (id: string) => `/api/models/provider-keys/${id}`],
  ] as const

  it('finds nothing of ours by any route, and cannot tell ours from what never was', async () => {
    await add(acme, 'secret-model', { api_key: CANARY })
    const targets = [{ model: 'custom:secret-model' }]
    await call(acme, 'PUT', '/api/models/aliases/secret-model', { kind: 'fallback', targets })
    await call(acme, 'PUT', '/api/models/provider-keys/secret-model', {
      api_key: CANARY,
      base_url: stack.provider.url,
    })
    const [row] = await stack.supabase.sql<{ id: string }>(
      `select id from custom_models where model_id = 'secret-model'`,
    )
    const before = stack.provider.requests.length
    for (const [method, path] of ROUTES) {
      const body = method === 'PATCH' ? { is_active: false } : undefined
      const unknown = await call(other, method, path('never-was'), body)
      expect(unknown.status).toBe(404)
      for (const id of [
        'secret-model',
        'custom:secret-model',
        row?.id ?? '',
        'SECRET-MODEL',
        '..%2fsecret-model',
      ]) {
        const foreign = await call(other, method, path(encodeURIComponent(id)), body)
        const shape = ({ body: { error } }: Answer) => ({ ...error, request_id: '' })
        expect([foreign.status, shape(foreign)], `${method} ${path(id)}`).toEqual([404, shape(unknown)])
      }
    }
    expect(stack.provider.requests.length).toBe(before)
    for (const path of [MODELS, '/api/models/aliases', '/api/models/provider-keys'])
      expect((await call(other, 'GET', path)).text).not.toContain('secret-model')
    // And it can have the name itself.
    expect((await add(other, 'secret-model')).status).toBe(201)
    expect((await call(acme, 'GET', `${MODELS}/secret-model`)).body.is_active).toBe(true)
    expect((await call(acme, 'GET', '/api/models/aliases')).text).toContain('secret-model')
    expect((await call(acme, 'GET', '/api/models/provider-keys')).text).toContain('secret-model')
  })

  it('takes as long for a foreign name as for an unknown one', async () => {
    const times = { foreign: [] as number[], unknown: [] as number[] }
    const path = { foreign: `${MODELS}/hidden`, unknown: `${MODELS}/never-was` }
    await add(acme, 'hidden')
    for (let i = 0; i < 170; i++)
      for (const kind of i % 2 ? (['foreign', 'unknown'] as const) : (['unknown', 'foreign'] as const)) {
        const started = performance.now()
        expect((await call(other, 'GET', path[kind])).status).toBe(404)
        // The first ones warm up.
        if (i >= 20) times[kind].push(performance.now() - started)
      }
    const wins = times.foreign.flatMap((a) =>
      times.unknown.map((b): number => (a > b ? 1 : a === b ? 0.5 : 0)),
    )
    const auc = wins.reduce((sum, win) => sum + win, 0) / wins.length
    console.log(`foreign or unknown, by time: AUC ${auc.toFixed(3)} over 150 of each`)
    // Three standard errors of chance at this size.
    expect(Math.abs(auc - 0.5)).toBeLessThan(0.1)
  })
})

describe('a test of a model', () => {
  it('tells of a wrong base URL what to look at', async () => {
    await add(acme, 'probed', { endpoint_url: `${stack.provider.url}/nowhere` })
    const { status, body } = await call(acme, 'POST', `${MODELS}/probed/test`)
    expect(status).toBe(200)
    const tip = expect.stringContaining('base URL')
    expect(body).toMatchObject({ ok: false, status_class: '4xx', tip, discovered: [] })
    await call(acme, 'DELETE', `${MODELS}/probed`)
  })

  it('asks the policy again: an address that became forbidden is not called', async () => {
    await add(acme, 'stale')
    await stack.supabase.sql(
      `update custom_models set endpoint_url = 'http://127.0.0.1:9/v1' where model_id = 'stale'`,
    )
    expect(code(await call(acme, 'POST', `${MODELS}/stale/test`))).toEqual([
      400,
      'address_refused',
      'endpoint_url',
    ])
    await call(acme, 'DELETE', `${MODELS}/stale`)
  })
})

describe('aliases and provider keys', () => {
  it('are replaced by their name, and judged', async () => {
    const path = '/api/models/aliases/fast'
    const targets = [{ model: 'custom:mine', weight: 3 }, { model: 'openai:gpt-5' }]
    expect((await call(acme, 'PUT', path, { kind: 'weighted', targets })).body).toMatchObject({
      name: 'fast',
      kind: 'weighted',
      targets: [
        { model: 'custom:mine', weight: 3 },
        { model: 'openai:gpt-5', weight: 1 },
      ],
    })
    expect((await call(acme, 'PUT', path, { kind: 'fallback', targets })).body).toMatchObject({
      kind: 'fallback',
      revision: 2,
    })
    for (const wrong of [
      {},
      { kind: 'fallback', targets: [] },
      { kind: 'weighted', targets: [{ model: 'a', weight: 0 }] },
      '{"kind":"weighted","targets":[{"model":"a","weight":1e400}]}',
    ])
      expect((await call(acme, 'PUT', path, wrong)).status).toBe(400)
    expect((await call(acme, 'PUT', '/api/models/aliases/auto', { kind: 'fallback', targets })).status).toBe(
      400,
    )
    expect((await call(acme, 'DELETE', path)).body).toEqual({ name: 'fast', deleted: true })
  })

  it('know the addresses of known providers, and ask for others', async () => {
    const put = (provider: string, body: object) =>
      call(acme, 'PUT', `/api/models/provider-keys/${provider}`, body)
    expect((await put('anthropic', { api_key: CANARY })).body).toMatchObject({
      base_url: 'https://api.anthropic.com/v1',
      wire_format: 'anthropic',
      api_key_hint: '...7391',
    })
    expect(code(await put('unheard-of', { api_key: CANARY }))).toEqual([400, 'invalid_request', 'base_url'])
    expect(code(await put('unheard-of', { api_key: CANARY, base_url: 'https://10.0.0.1/v1' }))).toEqual([
      400,
      'address_refused',
      'base_url',
    ])
  })
})

describe('the operator', () => {
  it('acts for a tenant that is named, and for no other', async () => {
    expect(code(await call(OPERATOR_TOKEN, 'GET', MODELS))).toEqual([400, 'invalid_request', 'tenant'])
    for (const name of ['nobody', "a' or 1=1", 'A'])
      expect((await call(OPERATOR_TOKEN, 'GET', `${MODELS}?tenant=${encodeURIComponent(name)}`)).status).toBe(
        404,
      )
    const published = await add(OPERATOR_TOKEN, 'for-all', { is_public: true }, '?tenant=acme')
    expect(published.body).toMatchObject({ is_public: true })
    expect((await call(other, 'GET', `${MODELS}/for-all`)).body).toMatchObject({ owned: false })
    expect((await call(other, 'POST', `${MODELS}/for-all/test`)).status).toBe(404)
    expect((await call(other, 'DELETE', `${MODELS}/for-all`)).status).toBe(404)
  })

  it("sets what serves the system's models", async () => {
    const path = `${MODELS}/beast-mode-code-generator?tenant=beast-system`
    const { body } = await call(OPERATOR_TOKEN, 'PATCH', path, {
      config: { upstream: 'simulated:sim-large' },
    })
    expect(body).toMatchObject({ config: { upstream: 'simulated:sim-large' }, revision: 2, is_public: true })
    expect(
      (await call(acme, 'PATCH', `${MODELS}/beast-mode-code-generator`, { is_active: false })).status,
    ).toBe(404)
  })

  it('alone rotates the keys: batch after batch, ended half-way and gone on with', async () => {
    for (const key of [undefined, acme]) expect((await call(key, 'POST', ROTATE, {})).status).toBe(401)
    expect(code(await call(OPERATOR_TOKEN, 'POST', ROTATE, { cursor: 'x' }))).toEqual([
      400,
      'invalid_request',
      'cursor',
    ])
    const [tenant] = await stack.supabase.sql<{ id: string }>(
      `select id from tenants where name = 'rotating'`,
    )
    const tenantId = tenant?.id ?? ''
    const old = new KeyBox(new Map([['KEK_1', Buffer.from(kek(1), 'base64url')]]), 'KEK_1')
    for (let i = 0; i < 90; i++) {
      const id = uuidv7(Date.now())
      const { encrypted, iv } = await old.seal({ table: 'custom_models', rowId: id, tenantId }, CANARY)
      await stack.supabase.sql(
        `insert into custom_models (id, tenant_id, model_id, model_name, endpoint_url, api_key_encrypted, api_key_iv, config)
         values ('${id}', '${tenantId}', 'm${i}', 'm', '${stack.provider.url}', '${encrypted}', '${iv}', '{"model": "sim-small"}')`,
      )
    }
    const left = async () =>
      (await stack.supabase.sql(`select id from custom_models where api_key_encrypted like 'v2.KEK_1.%'`))
        .length

    const first = await call(OPERATOR_TOKEN, 'POST', ROTATE, {})
    expect(first.body.rewrapped + first.body.unchanged).toBe(40)
    const half = await left()
    expect(half).toBeGreaterThan(0)
    expect(half).toBeLessThan(90)
    for (const id of ['m0', 'm89'])
      expect((await call(rotating, 'POST', `${MODELS}/${id}/test`)).body).toMatchObject({ ok: true })

    let { cursor } = first.body
    let rewrapped: number = first.body.rewrapped
    while (cursor) {
      const batch = await call(OPERATOR_TOKEN, 'POST', ROTATE, { cursor })
      rewrapped += batch.body.rewrapped
      expect(batch.body.failed).toEqual([])
      cursor = batch.body.cursor
    }
    expect([await left(), rewrapped]).toEqual([0, 90])
    expect((await call(rotating, 'POST', `${MODELS}/m0/test`)).body).toMatchObject({ ok: true })
    expect(stack.provider.requests.at(-1)?.headers.authorization).toBe(`Bearer ${CANARY}`)
  })
})
