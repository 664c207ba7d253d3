import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  ALIASES,
  type Answer,
  type Api,
  apiAt,
  codeOf,
  isHit,
  MODELS,
  PROVIDER_KEYS,
} from '../support/api.ts'
import { everythingOf, fill, hashOf, TOTALS } from '../support/privacy.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// Two tenants side by side, one named like the other, on real workers and stores: what is handed over, and what is left.

const USER = 'Änn+1 &=#/@example.com'
const CANARY = 'sk-canary-of-a-provider-key'
const PATIENCE = { timeout: 25_000, interval: 200 }
let stack: Stack
let api: Api
let keys: Record<string, string>
let ids: Record<string, string>

const admin = (method: string, path: string, body?: unknown) =>
  api(OPERATOR_TOKEN, method, `/api/admin/tenants/${path}`, body)
const sql = <Row>(query: string) => stack.supabase.sql<Row>(query)
const count = async (query: string) =>
  Number((await sql<{ n: number }>(`select count(*)::int as n from ${query}`))[0]?.n)
const ask = async (tenant: string, text: string, more = {}) => {
  const response = await chat(stack.url, keys[tenant], chatBody(text, more))
  const body = await response.text()
  const id = response.headers.get('x-beast-prediction') ?? ''
  return { headers: response.headers, status: response.status, text: body, body: undefined, id }
}
const linesOf = ({ text }: Answer) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const sectionsOf = (lines: readonly { section?: string }[]) => {
  const counts: Record<string, number> = {}
  for (const { section } of lines) if (section) counts[section] = (counts[section] ?? 0) + 1
  return counts
}

/** Recording, and storing an answer, go on behind the answers. */
const arrived = (rows: number, counted: () => Promise<number>) =>
  vi.waitFor(async () => expect(await counted()).toBeGreaterThanOrEqual(rows), PATIENCE)

beforeAll(async () => {
  stack = await startStack()
  api = apiAt(stack.url)
  const names = ['acme', 'acme-2']
  keys = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await stack.key(name, 'paid')])),
  )
  const tenants = await sql<{ id: string; name: string }>('select id, name from tenants')
  ids = Object.fromEntries(tenants.map(({ id, name }) => [name, id]))
  for (const name of names) {
    const key = keys[name]
    const endpoint_url = stack.provider.url
    await api(key, 'POST', MODELS, {
      model_id: 'mine',
      endpoint_url,
      config: { model: 'sim-small' },
      api_key: CANARY,
    })
    await api(key, 'PUT', `${ALIASES}/mine`, { kind: 'fallback', targets: [{ model: 'custom:mine' }] })
    await api(key, 'PUT', `${PROVIDER_KEYS}/mine`, { api_key: CANARY, base_url: endpoint_url })
    await fill(stack.supabase, ids[name] ?? '')
    const { id } = await ask(name, 'How are you?')
    await ask(name, 'How are you?')
    await api(key, 'POST', '/api/feedback', {
      prediction_id: id,
      source: 'user',
      thumbs: 'up',
      correction: 'Well.',
    })
    await arrived(1, () => count(`quality_feedback_history where prediction_id = '${id}'`))
    await arrived(1, () => count(`ml_predictions where cached_prediction_id = '${id}'`))
    await sql(
      `update ml_predictions set user_hash = '${await hashOf(ids[name] ?? '', USER)}' where id = '${id}'`,
    )
    await sql(`update custom_models set user_id = '${USER}' where model_id = 'mine'`)
    await arrived(2, () => count(`llm_cache where tenant_id = '${ids[name]}'`))
  }
  await sql(`select roll_up('-infinity', 'infinity')`)
})
afterAll(() => stack?.close())

