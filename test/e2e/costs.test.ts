import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { CostLine } from '../../src/cost/costs.ts'
import { type Answer, type Api, apiAt, codeOf, isHit } from '../support/api.ts'
import { parseCsv } from '../support/csv.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// Costs from the request to the bill: the simulated provider pretends $0.15 and $0.60 for a million tokens.

const PATIENCE = { timeout: 25_000, interval: 200 }
const PATH = '/api/costs'
let stack: Stack
let proxy: FaultProxy
let api: Api
let [acme, other] = ['', '']

const ask = async (key: string, text: string, more: object = {}, headers: Record<string, string> = {}) => {
  const response = await chat(stack.url, key, chatBody(text, more as never), headers)
  await response.text()
  return response
}
const sql = <Row>(query: string): Promise<Row[]> => stack.supabase.sql<Row>(query)
const ledgerUsd = async (tenant: string): Promise<string> => {
  const [row] = await sql<{ usd: string }>(
    `select round(coalesce(sum(cost_usd), 0), 9)::text as usd from ledger l join tenants t on t.id = l.tenant_id where t.name = '${tenant}'`,
  )
  return row?.usd ?? ''
}
const nanoOf = (text: string): bigint => BigInt(text.replace('.', ''))
const sumOf = (lines: readonly CostLine[]): bigint =>
  lines.reduce((sum, each) => sum + nanoOf(each.cost_usd), 0n)

beforeAll(async () => {
  stack = await startStack({ COST_BASELINE_MODEL: 'openai:gpt-4o' }, async (url) => {
    proxy = await startFaultProxy(url)
    return proxy.url
  })
  api = apiAt(stack.url)
  acme = await stack.key('acme', 'paid')
  other = await stack.key('other', 'paid')
  await ask(acme, 'one', { user: 'ann' }, { 'x-beast-tags': 'team=search,feature=autocomplete' })
  await ask(acme, 'two', { user: 'bob', metadata: { team: 'ads', note: 'not a tag' } })
  await ask(acme, 'three', { stream: true })
  await ask(other, 'theirs', {}, { 'x-beast-tags': 'team=search' })
  const rows = () => sql('select prediction_id from ledger')
  await vi.waitFor(async () => expect(await rows()).toHaveLength(4), PATIENCE)
})
afterAll(async () => {
  await stack?.close()
  await proxy?.close()
})

describe('tags', () => {
  it('of header and metadata are stored with the prediction and in the ledger', async () => {
    const rows = await sql<{ tags: object }>(
      `select l.tags from ledger l join tenants t on t.id = l.tenant_id
       left join ml_predictions p on p.id = l.prediction_id and p.tags = l.tags where t.name = 'acme' order by l.created_at`,
    )
    expect(rows.map(({ tags }) => tags)).toEqual([
      { team: 'search', feature: 'autocomplete' },
      { team: 'ads' },
      {},
    ])
  })

  it('part no cached answers, and are those of the request that got one', async () => {
    expect(
      isHit(await ask(acme, 'one', { user: 'ann' }, { 'x-beast-tags': 'team=mobile' }).then(asAnswer)),
    ).toBe(true)
    expect(isHit(await ask(acme, 'two', { user: 'bob', metadata: { team: 'mobile' } }).then(asAnswer))).toBe(
      true,
    )
    const hits = () =>
      sql(`select id from ml_predictions where cache = 'hit' and tags @> '{"team":"mobile"}'`)
    await expect.poll(hits, PATIENCE).toHaveLength(2)
  })

  it('that are wrong are refused by name, before anything is spent', async () => {
    const before = stack.provider.requests.length
    const response = await chat(stack.url, acme, chatBody('wrong'), { 'x-beast-tags': 'team=two words' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      error: { code: 'invalid_header', param: 'x-beast-tags', fault: 'caller' },
    })
    expect(stack.provider.requests.length).toBe(before)
  })
})

const asAnswer = (response: Response) => ({ headers: response.headers }) as Answer

