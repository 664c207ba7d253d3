import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { uuidv7 } from '../../src/core/ids.ts'
import { predictionRow } from '../database/rows.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { rating } from '../support/ratings.ts'
import { chatBody } from '../support/slots.ts'
import { ROOT, supabaseClient } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// Ratings over HTTP, through every worker, to the tables they are meant for.

const PAGE = 'https://shop.example'
const vars: Record<string, string> = { CORS_ORIGINS: PAGE }
let stack: Stack
let proxy: FaultProxy
let acme: string
let other: string
const tenantIds: Record<string, string> = {}

beforeAll(async () => {
  stack = await startStack(vars)
  proxy = await startFaultProxy(stack.supabase.url)
  vars.SUPABASE_URL = proxy.url
  stack = await stack.restart()
  acme = await stack.key('acme', 'paid')
  other = await stack.key('other')
  const tenants = await stack.supabase.sql<{ id: string; name: string }>('select id, name from tenants')
  for (const { id, name } of tenants) tenantIds[name] = id
})
afterEach(() => proxy.set({ kind: 'none' }))
afterAll(async () => {
  await proxy?.close()
  await stack?.close()
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: read as each test expects it
  readonly body: any
}

async function call(
  key: string | undefined,
  method: string,
  path: string,
  body?: unknown,
  more: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${stack.url}/api/feedback${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }), ...more },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text && JSON.parse(text) }
}

const rate = (key: string | undefined, body: unknown) => call(key, 'POST', '', body)
const seen = async (key: string, query: string) => (await call(key, 'GET', `?${query}`)).body.data
const of = (predictionId: string) => `prediction_id=${predictionId}`
const code = ({ status, body }: Answer) => [status, body.error?.code, body.error?.param]

/** As the recorder does. */
async function predict(tenant: string, id = uuidv7(Date.now())): Promise<string> {
  const row = { ...predictionRow(tenantIds[tenant] ?? '', Date.now()), id }
  await supabaseClient(stack.supabase).from('ml_predictions').insert(row).throwOnError()
  return id
}

/** Not `expect.poll`, which knows no tests beside one another. */
const reached = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 25_000, interval: 200 })

/** Waits until what was acknowledged has reached the tables. */
const stored = (id: string, count = 1) =>
  reached(async () => {
    const rows = `select id from quality_feedback_history where prediction_id = '${id}'`
    expect(await stack.supabase.sql(rows)).toHaveLength(count)
  })

