import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SCOPES } from '../../src/tenants/scopes.ts'
import { ROUTES } from '../../workers/gateway/app.ts'
import { type Answer, type Api, apiAt, codeOf } from '../support/api.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { type Stack, startStack } from '../support/workers.ts'

// What a key is for, how it is replaced, and when it was used.

let stack: Stack
let api: Api
const CHAT = '/v1/chat/completions'

beforeAll(async () => {
  stack = await startStack()
  api = apiAt(stack.url)
})
afterAll(() => stack?.close())

const make = (tenant: string, scopes?: readonly string[], days?: number) =>
  stack.admin.create(tenant, 'paid', days, scopes)
const ask = (key: string, text = 'hello') => api(key, 'POST', CHAT, chatBody(text))

/** The scope that a route asks of a key. */
function scopeOf(path: string): string | undefined {
  if (path.startsWith('/v1/')) return 'inference'
  return ['feedback', 'telemetry', 'models'].find((scope) => path.startsWith(`/api/${scope}`)) ?? 'costs'
}

describe('a scope', () => {
  it('opens its own routes, and no other, wherever a key is asked for', async () => {
    const keys = Object.fromEntries(
      await Promise.all(SCOPES.map(async (scope) => [scope, (await make('scoped', [scope])).key] as const)),
    )
    const routes = ROUTES.filter(
      ({ path, method }) => /^\/(api|v1)\//.test(path) && !path.startsWith('/api/admin') && method !== 'ALL',
    ).filter(({ path, method }) => path !== '/api/budgets' || method === 'GET')
    expect(routes.length).toBeGreaterThan(20)
    for (const { method, path } of routes)
      for (const scope of SCOPES) {
        const body = method === 'GET' || method === 'DELETE' ? undefined : {}
        const answer: Answer = await api(keys[scope], method, path.replace(/:\w+(\{.*\})?/, 'x'), body)
        const what = `${scope} at ${method} ${path}: ${answer.text.slice(0, 200)}`
        if (scope === scopeOf(path)) expect(answer.status, what).not.toBe(403)
        else {
          expect(codeOf(answer), what).toEqual([403, 'scope_missing'])
          expect(answer.body.error.message).toContain(`"${scopeOf(path)}"`)
        }
      }
  })

  it('is all of them for a key that was made without any, and for those of before', async () => {
    const made = await make('whole')
    expect(made.scopes).toEqual(SCOPES)
    expect((await ask(made.key)).status).toBe(200)
    expect((await api(made.key, 'GET', '/api/budgets')).status).toBe(200)
  })
})

describe('rotating', () => {
  const rotate = (id: string, body: object) =>
    api(OPERATOR_TOKEN, 'POST', `/api/admin/keys/${id}/rotate`, body)

  it('gives a new key at once, with the scopes and budgets of the old one, which goes on for the overlap', async () => {
    const old = await make('rotating', ['inference', 'costs'], 10)
    const budget = { tenant: 'rotating', key_id: old.id, period: 'day', limit_usd: 3, hard: true }
    await api(OPERATOR_TOKEN, 'PUT', '/api/budgets', budget)
    const startMs = Date.now()
    const { status, body } = await rotate(old.id, { overlap_hours: 2 })
    expect([status, body.scopes, body.tenant]).toEqual([201, ['inference', 'costs'], 'rotating'])
    expect(body.id).not.toBe(old.id)
    expect(body.replaces.id).toBe(old.id)
    expect(Math.abs(Date.parse(body.replaces.ends_at) - startMs - 2 * 3_600_000)).toBeLessThan(60_000)
    expect(Math.abs(Date.parse(body.expires_at) - startMs - 240 * 3_600_000)).toBeLessThan(60_000)
    for (const key of [old.key, body.key]) expect((await ask(key)).status).toBe(200)
    expect((await api(body.key, 'GET', '/api/models')).status).toBe(403)
    const { data } = (await api(body.key, 'GET', '/api/budgets')).body
    expect(data.map((each: { key_id: string }) => each.key_id).sort()).toEqual([old.id, body.id].sort())
    const listed = await stack.admin.list('rotating')
    expect(listed.find(({ id }) => id === old.id)?.expires_at).toBe(
      listed.find(({ id }) => id === old.id)?.expires_at,
    )
    expect(Date.parse(listed.find(({ id }) => id === old.id)?.expires_at ?? '')).toBe(
      Date.parse(body.replaces.ends_at),
    )
  })

  it('ends the old key at once without an overlap, here in this isolate for stored answers too', async () => {
    const old = await make('leaked')
    expect((await ask(old.key)).status).toBe(200)
    const { body } = await rotate(old.id, { overlap_hours: 0 })
    expect(codeOf(await ask(old.key))).toEqual([401, 'invalid_api_key'])
    expect((await ask(body.key)).status).toBe(200)
    expect(codeOf(await rotate(old.id, {}))).toEqual([409, 'conflict'])
  })

  it('never lets a key live longer than it was given', async () => {
    const old = await make('short', undefined, 0.5)
    const { body } = await rotate(old.id, { overlap_hours: 720 })
    expect(Date.parse(body.replaces.ends_at)).toBe(Date.parse(old.expires_at ?? ''))
    const expired = await make('short', undefined, 1e-9)
    expect(codeOf(await rotate(expired.id, {}))).toEqual([409, 'conflict'])
  })
})

it('notes when a key was used, once', async () => {
  const used = await make('used')
  const unused = await make('used')
  const startMs = Date.now()
  await ask(used.key)
  const lastUse = async (id: string) =>
    (await stack.admin.list('used')).find((key) => key.id === id)?.last_used_at ?? null
  const noted = await vi.waitFor(async () => {
    const at = await lastUse(used.id)
    expect(at).not.toBeNull()
    return at
  })
  expect(Math.abs(Date.parse(noted ?? '') - startMs)).toBeLessThan(60_000)
  await ask(used.key)
  expect([await lastUse(used.id), await lastUse(unused.id)]).toEqual([noted, null])
})
