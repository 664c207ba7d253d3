import { execFile } from 'node:child_process'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SCOPES } from '../../src/tenants/scopes.ts'
import { ROUTES } from '../../workers/gateway/app.ts'
import { type Answer, type Api, apiAt, codeOf } from '../support/api.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN, ROOT } from '../support/stores.ts'
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
  if (path === '/api/cache/entries') return 'inference'
  if (path === '/api/cache/purge') return 'models'
  return ['feedback', 'telemetry', 'models'].find((scope) => path.startsWith(`/api/${scope}`)) ?? 'costs'
}

describe('a scope', () => {
  it('opens its own routes, and no other, wherever a key is asked for', async () => {
    const keys = Object.fromEntries(
      await Promise.all(SCOPES.map(async (scope) => [scope, (await make('scoped', [scope])).key] as const)),
    )
    const routes = ROUTES.filter(
      ({ path, method }) => /^\/(api|v1)\//.test(path) && !path.startsWith('/api/admin') && method !== 'ALL',
    ).filter(({ path, method }) => !/^\/api\/(budgets|limits|costs)/.test(path) || method === 'GET')
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

describe('the commands', () => {
  const command = (script: string, ...words: string[]): Promise<{ code: number; said: string }> =>
    new Promise((resolve) => {
      const env = { ...process.env, BEAST_URL: stack.url, BEAST_OPERATOR_TOKEN: OPERATOR_TOKEN }
      const file = join(ROOT, `scripts/${script}.ts`)
      execFile(process.execPath, [file, ...words], { env }, (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, said: out + err }),
      )
    })

  it('make, show, change and purge a tenant', async () => {
    expect((await command('tenants', 'create', 'by-hand', 'plan=paid')).said).toMatch(/plan +paid/)
    const changed = await command('tenants', 'set', 'by-hand', 'keeps_text=true', 'text_retention_days=7')
    expect(changed).toMatchObject({
      code: 0,
      said: expect.stringMatching(/within 90 s[\s\S]*text_retention_days +7/),
    })
    expect((await command('tenants', 'purge', 'by-hand')).said).toContain('epoch 2')
    expect((await command('tenants', 'show', 'by-hand')).said).toMatch(/epoch +2/)
    expect((await command('tenants', 'list')).said).toMatch(/by-hand +paid/)
    const wrong = await command('tenants', 'set', 'by-hand', 'plan=gold')
    expect(wrong).toMatchObject({ code: 1, said: expect.stringContaining('"plan"') })
    for (const words of [[], ['set', 'by-hand'], ['set', 'by-hand', 'plan'], ['purge']])
      expect((await command('tenants', ...words)).code, words.join(' ')).toBe(2)
  })

  it('make a key with scopes, and rotate it', async () => {
    const made = JSON.parse(
      (await command('keys', 'create', '--tenant', 'by-hand', '--scopes', 'feedback,costs', '--json')).said,
    )
    const rotated = await command('keys', 'rotate', made.id, '--overlap-hours', '1')
    expect(rotated).toMatchObject({ code: 0, said: expect.stringMatching(/^bm_live_[\s\S]*The old one, /) })
    expect((await command('keys', 'list', '--tenant', 'by-hand')).said).toMatch(/not yet +feedback,costs/)
    expect(await command('keys', 'rotate', made.id, '--overlap-hours', 'x')).toMatchObject({ code: 1 })
  })

  it('show the log, and write it to a file', async () => {
    const shown = await command('audit', '--tenant', 'by-hand', '--action', 'tenant.purge')
    expect(shown.said).toMatch(/operator +tenant.purge +by-hand +done +{"epoch":1} > {"epoch":2}/)
    const file = join(await mkdtemp(join(tmpdir(), 'audit-')), 'audit.ndjson')
    expect((await command('audit', '--export', file)).code).toBe(0)
    const lines = (await readFile(file, 'utf8')).trim().split('\n')
    const { data } = (await api(OPERATOR_TOKEN, 'GET', '/api/admin/audit?limit=500')).body
    expect(lines.map((line) => JSON.parse(line))).toEqual(data)
    expect(await command('audit', '--from', 'yesterday')).toMatchObject({ code: 1 })
    expect(await command('audit', '--export', file, '--limit', '3')).toMatchObject({ code: 2 })
    expect((await command('audit', '--export', join(file, 'x'))).said).toContain('cannot be written')
  })
})
