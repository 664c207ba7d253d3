import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { uuidv7 } from '../../src/core/ids.ts'
import { feedbackRow, predictionRow } from '../database/rows.ts'
import { type Answer, type Api, apiAt, codeOf } from '../support/api.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN, supabaseClient } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// What is recorded of requests, told to those who may see it: through every worker, from the tables that it lies in.

const VIEWER_TOKEN = 'v'.repeat(43)
const REQUESTS = '/api/requests'
const vars: Record<string, string> = { VIEWER_TOKEN }
const SECRET_PROMPT = 'What is the password of the vault?'
let stack: Stack
let proxy: FaultProxy
let api: Api
let acme: string
let wordy: string
let cookie: string
const tenantIds: Record<string, string> = {}

beforeAll(async () => {
  stack = await startStack(vars)
  proxy = await startFaultProxy(stack.supabase.url)
  vars.SUPABASE_URL = proxy.url
  stack = await stack.restart()
  api = apiAt(stack.url)
  acme = await stack.key('acme', 'paid')
  wordy = await stack.key('wordy', 'paid')
  await stack.supabase.sql(`update tenants set keeps_text = true where name = 'wordy'`)
  const tenants = await stack.supabase.sql<{ id: string; name: string }>('select id, name from tenants')
  for (const { id, name } of tenants) tenantIds[name] = id
  const signedIn = await fetch(`${stack.url}/monitoring/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: stack.url },
    body: new URLSearchParams({ secret: VIEWER_TOKEN }),
    redirect: 'manual',
  })
  cookie = signedIn.headers.getSetCookie()[0]?.split(';')[0] ?? ''
})
afterEach(() => proxy.set({ kind: 'none' }))
afterAll(async () => {
  await proxy?.close()
  await stack?.close()
})

const get = (key: string | undefined, path: string) => api(key, 'GET', `${REQUESTS}${path}`)
const asViewer = async (path: string, headers: Record<string, string> = { cookie }): Promise<Answer> => {
  const response = await fetch(`${stack.url}/monitoring/requests${path}`, { headers })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
}
const idsOf = ({ body }: Answer): string[] => body.data.map(({ id }: { id: string }) => id)
const paramOf = ({ status, body }: Answer) => [status, body.error?.code, body.error?.param]

/** An answer but for what differs from request to request. */
const shape = ({ status, body }: Answer) => [status, { ...body.error, request_id: '' }]

async function ask(key: string, text: string, more = {}): Promise<string> {
  const response = await chat(stack.url, key, chatBody(text, more))
  await response.text()
  return response.headers.get('x-beast-prediction') ?? ''
}

/** Its story, once it is recorded. */
const recorded = (key: string, id: string): Promise<Answer> =>
  vi.waitFor(
    async () => {
      const answer = await get(key, `/${id}`)
      expect(answer.status).toBe(200)
      return answer
    },
    { timeout: 25_000, interval: 200 },
  )

/** Rows as the recorder leaves them, a second apart. @returns their ids, oldest first */
async function predict(tenant: string, count: number, startMs: number, more: (i: number) => object) {
  const rows = Array.from({ length: count }, (_, i) => ({
    ...predictionRow(tenantIds[tenant] ?? '', startMs + i * 1_000),
    ...more(i),
  }))
  await supabaseClient(stack.supabase).from('ml_predictions').insert(rows).throwOnError()
  return rows.map(({ id }) => id)
}

describe('a request that was made', () => {
  it('tells its whole story, from the choice to the ratings', { timeout: 60_000 }, async () => {
    const missed = await ask(wordy, SECRET_PROMPT, { user: 'ann' })
    const hit = await ask(wordy, SECRET_PROMPT, { user: 'ann' })
    const rating = { prediction_id: missed, source: 'user', rating: 2, correction: 'Nobody knows.' }
    await api(wordy, 'POST', '/api/feedback', rating)
    await recorded(wordy, missed)
    const told = await vi.waitFor(
      async () => {
        const { body } = await get(wordy, `/${missed}`)
        expect([body.ratings.length, body.text === null]).toEqual([1, false])
        return body
      },
      { timeout: 25_000, interval: 200 },
    )
    expect(told).toMatchObject({
      id: missed,
      tenant: 'wordy',
      outcome: 'success',
      error_code: null,
      route: 'simulated:sim-small',
      model: 'simulated:sim-small',
      cache: 'miss',
      tries: 1,
      attempts: [{ attempt: 1, model: 'simulated:sim-small', provider: 'simulated', result: 'answered' }],
      ledger: { settled_as: 'settled' },
      ratings: [{ source: 'user', rating: 2, correction: 'Nobody knows.' }],
    })
    expect(told.decision.candidates[0]).toMatchObject({
      id: 'simulated:sim-small',
      score: expect.any(Number),
      reasons: expect.arrayContaining(['named']),
    })
    expect(told.output_tokens).toBe(told.attempts[0].output_tokens)
    expect(told.total_ms).toBeGreaterThanOrEqual(told.upstream_ms)
    expect(told.text.prompt).toContain(SECRET_PROMPT)
    expect(told.text.answer.length).toBeGreaterThan(0)
    expect(told.created_at).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)

    const { body: again } = await recorded(wordy, hit)
    expect(again).toMatchObject({ cache: 'hit', cached_prediction_id: missed, attempts: [], ledger: null })
    expect(again.cache_tier).not.toBeNull()

    // To those who watch the gateway it tells nothing that anybody said, nor who did.
    const seen = await asViewer(`/${missed}`)
    expect(seen.status).toBe(200)
    expect(seen.body).toMatchObject({
      id: missed,
      tenant: 'wordy',
      ratings: [{ rating: 2, correction: null }],
    })
    expect(seen.text).not.toMatch(/password|Nobody knows|_hash|"text"/)
    expect(seen.headers.get('cache-control')).toBe('no-store')

    // What was kept is not told any more from the moment that the tenant keeps none.
    await stack.supabase.sql(`update tenants set keeps_text = false where name = 'wordy'`)
    expect((await get(wordy, `/${missed}`)).body.text).toBeNull()
    expect((await get(OPERATOR_TOKEN, `/${missed}`)).body.text).toBeNull()
  })

  it('has no text where its tenant keeps none', async () => {
    const { body, text } = await recorded(acme, await ask(acme, SECRET_PROMPT))
    expect([body.text, text.includes('password')]).toEqual([null, false])
  })

  it('that failed says by what, and what each try came to', async () => {
    const id = await ask(acme, 'x', { model: 'simulated:sim-nothing' })
    expect((await recorded(acme, id)).body).toMatchObject({
      outcome: 'client_error',
      error_code: 'model_not_found',
      model: null,
      attempts: [],
    })
  })
})

describe('who sees it', () => {
  it('another tenant gets for it what it gets for one that never was', async () => {
    const [own = ''] = await predict('wordy', 1, Date.now() - 3_600_000, () => ({}))
    expect((await get(wordy, `/${own}`)).status).toBe(200)
    const foreign = await get(acme, `/${own}`)
    const unknown = await get(acme, `/${uuidv7(Date.now())}`)
    expect(shape(foreign)).toEqual(shape(unknown))
    expect([foreign.status, foreign.body.error.tip]).toEqual([404, expect.stringContaining('some seconds')])
    expect(idsOf(await get(acme, '?limit=100'))).not.toContain(own)
    expect(idsOf(await get(acme, `?limit=100&cursor=${uuidv7(Date.now() + 60_000)}`))).not.toContain(own)
  })

  it('what belongs to its id in another tenant’s name is not told', async () => {
    const [id = ''] = await predict('acme', 1, Date.now() - 3_600_000, () => ({}))
    const wrong = tenantIds.wordy ?? ''
    await supabaseClient(stack.supabase)
      .from('quality_feedback_history')
      .insert(feedbackRow(wrong, id, { correction: 'not yours' }))
      .throwOnError()
    await stack.supabase.sql(
      `insert into ledger (prediction_id, tenant_id, created_at, cost_usd) values ('${id}', '${wrong}', now(), 5)`,
    )
    expect((await get(acme, `/${id}`)).body).toMatchObject({ ratings: [], ledger: null })
  })

  it('a key, the operator, a viewer; nobody else', async () => {
    const [id = ''] = await predict('acme', 1, Date.now() - 3_600_000, () => ({}))
    for (const path of ['', `/${id}`]) {
      expect(codeOf(await get(undefined, path))).toEqual([401, 'missing_api_key'])
      expect(codeOf(await get(VIEWER_TOKEN, path))).toEqual([401, 'invalid_api_key'])
      expect((await get(OPERATOR_TOKEN, path)).status).toBe(200)
      expect((await asViewer(path)).status).toBe(200)
      expect(codeOf(await asViewer(path, {}))).toEqual([401, 'missing_api_key'])
      expect(codeOf(await asViewer(path, { authorization: `Bearer ${acme}` }))[0]).toBe(401)
      expect(codeOf(await asViewer(path, { cookie: `${cookie}x` }))[0]).toBe(401)
      // The page's session is for the page.
      const borrowed = await fetch(`${stack.url}${REQUESTS}${path}`, { headers: { cookie } })
      expect(borrowed.status).toBe(401)
    }
  })

  it('only the operator and a viewer may name a tenant', async () => {
    const [id = ''] = await predict('wordy', 1, Date.now() - 1_800_000, () => ({}))
    expect(paramOf(await get(acme, '?tenant=wordy'))).toEqual([400, 'invalid_request', 'tenant'])
    expect(paramOf(await get(acme, `/${id}?tenant=wordy`))).toEqual([400, 'invalid_request', 'tenant'])
    for (const read of [(path: string) => get(OPERATOR_TOKEN, path), (path: string) => asViewer(path)]) {
      const both = new Set(
        (await read('?limit=100')).body.data.map(({ tenant }: { tenant: string }) => tenant),
      )
      expect(both).toEqual(new Set(['acme', 'wordy']))
      const { body } = await read('?limit=100&tenant=wordy')
      expect(body.data.every(({ tenant }: { tenant: string }) => tenant === 'wordy')).toBe(true)
      expect((await read(`/${id}?tenant=acme`)).status).toBe(404)
      expect(paramOf(await read('?tenant=nobody'))).toEqual([404, 'not_found', 'tenant'])
      expect(paramOf(await read("?tenant=a'b"))).toEqual([404, 'not_found', 'tenant'])
    }
  })
})

describe('the search', () => {
  const startMs = Date.UTC(2026, 10, 1, 12)
  const day = 'from=2026-11-01&to=2026-11-02'
  let ids: string[]
  beforeAll(async () => {
    const models = ['openai:gpt-4o', 'custom:gpt-4o', 'openai:gpt-4o-mini']
    ids = await predict('acme', 30, startMs, (i) => ({
      model: models[i % 3],
      outcome: i % 5 === 0 ? 'error' : 'success',
      cache: i % 2 === 0 ? 'hit' : 'miss',
      task: i % 10 === 0 ? 'testing' : 'chat',
      cost_usd: String(i / 1_000),
    }))
    await predict('wordy', 5, startMs, () => ({ outcome: 'error' }))
  })

  const every = (which: (i: number) => boolean) => ids.filter((_, i) => which(i)).reverse()

  it('lists newest first, a page at a time, each once', async () => {
    const seen: string[] = []
    let cursor = ''
    for (let page = 0; page < 10; page++) {
      const { body } = await get(acme, `?${day}&limit=7${cursor}`)
      seen.push(...body.data.map(({ id }: { id: string }) => id))
      expect(body.data.length).toBeLessThanOrEqual(7)
      if (body.next_cursor === null) break
      cursor = `&cursor=${body.next_cursor}`
      // What arrives in between moves nothing.
      if (page === 0) await predict('acme', 1, startMs + 40_000, () => ({}))
    }
    expect(seen).toEqual(every(() => true))
    // A full last page is the last one.
    const last = await get(acme, `?${day}&limit=31`)
    expect([last.body.data.length, last.body.next_cursor]).toEqual([31, null])
  })

  it.each<[string, (i: number) => boolean]>([
    ['model=openai:gpt-4o', (i) => i % 3 === 0],
    ['model=gpt-4o', (i) => i % 3 !== 2],
    ['model=GPT-4o', () => false],
    ['model=gpt-4%', () => false],
    ['model=gpt-4o,custom:x)', () => false],
    ['outcome=error', (i) => i % 5 === 0],
    ['cache=hit', (i) => i % 2 === 0],
    ['task=testing', (i) => i % 10 === 0],
    ['min_cost=0.02', (i) => i >= 20],
    ['outcome=error&cache=miss&min_cost=0.01', (i) => i % 10 === 5 && i >= 10],
  ])('finds by %s', async (filter, which) => {
    const query = `?from=2026-11-01&to=2026-11-01T12:00:30Z&limit=100&${filter.replace('%', '%25')}`
    expect(idsOf(await get(acme, query))).toEqual(every(which))
  })

  it('takes the first moment in, and leaves the last out', async () => {
    const query = '?from=2026-11-01T12:00:10Z&to=2026-11-01T13:00:20%2B01:00'
    expect(idsOf(await get(acme, query))).toEqual(every((i) => i >= 10 && i < 20))
  })

  it('names the parameter that is wrong, also one that is given twice', async () => {
    expect(paramOf(await get(acme, '?limit=101'))).toEqual([400, 'invalid_request', 'limit'])
    expect(paramOf(await get(acme, '?outcome=x'))).toEqual([400, 'invalid_request', 'outcome'])
    expect(paramOf(await get(acme, '?outcome=error&outcome=success'))).toEqual([
      400,
      'invalid_request',
      'outcome',
    ])
    expect(paramOf(await get(acme, '?mode=1'))).toEqual([400, 'invalid_request', 'mode'])
    expect(paramOf(await get(acme, '/x'))).toEqual([400, 'invalid_request', 'id'])
    expect(paramOf(await get(acme, `/${ids[0]}?text=1`))).toEqual([400, 'invalid_request', 'text'])
  })

  it('walks the index, also where a tenant has many', async () => {
    await stack.supabase.sql('analyze ml_predictions')
    for (const scan of ['seqscan', 'bitmapscan']) await stack.supabase.sql(`set enable_${scan} = off`)
    const plan = await stack.supabase.sql<{ 'QUERY PLAN': string }>(
      `explain select id from ml_predictions where tenant_id = '${tenantIds.acme}' and id < '${ids[9]}' order by id desc limit 21`,
    )
    for (const scan of ['seqscan', 'bitmapscan']) await stack.supabase.sql(`reset enable_${scan}`)
    const told = plan.map((row) => row['QUERY PLAN']).join('\n')
    expect(told).toContain('ml_predictions_tenant_id')
    expect(told).not.toContain('Sort')
  })
})

describe('while the store is down', () => {
  it('says so, and when to come again', async () => {
    const [id = ''] = await predict('acme', 1, Date.now(), () => ({}))
    await get(acme, '')
    for (const fault of [
      { kind: 'answer', status: 500, body: '{"code":"XX000","message":"down"}' },
      { kind: 'answer', status: 503, body: '<html>' },
      { kind: 'reset' },
      { kind: 'rewrite', rewrite: () => '[{"id":7}]' },
    ] as const) {
      proxy.set(fault)
      for (const path of ['', `/${id}`]) {
        const answer = await get(acme, path)
        expect(codeOf(answer), JSON.stringify(fault)).toEqual([503, 'store_unavailable'])
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
        expect(codeOf(await asViewer(path))).toEqual([503, 'store_unavailable'])
      }
    }
  })
})