// Beside one another: each waits for seconds until the recorder has gathered its batch.
describe.concurrent('ratings', () => {
  describe('a rating', () => {
    it('is acknowledged with a receipt, stored whole, and joined to its prediction', async () => {
      const prediction_id = await predict('acme')
      const said = {
        thumbs: 'down',
        rating: 2,
        outcome: -0.5,
        correction: 'Better:\n"✓" 🚀',
        tags: ['tests/failed', 'v1.2'],
      }
      const { status, body } = await rate(acme, { prediction_id, source: 'user', ...said })
      expect(status).toBe(202)
      expect(body).toEqual({
        id: expect.any(String),
        prediction_id,
        source: 'user',
        received_at: expect.stringMatching(/^\d{4}-.*Z$/),
        status: 'accepted',
      })
      await stored(prediction_id)
      const listed = await seen(acme, of(prediction_id))
      expect(Date.parse(listed[0].received_at)).toBe(Date.parse(body.received_at))
      expect(listed).toEqual([
        expect.objectContaining({
          prediction_id,
          source: 'user',
          ...said,
          status: 'matched',
          received_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
          matched_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
          revisions: 1,
          amended_at: null,
          model: 'openai:gpt-4o-mini',
        }),
      ])
    })

    it('finds the answer that a caller got, whether a model gave it or the cache', async () => {
      for (const cached of [false, true]) {
        const answer = await chat(stack.url, acme, chatBody('to be rated'))
        expect(answer.headers.get('cache-status')?.includes('; hit;')).toBe(cached)
        await answer.body?.cancel()
        const prediction_id = answer.headers.get('x-beast-prediction') ?? ''
        expect((await rate(acme, { prediction_id, source: 'user', rating: 5 })).status).toBe(202)
        await reached(async () =>
          expect(await seen(acme, `${of(prediction_id)}&status=matched`)).toMatchObject([
            { rating: 5, revisions: 1 },
          ]),
        )
      }
    }, 60_000)

    it('amends the one before it, with history; the same again is no revision', async () => {
      const prediction_id = await predict('acme')
      const user = { prediction_id, source: 'user' }
      for (const said of [
        { thumbs: 'up' },
        { thumbs: 'up' },
        { thumbs: 'down' },
        { rating: 1 },
        { thumbs: 'up' },
        { thumbs: 'up' },
      ])
        expect((await rate(acme, { ...user, ...said })).status).toBe(202)
      await rate(acme, { ...user, source: 'bot', outcome: 3 })
      await stored(prediction_id, 7)
      const [bot, own] = await seen(acme, of(prediction_id))
      expect(bot).toMatchObject({ source: 'bot', outcome: 3, revisions: 1 })
      expect(own).toMatchObject({ source: 'user', thumbs: 'up', rating: 1, revisions: 4 })
      expect(Date.parse(own.amended_at)).toBeGreaterThan(Date.parse(own.received_at))
    })

    it('is stored once under an id of the caller, also after another was given', async () => {
      const prediction_id = await predict('acme')
      const first = { id: crypto.randomUUID(), prediction_id, source: 'user', thumbs: 'up' }
      const receipts = [await rate(acme, first)]
      await rate(acme, { ...first, id: crypto.randomUUID(), thumbs: 'down' })
      for (let i = 0; i < 3; i++) receipts.push(await rate(acme, first))
      expect(new Set(receipts.map(({ body }) => body.id)).size).toBe(1)
      // The same name in another tenant is another rating.
      expect((await rate(other, first)).body.id).not.toBe(receipts[0]?.body.id)
      await stored(prediction_id, 3)
      expect(await seen(acme, of(prediction_id))).toMatchObject([{ thumbs: 'down', revisions: 2 }])
    })

    it('waits for a prediction that comes later', async () => {
      const prediction_id = uuidv7(Date.now() - 5_000)
      await rate(acme, { prediction_id, source: 'auto-prompt', rating: 4 })
      await stored(prediction_id)
      expect(await seen(acme, of(prediction_id))).toMatchObject([{ status: 'pending', model: null }])
      await predict('acme', prediction_id)
      expect(await seen(acme, of(prediction_id))).toMatchObject([
        { status: 'matched', model: 'openai:gpt-4o-mini' },
      ])
    })

    it('of a foreign prediction counts for nothing, and tells nothing', async () => {
      const [theirs, nobodys] = [await predict('acme'), uuidv7(Date.now())]
      const shape = async (id: string) => {
        const { status, body } = await rate(other, { prediction_id: id, source: 'user', thumbs: 'down' })
        await stored(id)
        const [listed] = await seen(other, of(id))
        return {
          status,
          receipt: Object.keys(body),
          listed: { ...listed, prediction_id: '', received_at: '' },
        }
      }
      expect(await shape(theirs)).toEqual(await shape(nobodys))
      expect(await seen(acme, of(theirs))).toEqual([])
      const ids = `('${theirs}', '${nobodys}')`
      await stack.supabase.sql(
        `update quality_feedback set stored_at = now() - interval '25 hours' where prediction_id in ${ids}`,
      )
      await stack.supabase.sql('select match_feedback()')
      for (const id of [theirs, nobodys])
        expect(await seen(other, of(id))).toMatchObject([
          { status: 'unmatched', matched_at: null, model: null },
        ])
      const counted = `select 1 from quality_feedback where matched_at is not null and prediction_id in ${ids}`
      expect(await stack.supabase.sql(counted)).toEqual([])
    })

    it('that cannot be is refused, before anything of it is stored', async () => {
      const prediction_id = uuidv7(Date.now())
      const good = { prediction_id, source: 'user', thumbs: 'up' }
      const refusals: [unknown, number, string, string | null][] = [
        [{ ...good, prediction_id: crypto.randomUUID() }, 422, 'invalid_feedback', 'prediction_id'],
        [{ ...good, prediction_id: `${prediction_id}' or '1'='1` }, 422, 'invalid_feedback', 'prediction_id'],
        [{ ...good, rating: 1e6 }, 422, 'invalid_feedback', 'rating'],
        [JSON.stringify({ ...good, outcome: 7 }).replace('7}', '1e400}'), 422, 'invalid_feedback', 'outcome'],
        [JSON.stringify({ ...good, outcome: 7 }).replace('7}', 'NaN}'), 400, 'invalid_json', null],
        [{ prediction_id, source: 'user' }, 422, 'invalid_feedback', null],
        [{ ...good, tenant_id: tenantIds.other }, 422, 'invalid_feedback', 'tenant_id'],
        [`{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 422, 'invalid_feedback', 'prediction_id'],
        [{ ...good, correction: 'x'.repeat(1_000_000) }, 413, 'body_too_large', null],
      ]
      for (const [body, ...expected] of refusals) expect(code(await rate(acme, body))).toEqual(expected)
      for (const key of [undefined, 'bm_live_nonsense'])
        for (const path of ['', '/batch', '/token'])
          expect((await call(key, 'POST', path, good)).status).toBe(401)
      const rows = `select 1 from quality_feedback_history where prediction_id = '${prediction_id}'`
      expect(await stack.supabase.sql(rows)).toEqual([])
    })

    it('that is taken is one that the database takes', async () => {
      const now = Date.now()
      const items = fc.sample(rating(now), { numRuns: 300, seed: 20_261_121 })
      items.push({ ...items[0], correction: '€'.repeat(87_381) } as never)
      items.push({
        ...items[0],
        tags: Array.from({ length: 20 }, (_, i) => `t${i}`.padEnd(64, '/')),
      } as never)
      const ids: string[] = []
      const key = await stack.key('many')
      for (let at = 0; at < items.length; at += 100) {
        const { status, body } = await call(key, 'POST', '/batch', { items: items.slice(at, at + 100) })
        expect([status, body.refused]).toEqual([202, []])
        ids.push(...body.accepted.map(({ id }: { id: string }) => id))
      }
      const list = `(${ids.map((id) => `'${id}'`).join()})`
      await reached(async () => {
        const rows = await stack.supabase.sql(`select id from quality_feedback_history where id in ${list}`)
        expect(rows).toHaveLength(new Set(ids).size)
      })
    })
  })

  describe('a batch', () => {
    it('takes what is good, and says of the rest what is wrong', async () => {
      const [a, b] = [await predict('acme'), await predict('acme')]
      const items = [
        { prediction_id: a, source: 'user', thumbs: 'up' },
        { prediction_id: a, source: 'user', rating: 9 },
        { prediction_id: b, source: 'bot', outcome: 1 },
        { prediction_id: 'x', source: 'bot', outcome: 1 },
      ]
      const { status, body } = await call(acme, 'POST', '/batch', { items })
      expect(status).toBe(202)
      expect(body.accepted).toMatchObject([
        { index: 0, prediction_id: a, status: 'accepted' },
        { index: 2, prediction_id: b, status: 'accepted' },
      ])
      expect(body.refused).toMatchObject([
        { index: 1, code: 'invalid_feedback', param: 'rating', tip: expect.any(String) },
        { index: 3, code: 'invalid_feedback', param: 'prediction_id' },
      ])
      await Promise.all([stored(a), stored(b)])
      expect(code(await call(acme, 'POST', '/batch', { items: [items[3]] }))).toEqual([
        422,
        'invalid_feedback',
        'items[0].prediction_id',
      ])
    })
  })

  describe('the list', () => {
    it('goes page by page through every rating once, and filters', async () => {
      const key = await stack.key('reader')
      const items = Array.from({ length: 25 }, (_, i) => ({
        prediction_id: uuidv7(Date.now() - i),
        source: i % 5 ? 'user' : 'bot',
        rating: 1 + (i % 5),
      }))
      await call(key, 'POST', '/batch', { items })
      await stored(items[24]?.prediction_id ?? '')
      // Many at one time, as an import would make them.
      await stack.supabase.sql(
        `update quality_feedback set received_at = '2026-01-01T00:00:00.123456Z'
       where tenant_id = (select id from tenants where name = 'reader') and rating > 2`,
      )
      const all: string[] = []
      let next: string | null = ''
      while (next !== null) {
        const { status, body }: Answer = await call(key, 'GET', `?limit=4${next && `&cursor=${next}`}`)
        expect(status).toBe(200)
        all.push(...body.data.map((row: { prediction_id: string }) => row.prediction_id))
        next = body.next_cursor
      }
      expect([...all].sort()).toEqual(items.map((item) => item.prediction_id).sort())
      const count = async (query: string) => (await seen(key, `limit=50&${query}`)).length
      expect(await count('source=bot')).toBe(5)
      expect(await count('status=pending')).toBe(25)
      expect(await count('status=matched')).toBe(0)
      expect(await count('status=unmatched')).toBe(0)
      expect(await count('to=2026-02-01')).toBe(15)
      expect(await count('from=2026-02-01T00:00:00%2B01:00')).toBe(10)
      expect(await count(of(items[3]?.prediction_id ?? ''))).toBe(1)
    })

    it.each([
      'limit=0',
      'limit=51',
      'limit=x',
      'source=admin',
      'status=all',
      'from=yesterday',
      'to=2026-13-45',
      'prediction_id=eq.1',
      'prediction_id=1%27%20or%201=1',
      'cursor=bm9wZQ',
      'cursor=WyIyMDI2LTAxLTAxIiwtMV0',
      'tenant_id=x',
      'select=*',
    ])('refuses %s', async (query) => {
      expect(code(await call(acme, 'GET', `?${query}`))).toEqual([
        400,
        'invalid_request',
        query.split('=')[0],
      ])
    })
  })

  describe('a token', () => {
    it('rates its prediction from a page, and does nothing else', async () => {
      const prediction_id = await predict('acme')
      const made = await call(acme, 'POST', '/token', { prediction_id, expires_in_s: 600 })
      expect(made.status).toBe(201)
      const { token, expires_at } = made.body
      expect(Date.parse(expires_at)).toBeLessThanOrEqual(Date.now() + 600_000)
      const good = { prediction_id, source: 'user', thumbs: 'up' }
      const rated = await call(token, 'POST', '', good, { origin: PAGE })
      expect(rated.status).toBe(202)
      expect(rated.headers.get('access-control-allow-origin')).toBe(PAGE)
      await stored(prediction_id)
      expect(await seen(acme, of(prediction_id))).toMatchObject([{ thumbs: 'up', status: 'matched' }])

      expect(code(await rate(token, { ...good, prediction_id: await predict('acme') }))).toEqual([
        422,
        'invalid_feedback',
        'prediction_id',
      ])
      expect(code(await rate(token, { ...good, source: 'bot' }))).toEqual([422, 'invalid_feedback', 'source'])
      for (const forged of [`${token}A`, token.replace(/.$/, '-'), token.replace('fbt_W', 'fbt_X'), 'fbt_'])
        expect(code(await rate(forged, good))).toEqual([401, 'invalid_api_key', null])
      expect((await call(token, 'GET', '')).status).toBe(401)
      expect((await call(token, 'POST', '/batch', { items: [good] })).status).toBe(401)
      expect((await call(token, 'POST', '/token', { prediction_id })).status).toBe(401)
      expect(code(await call(acme, 'POST', '/token', { prediction_id, expires_in_s: 2_592_001 }))).toEqual([
        422,
        'invalid_feedback',
        'expires_in_s',
      ])
    })

    it('is of use to pages of listed origins only, and opens nothing beside it', async () => {
      const ask = (origin: string, path = '') =>
        call(undefined, 'OPTIONS', path, undefined, { origin, 'access-control-request-method': 'POST' })
      const allowed = async (origin: string, path?: string) =>
        (await ask(origin, path).catch(() => undefined))?.headers.get('access-control-allow-origin')
      expect(await allowed(PAGE)).toBe(PAGE)
      for (const origin of ['null', `${PAGE}.evil.com`, 'https://evil.example'])
        expect(await allowed(origin)).toBe(null)
      for (const path of ['/batch', '/token']) expect(await allowed(PAGE, path)).toBe(null)
    })
  })

  it('is done by the lines of the guide', async () => {
    const blocks = [
      ...readFileSync(join(ROOT, 'docs/feedback.md'), 'utf8').matchAll(/```sh\n(.*?)```/gs),
    ].map(([, block = '']) => block)
    expect(blocks.length).toBeGreaterThanOrEqual(5)
    const env: Record<string, string> = {
      PATH: process.env.PATH ?? '',
      BEAST: stack.url,
      KEY: acme,
      PREDICTION: await predict('acme'),
    }
    for (const block of blocks) {
      const { stdout } = await promisify(execFile)('bash', ['-euc', block], { env, timeout: 10_000 })
      const answer = JSON.parse(stdout)
      expect(answer.error, block).toBeUndefined()
      if (answer.token) env.TOKEN = answer.token
    }
    await stored(env.PREDICTION ?? '', 3)
    expect(await seen(acme, of(env.PREDICTION ?? ''))).toMatchObject([
      { source: 'bot', outcome: 1, tags: ['tests/passed'], status: 'matched' },
      { source: 'user', thumbs: 'down', rating: 5, correction: 'The better answer.', revisions: 2 },
    ])
  })
})

describe('what was acknowledged', () => {
  it('is there after Supabase was away; what could not be kept was not acknowledged', async () => {
    // Known, so that the key itself needs no look-up.
    await seen(acme, 'limit=1')
    const acknowledged: string[] = []
    const direct202: string[] = []
    let refused = 0
    const faults = [
      { kind: 'reset' },
      { kind: 'answer', status: 503, body: '<html>' },
      { kind: 'answer', status: 500, body: '{}', share: 0.5 },
      { kind: 'none' },
    ] as const
    for (const fault of faults) {
      proxy.set(fault)
      for (let i = 0; i < 5; i++) {
        const prediction_id = uuidv7(Date.now())
        const answer = await rate(acme, { prediction_id, source: 'bot', outcome: i })
        expect(answer.status).toBe(202)
        acknowledged.push(prediction_id)
        // Too long for the queue, so it lies in the table or nowhere.
        const long = { prediction_id, source: 'user', correction: 'x'.repeat(200_000) }
        const direct = await rate(acme, long)
        if (direct.status === 202) direct202.push(prediction_id)
        else {
          expect(code(direct)).toEqual([503, 'store_unavailable', null])
          expect(Number(direct.headers.get('retry-after'))).toBeGreaterThan(0)
          refused += 1
        }
      }
    }
    expect(refused).toBeGreaterThanOrEqual(10)
    expect(direct202.length).toBeGreaterThanOrEqual(5)
    console.log(`acknowledged ${acknowledged.length} and ${direct202.length}, refused ${refused}`)
    for (const id of acknowledged) await stored(id, direct202.includes(id) ? 2 : 1)
  })
})