describe('costs', () => {
  it('of a key are its tenant’s, and by every dimension those of the ledger', async () => {
    const dimensions = ['key', 'user', 'model', 'task', 'day', 'hour', 'tag:team']
    const hits = async () => (await api(acme, 'GET', PATH)).body.totals.cache_hits
    await expect.poll(hits, PATIENCE).toBe(2)
    const { status, headers, body } = await api(acme, 'GET', `${PATH}?by=${dimensions}`)
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(body).toMatchObject({
      tenant: 'acme',
      time_zone: 'UTC',
      totals: { requests: 3, cost_usd: await ledgerUsd('acme') },
    })
    // Nobody told the tokens of the stream.
    expect(body.totals).toMatchObject({ calls: 3, estimated_calls: 1, unpriced_calls: 0 })
    expect(nanoOf(body.totals.cost_usd)).toBeGreaterThan(0n)
    expect(Object.keys(body.breakdowns).sort()).toEqual([...dimensions].sort())
    for (const lines of Object.values<CostLine[]>(body.breakdowns))
      expect(sumOf(lines)).toBe(nanoOf(body.totals.cost_usd))
    const teams = body.breakdowns['tag:team'].map(({ value }: CostLine) => value)
    expect(teams.sort()).toEqual([null, 'ads', 'mobile', 'search'].sort())
    expect(body.breakdowns.user).toHaveLength(3)
    const saved = await sql<{ usd: string }>(
      `select round(sum(saved_usd), 9)::text as usd from ml_predictions where cache = 'hit'`,
    )
    expect(body.savings.cache).toEqual({ hits: 2, saved_usd: saved[0]?.usd })
    expect(nanoOf(body.savings.cache.saved_usd)).toBeGreaterThan(0n)
    expect(body.savings.routing).toMatchObject([
      { model: 'openai:gpt-4o', requests: 3, cost_usd: body.totals.cost_usd },
    ])
    expect(nanoOf(body.savings.routing[0].saved_usd)).toBeGreaterThan(0n)
    expect(body.forecast).toMatchObject({
      day: { spent_usd: body.totals.cost_usd },
      month: { expected_usd: null },
      budgets: [],
    })
    expect(body.anomalies).toEqual([])
  })

  it('leave out what is not wanted', async () => {
    const { body } = await api(acme, 'GET', `${PATH}?include=`)
    expect([body.forecast, body.anomalies]).toEqual([undefined, undefined])
    expect((await api(acme, 'GET', `${PATH}?include=forecast`)).body).not.toHaveProperty('anomalies')
  })

  it('of others are for the operator: of one, or of all', async () => {
    const own = await api(other, 'GET', `${PATH}?by=tag,model,key,tenant`)
    expect(own.body.totals.cost_usd).toBe(await ledgerUsd('other'))
    expect(own.text).not.toMatch(/acme|ads|autocomplete/)
    const refused = await api(other, 'GET', `${PATH}?tenant=acme`)
    expect([...codeOf(refused), refused.body.error.param]).toEqual([400, 'invalid_request', 'tenant'])
    const one = await api(OPERATOR_TOKEN, 'GET', `${PATH}?tenant=acme`)
    expect(one.body).toMatchObject({ tenant: 'acme', totals: { cost_usd: await ledgerUsd('acme') } })
    const all = await api(OPERATOR_TOKEN, 'GET', `${PATH}?by=tenant`)
    expect(all.body.tenant).toBeNull()
    expect(
      all.body.breakdowns.tenant.map(({ value, cost_usd }: CostLine) => [value, cost_usd]).sort(),
    ).toEqual([
      ['acme', await ledgerUsd('acme')],
      ['other', await ledgerUsd('other')],
    ])
    expect(codeOf(await api(undefined, 'GET', PATH))).toEqual([401, 'missing_api_key'])
    expect(codeOf(await api(`bm_live_${'x'.repeat(43)}`, 'GET', PATH))[0]).toBe(401)
    expect(codeOf(await api(OPERATOR_TOKEN, 'GET', `${PATH}?tenant=nobody`))).toEqual([404, 'not_found'])
  })

  it('come as CSV, where nothing begins a formula', async () => {
    const [evil] = await sql<{ id: string }>(
      `insert into ledger (prediction_id, tenant_id, created_at, cost_usd, tags)
       select gen_random_uuid(), id, now(), 0.000000001, '{"team":"=cmd(\\"a,b\\")"}' from tenants where name = 'acme' returning prediction_id as id`,
    )
    const url = `${stack.url}${PATH}?by=tag:team,model`
    const get = (query = '', accept = '*/*') =>
      fetch(url + query, { headers: { authorization: `Bearer ${acme}`, accept } })
    const response = await get('', 'text/csv')
    expect(response.headers.get('content-type')).toMatch(/^text\/csv; charset=utf-8/)
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="costs-\d{4}-\d\d-01-\d{4}-\d\d-\d\d\.csv"$/,
    )
    const text = await response.text()
    expect(await (await get('&format=csv')).text()).toBe(text)
    expect((await get('&format=json', 'text/csv')).headers.get('content-type')).toMatch(/json/)
    const [head = [], ...rows] = parseCsv(text)
    const column = (row: readonly string[], name: string) => row[head.indexOf(name)] ?? ''
    const json = (await api(acme, 'GET', `${PATH}?by=tag:team,model`)).body
    expect(rows[0]?.slice(0, 3)).toEqual(['total', '', '0'])
    expect(column(rows[0] ?? [], 'cost_usd')).toBe(await ledgerUsd('acme'))
    const teams = rows.filter(([dimension]) => dimension === 'tag:team')
    expect(
      teams.map((row) => [column(row, 'value').replace(/^'/, '') || null, column(row, 'cost_usd')]),
    ).toEqual(json.breakdowns['tag:team'].map(({ value, cost_usd }: CostLine) => [value, cost_usd]))
    expect(teams.map((row) => column(row, 'value'))).toContain(`'=cmd("a,b")`)
    await sql(`delete from ledger where prediction_id = '${evil?.id}'`)
  })

  it.each([
    ['from=2026-02-30', 'from'],
    ['from=yesterday', 'from'],
    ['from=2020-01-01', 'from'],
    ['from=2026-11-20&to=2026-11-19', 'to'],
    ['from=2026-01-01&to=2026-06-01&by=hour', 'from'],
    ['by=colour', 'by'],
    ['by=', 'by'],
    ['by=tag:', 'by'],
    [`by=tag:${encodeURIComponent("a'; drop table ledger; --")}`, 'by'],
    ['by=total', 'by'],
    [`by=${Array.from({ length: 9 }, (_, i) => `tag:t${i}`)}`, 'by'],
    ['top=0', 'top'],
    ['top=1001', 'top'],
    ['top=ten', 'top'],
    ['include=weather', 'include'],
    ['least_extra_usd=-1', 'least_extra_usd'],
    ['format=xml', 'format'],
    ['form=2026-11-01', 'form'],
    ['__proto__=1', '__proto__'],
  ])('%s is refused by name', async (query, param) => {
    const answer = await api(acme, 'GET', `${PATH}?${query}`)
    expect([...codeOf(answer), answer.body.error?.param]).toEqual([400, 'invalid_request', param])
    expect(answer.body.error.tip).not.toBe('')
  })

  it('say when a budget ends, and when the database is away', async () => {
    await api(OPERATOR_TOKEN, 'PUT', '/api/budgets', {
      tenant: 'other',
      period: 'month',
      limit_usd: 0,
      hard: false,
    })
    const { body } = await api(other, 'GET', PATH)
    expect(body.forecast.budgets).toMatchObject([{ period: 'month', hard: false, limit_usd: '0.000000000' }])
    expect(Date.parse(body.forecast.budgets[0].expected_at)).toBeLessThanOrEqual(Date.now())
    proxy.set({ kind: 'reset' })
    try {
      const away = await api(OPERATOR_TOKEN, 'GET', PATH)
      expect([...codeOf(away), away.headers.get('retry-after')]).toEqual([503, 'store_unavailable', '5'])
    } finally {
      proxy.set({ kind: 'none' })
    }
  })
})

describe('the time zone', () => {
  const put = (body: object, key = OPERATOR_TOKEN) => api(key, 'PUT', `${PATH}/time-zone`, body)

  it('is set by the operator, and moves the days', async () => {
    expect((await put({ tenant: 'other', time_zone: 'Asia/Tokyo' })).body).toEqual({
      tenant: 'other',
      time_zone: 'Asia/Tokyo',
    })
    await sql(
      `insert into ledger (prediction_id, tenant_id, created_at, cost_usd)
       select gen_random_uuid(), id, '2026-06-30T23:30:00Z', 0.25 from tenants where name in ('acme', 'other')`,
    )
    const days = async (key: string) =>
      (await api(key, 'GET', `${PATH}?from=2026-06-30&to=2026-07-01`)).body.breakdowns.day.map(
        ({ value }: CostLine) => value,
      )
    expect([await days(acme), await days(other)]).toEqual([['2026-06-30'], ['2026-07-01']])
    expect((await api(other, 'GET', PATH)).body.time_zone).toBe('Asia/Tokyo')
  })

  it.each([
    [{ time_zone: 'Europe/Atlantis' }, 'time_zone'],
    [{ time_zone: '+05:30' }, 'time_zone'],
    [{ time_zone: 7 }, 'time_zone'],
    [{ time_zone: "UTC'; drop table tenants; --" }, 'time_zone'],
    [{ tenant: 'No Such', time_zone: 'UTC' }, 'tenant'],
    [{ zone: 'UTC', time_zone: 'UTC' }, 'zone'],
  ])('%j is refused by name', async (body, param) => {
    const answer = await put({ tenant: 'other', ...body })
    expect([...codeOf(answer), answer.body.error.param]).toEqual([400, 'invalid_request', param])
  })

  it('is not for keys to set, nor of nobody', async () => {
    expect(codeOf(await put({ tenant: 'acme', time_zone: 'UTC' }, acme))).toEqual([401, 'invalid_api_key'])
    expect(codeOf(await put({ tenant: 'nobody', time_zone: 'UTC' }))).toEqual([404, 'not_found'])
  })
})
