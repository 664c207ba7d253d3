import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// What /api/models says, against every worker: the figures are what was sent, and nobody else's.

let stack: Stack
let acme: string
let other: string
let free: string

beforeAll(async () => {
  stack = await startStack()
  acme = await stack.key('acme', 'paid')
  other = await stack.key('other', 'paid')
  free = await stack.key('free', 'free')
})
afterAll(() => stack?.close())

interface Answer {
  readonly status: number
  readonly type: string | null
  // biome-ignore lint/suspicious/noExplicitAny: read as each test expects it
  readonly body: any
}

async function get(key: string | undefined, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${stack.url}${path}`, {
    ...init,
    headers: { ...(key && { authorization: `Bearer ${key}` }), 'content-type': 'application/json' },
  })
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: JSON.parse(await response.text()),
  }
}

const overview = async (key: string, query = '') => (await get(key, `/api/models${query}`)).body
const one = async (key: string, id: string) => (await get(key, `/api/models/${id}`)).body
const say = async (key: string, model: string, text: string, more: object = {}) => {
  const response = await chat(stack.url, key, { model, messages: [{ role: 'user', content: text }], ...more })
  await response.text()
  return response.status
}
const addModel = (key: string, model_id: string, config: object) =>
  get(key, '/api/models/custom', {
    method: 'POST',
    body: JSON.stringify({
      model_id,
      endpoint_url: stack.provider.url,
      config: { model: 'sim-small', ...config },
    }),
  })

const UNSEEN = {
  since: null,
  requests: 0,
  success_share: null,
  latency_ms: null,
  total_ms: null,
  cost_usd_per_1k_requests: null,
}

describe('the comparison of models', () => {
  it('equals what was sent: calls, success, times, cost', async () => {
    await addModel(acme, 'priced', {
      input_usd_per_mtok: 3,
      output_usd_per_mtok: 15,
      context_tokens: 8_000,
      tools: true,
    })
    const id = 'custom:priced'
    expect((await one(acme, id)).observed).toEqual(UNSEEN)
    const texts = ['one', 'two', '[[sim: latency=120]] three', '[[sim: latency=120]] four']
    for (const text of texts) expect(await say(acme, id, text)).toBe(200)
    expect(await say(acme, id, 'streamed', { stream: true })).toBe(200)
    // A hit asks no model.
    expect(await say(acme, id, 'one')).toBe(200)
    for (const text of ['a', 'b']) expect(await say(acme, id, `[[sim: status=500]] ${text}`)).toBe(502)
    // The request is at fault, and no model.
    expect(await say(acme, id, '[[sim: status=400]] c')).toBe(400)

    const compared = await one(acme, id)
    expect(compared).toMatchObject({
      scope: 'isolate',
      half_life_seconds: 3_600,
      id,
      source: 'own',
      is_active: true,
      available: true,
      context_tokens: 8_000,
      capabilities: { tools: true, vision: null, json: null },
      price: { input_usd_per_mtok: 3, output_usd_per_mtok: 15 },
      quality: null,
      observed: { requests: 8, success_share: 0.714 },
    })
    const { since, latency_ms, total_ms, cost_usd_per_1k_requests } = compared.observed
    expect(Math.abs(Date.now() - Date.parse(since))).toBeLessThan(60_000)
    // Two of five waited 120 ms for their first byte; the error of the estimate is 5 %.
    expect(latency_ms.p50).toBeLessThan(114)
    expect(latency_ms.p95).toBeGreaterThanOrEqual(114)
    expect(total_ms.p95).toBeGreaterThanOrEqual(latency_ms.p50)
    expect(cost_usd_per_1k_requests).toBeGreaterThan(0)
  })

  it('reckons the cost with the tokens that the provider counted', async () => {
    await addModel(acme, 'counted', { input_usd_per_mtok: 1_000, output_usd_per_mtok: 2_000 })
    let usd = 0
    for (const text of ['short', 'somewhat longer than that']) {
      const response = await chat(stack.url, acme, {
        model: 'custom:counted',
        messages: [{ role: 'user', content: text }],
      })
      const { usage } = (await response.json()) as {
        usage: { prompt_tokens: number; completion_tokens: number }
      }
      usd += (usage.prompt_tokens * 1_000 + usage.completion_tokens * 2_000) / 1e6
    }
    const { observed } = await one(acme, 'custom:counted')
    expect(observed.cost_usd_per_1k_requests).toBeCloseTo((usd / 2) * 1_000, 2)
  })

  it('counts calls, so that a request that was sent again counts twice', async () => {
    await addModel(acme, 'busy', {})
    const before = stack.provider.requests.length
    expect(await say(acme, 'custom:busy', '[[sim: status=503]] busy')).toBe(503)
    const { observed } = await one(acme, 'custom:busy')
    expect(observed).toMatchObject({ requests: stack.provider.requests.length - before, success_share: 0 })
    expect(observed.latency_ms).toBeNull()
  })

  it('shows another tenant none of it', async () => {
    for (const text of ['x', 'y', '[[sim: status=500]] z']) await say(acme, 'simulated:sim-small', text)
    expect((await one(acme, 'simulated:sim-small')).observed.requests).toBe(3)
    expect((await one(other, 'simulated:sim-small')).observed).toEqual(UNSEEN)
    await addModel(other, 'priced', {})
    expect((await one(other, 'custom:priced')).observed).toEqual(UNSEEN)
    await say(other, 'custom:priced', 'mine')
    expect((await one(other, 'custom:priced')).observed.requests).toBe(1)
    expect((await one(acme, 'custom:priced')).observed.requests).toBe(8)
    const { data } = await overview(other)
    expect(data.map(({ id }: { id: string }) => id)).not.toContain('custom:counted')
  })

  it('starts anew with a model that was deleted and made again', async () => {
    await addModel(acme, 'again', {})
    await say(acme, 'custom:again', 'first life')
    expect((await one(acme, 'custom:again')).observed.requests).toBe(1)
    await get(acme, '/api/models/custom/again', { method: 'DELETE' })
    await addModel(acme, 'again', {})
    expect((await one(acme, 'custom:again')).observed).toEqual(UNSEEN)
  })

  it('sorts by what is asked, the unknown last', async () => {
    const ids = async (query: string) =>
      (await overview(acme, query)).data
        .filter(({ observed }: Answer['body']) => observed.requests > 0)
        .map(({ id }: { id: string }) => id)
    expect(await ids('?sort=success')).toEqual([
      'custom:counted',
      'custom:priced',
      'simulated:sim-small',
      'custom:busy',
    ])
    expect((await ids('?sort=cost')).slice(0, 2)).toEqual(['simulated:sim-small', 'custom:priced'])
    for (const sort of ['latency', 'success', 'cost']) {
      const { data } = await overview(acme, `?sort=${sort}`)
      const known = data.map(({ observed }: Answer['body']) =>
        sort === 'latency'
          ? observed.latency_ms?.p50
          : sort === 'success'
            ? observed.success_share && -observed.success_share
            : observed.cost_usd_per_1k_requests,
      )
      const values = known.map((value: number | null | undefined) => value ?? Number.POSITIVE_INFINITY)
      expect(values).toEqual(values.toSorted((a: number, b: number) => a - b))
    }
    expect((await get(acme, '/api/models?sort=colour')).body.error).toMatchObject({
      code: 'invalid_request',
      param: 'sort',
    })
  })

  it('says of a model that fails that it is not available, and of one that is switched off', async () => {
    await addModel(acme, 'failing', {})
    for (let i = 0; i < 6; i++) await say(acme, 'custom:failing', `[[sim: status=500]] ${i}`)
    expect(await one(acme, 'custom:failing')).toMatchObject({ is_active: true, available: false })
    expect(await one(acme, 'simulated:sim-small')).toMatchObject({ available: true })
    await get(acme, '/api/models/custom/failing', { method: 'PATCH', body: '{"is_active":false}' })
    expect(await one(acme, 'custom:failing')).toMatchObject({ is_active: false, available: false })
  })
})

describe('its routes', () => {
  it('keep to the house: JSON, keys, errors', async () => {
    for (const path of ['/api/models', '/api/models/custom:priced']) {
      const answer = await get(acme, path)
      expect([answer.status, answer.type]).toEqual([200, 'application/json'])
      for (const key of [undefined, 'bm_live_x', OPERATOR_TOKEN])
        expect((await get(key, path)).status).toBe(401)
    }
    for (const id of [
      'custom:nobody',
      'custom:counted',
      'auto',
      'nothing',
      '%00',
      'custom%3Acounted',
      '..%2f..',
    ]) {
      const { status, body } = await get(other, `/api/models/${id}`)
      expect([id, status, body.error.code]).toEqual([id, 404, 'model_not_found'])
    }
    expect((await get(acme, '/api/models/custom%3Apriced')).body.id).toBe('custom:priced')
    expect((await get(acme, '/api/models/sim-small')).body.id).toBe('simulated:sim-small')
  })

  it('leave those beside them as they were', async () => {
    const custom = await get(acme, '/api/models/custom')
    expect(custom.body.data[0]).toHaveProperty('revision')
    expect((await get(acme, '/api/models/custom/priced')).body).toHaveProperty('endpoint_url')
    for (const path of ['aliases', 'provider-keys'])
      expect((await get(acme, `/api/models/${path}`)).body).toEqual({ data: [] })
  })

  it('say the same models as /v1/models to everybody who may use them', async () => {
    for (const key of [other, free]) {
      const listed = (await get(key, '/v1/models')).body.data.map(({ id }: { id: string }) => id)
      const { data } = await overview(key)
      expect(data.map(({ id }: { id: string }) => id)).toEqual(listed)
    }
  })

  it('show the price of a public model to its owner only', async () => {
    await get(OPERATOR_TOKEN, '/api/models/custom/priced?tenant=acme', {
      method: 'PATCH',
      body: '{"is_public":true}',
    })
    stack = await stack.restart()
    const shared = await one(free, 'custom:priced')
    expect(shared).toMatchObject({ source: 'public', price: null, context_tokens: 8_000 })
    await say(free, 'custom:priced', 'for free')
    expect((await one(free, 'custom:priced')).observed).toMatchObject({
      requests: 1,
      cost_usd_per_1k_requests: null,
    })
    expect((await one(acme, 'custom:priced')).price).not.toBeNull()
    // Memory only: a new isolate starts anew, and says since when.
    expect((await one(acme, 'custom:priced')).observed).toEqual(UNSEEN)
  })
})