describe('an export of a tenant', () => {
  it('has all of it, nothing of the neighbour, no secret, and an end', async () => {
    const answer = await admin('GET', 'acme/export')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const lines = linesOf(answer)
    expect(lines.at(-1)).toEqual({ complete: true, rows: lines.length - 1 })
    const { llm_cache, roll_up_minutes, audit_log, audit_details, ...kept } = await everythingOf(
      stack.supabase,
      ids.acme ?? '',
    )
    // The details of its own making are nobody's.
    expect(audit_log?.length).toBe(Number(audit_details?.length) + 1)
    expect([llm_cache?.length, roll_up_minutes?.length]).toEqual([expect.any(Number), expect.any(Number)])
    const counts = Object.fromEntries(Object.entries(kept).map(([table, rows]) => [table, rows.length]))
    expect(sectionsOf(lines)).toEqual(counts)
    expect(Object.keys(counts)).toHaveLength(17)
    expect(answer.text).toContain('Well.')
    expect(answer.text).not.toContain(ids['acme-2'])
    expect(answer.text).not.toContain(CANARY)
    expect(answer.text).not.toMatch(/api_key_encrypted|api_key_iv|digest/)
  })

  it('of one user has what is its own', async () => {
    const lines = linesOf(await admin('GET', `acme/export?user=${encodeURIComponent(USER)}`))
    expect(sectionsOf(lines)).toEqual({
      custom_models: 1,
      ml_predictions: 1,
      quality_feedback: 1,
      quality_feedback_history: 1,
    })
    expect(linesOf(await admin('GET', 'acme/export?user=bob'))).toEqual([{ complete: true, rows: 0 }])
  })
})

describe('what is refused', () => {
  const confirm = 'acme'
  it.each<[string, string, unknown, number, string]>([
    ['GET', 'nobody/export', undefined, 404, 'tenant'],
    ['GET', 'acm%25/export', undefined, 404, 'tenant'],
    ['GET', 'ACME/export', undefined, 404, 'tenant'],
    ['GET', 'acme/export?user=', undefined, 400, 'user'],
    ['GET', 'acme/export?user=a&user=b', undefined, 400, 'user'],
    ['GET', 'acme/export?usr=ann', undefined, 400, 'usr'],
    ['POST', 'nobody/erase', { confirm: 'nobody' }, 404, 'tenant'],
    ['POST', 'beast-system/erase', { confirm: 'beast-system' }, 409, 'tenant'],
    ['POST', 'acme/erase', {}, 400, 'confirm'],
    ['POST', 'acme/erase', [], 400, 'confirm'],
    ['POST', 'acme/erase', { confirm: true }, 400, 'confirm'],
    ['POST', 'acme/erase', { confirm: 'acme-2' }, 400, 'confirm'],
    ['POST', 'acme/erase', { confirm, user: USER }, 400, 'confirm'],
    // Meant for one user, and the field is forgotten, misspelt, empty or null: all would go.
    ['POST', 'acme/erase', { confirm: USER }, 400, 'confirm'],
    ['POST', 'acme/erase', { confirm, usr: USER }, 400, 'usr'],
    ['POST', 'acme/erase', { confirm, user: '' }, 400, 'user'],
    ['POST', 'acme/erase', { confirm, user: null }, 400, 'user'],
    ['POST', 'acme/erase', { confirm, user: ['x'] }, 400, 'user'],
  ])('%s %s %j is answered %i, and takes nothing', async (method, path, body, status, param) => {
    const before = await everythingOf(stack.supabase, ids.acme ?? '')
    const answer = await admin(method, path, body)
    expect([answer.status, answer.body.error.param]).toEqual([status, param])
    expect(answer.body.error.tip).not.toBe('')
    expect(await everythingOf(stack.supabase, ids.acme ?? '')).toEqual(before)
  })

  it('bodies that are no JSON, and too large', async () => {
    expect(codeOf(await admin('POST', 'acme/erase', '{'))).toEqual([400, 'invalid_json'])
    expect(codeOf(await admin('POST', 'acme/erase', { confirm: 'x'.repeat(50_000) }))).toEqual([
      413,
      'body_too_large',
    ])
  })
})

describe('an erased user', () => {
  it('is gone, its namesake is not, and the requests stay counted', async () => {
    const totals = () =>
      sql<{ requests: number }>(
        `select sum(requests)::int as requests from roll_up_hours where tenant_id = '${ids.acme}'`,
      )
    const [before, neighbour] = [await totals(), await everythingOf(stack.supabase, ids['acme-2'] ?? '')]
    const again = await ask('acme', 'How are you?')
    expect(isHit(again)).toBe(true)
    const answer = await admin('POST', 'acme/erase', { confirm: USER, user: USER })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({
      tenant: 'acme',
      user: USER,
      complete: true,
      removed: { ml_predictions: 1 },
    })
    expect(linesOf(await admin('GET', `acme/export?user=${encodeURIComponent(USER)}`))).toHaveLength(1)
    const left = JSON.stringify(await everythingOf(stack.supabase, ids.acme ?? ''))
    for (const trace of ['Well.', JSON.stringify(USER).slice(1, -1)]) expect(left).not.toContain(trace)
    expect(await count(`llm_cache where tenant_id = '${ids.acme}'`)).toBe(0)
    await sql(`select roll_up('-infinity', 'infinity')`)
    const [now] = await totals()
    // With the one that was asked for above, once it is recorded.
    expect(Number(now?.requests)).toBeGreaterThanOrEqual(Number(before[0]?.requests))
    expect(await everythingOf(stack.supabase, ids['acme-2'] ?? '')).toEqual(neighbour)
    expect((await admin('POST', 'acme/erase', { confirm: USER, user: USER })).body).toMatchObject({
      complete: true,
      removed: {},
    })
  })

  it('leaves no cached answer to find: neither in memory nor in KV, Redis or Postgres', async () => {
    const asked = await ask('acme', 'How are you?')
    expect([asked.status, isHit(asked)]).toEqual([200, false])
  })
})

describe('an erased tenant', () => {
  it('is gone from every table but its totals, with what was under way, and the neighbour is untouched', async () => {
    const [acme = '', neighbour = ''] = [ids.acme, ids['acme-2']]
    const open = ask('acme', '[[sim: latency=1500]] under way', { stream: true })
    const isAsked = () => stack.provider.requests.some(({ body }) => body.includes('under way'))
    await expect.poll(isAsked, PATIENCE).toBe(true)
    const rated = await ask('acme', 'to be rated')
    await api(keys.acme, 'POST', '/api/feedback', {
      prediction_id: rated.id,
      source: 'user',
      correction: 'late words',
    })
    const before = await everythingOf(stack.supabase, neighbour)
    const answer = await admin('POST', 'acme/erase', { confirm: 'acme' })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({ tenant: 'acme', user: null, complete: true })
    expect(answer.body.removed).toMatchObject({ virtual_keys: 2, tenants: 1, dead_letters: 1 })
    expect(answer.body.removed.ledger).toBeGreaterThan(1)
    // What was begun before ends, and is recorded nowhere.
    expect((await open).text).toContain('[DONE]')
    for (const text of ['How are you?', 'something new']) expect((await ask('acme', text)).status).toBe(401)
    // What went into the queue after all of that has come out of it.
    const { id } = await ask('acme-2', 'the last one')
    await expect.poll(() => count(`ml_predictions where id = '${id}'`), PATIENCE).toBe(1)
    const left = await everythingOf(stack.supabase, acme)
    expect(Object.keys(left).sort()).toEqual([...TOTALS].sort())
    expect(left.erasures).toHaveLength(1)
    for (const trace of ['late words', 'acme', CANARY]) expect(JSON.stringify(left)).not.toContain(trace)
    await sql(`delete from ml_predictions where id = '${id}'`)
    for (const table of ['ledger', 'ledger_attempts'])
      await sql(`delete from ${table} where prediction_id = '${id}'`)
    await sql(
      `delete from llm_cache where tenant_id = '${neighbour}' and created_at > now() - interval '20 seconds'`,
    )
    const { llm_cache: _, ...rows } = await everythingOf(stack.supabase, neighbour)
    const { llm_cache: __, ...rowsBefore } = before
    expect(rows).toEqual(rowsBefore)
  })

  it('has keys that open nothing, and leaves a new tenant of its name nothing', async () => {
    expect(codeOf(await admin('POST', 'acme/erase', { confirm: 'acme' }))).toEqual([404, 'not_found'])
    stack = await stack.restart()
    api = apiAt(stack.url)
    expect((await ask('acme', 'How are you?')).status).toBe(401)
    expect((await api(keys.acme, 'GET', MODELS)).status).toBe(401)
    expect((await ask('acme-2', 'How are you?')).status).toBe(200)
    expect(isHit(await ask('acme-2', 'How are you?'))).toBe(true)
    keys.acme = await stack.key('acme', 'paid')
    const fresh = await ask('acme', 'How are you?')
    expect([fresh.status, isHit(fresh)]).toEqual([200, false])
    expect((await api(keys.acme, 'GET', `${MODELS}/mine`)).status).toBe(404)
    expect(sectionsOf(linesOf(await admin('GET', 'acme/export')))).toMatchObject({
      tenants: 1,
      virtual_keys: 1,
    })
  })
})
