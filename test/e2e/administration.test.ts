import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isObject } from '../../src/core/json.ts'
import type { AuditEntry } from '../../src/tenants/audit.ts'
import { ROUTES } from '../../workers/gateway/app.ts'
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
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// Every change leaves its entry, whoever makes it; nothing else does. On the real database, through every worker.

let stack: Stack
let api: Api
let acme: string
let acmeKeyId: string

const KEYS = '/api/admin/keys'
const TENANTS = '/api/admin/tenants'
const AUDIT = '/api/admin/audit'
const operator = (method: string, path: string, body?: unknown): Promise<Answer> =>
  api(OPERATOR_TOKEN, method, path, body)

beforeAll(async () => {
  stack = await startStack()
  api = apiAt(stack.url)
  const made = await stack.admin.create('acme', 'free')
  acme = made.key
  acmeKeyId = made.id
})
afterAll(() => stack?.close())

const model = (model_id: string) => ({
  model_id,
  endpoint_url: stack.provider.url,
  api_key: 'sk-very-secret-0123456789',
  user_id: 'ann@example.com',
  config: { model: 'sim-small' },
})
/** All that there is, oldest first. */
const entries = async (): Promise<AuditEntry[]> =>
  (await operator('GET', `${AUDIT}?limit=500`)).body.data.reverse()

/** What one call added to the log. */
async function noted(call: () => Promise<Answer>): Promise<{ answer: Answer; added: AuditEntry[] }> {
  const before = (await entries()).length
  const answer = await call()
  return { answer, added: (await entries()).slice(before) }
}

/** Routes that change nothing of the administration's, each with its reason. */
const UNTOLD: Readonly<Record<string, string>> = {
  'POST /api/feedback': 'ratings are what callers say, not administration',
  'POST /api/feedback/batch': 'the same',
  'POST /api/feedback/token': 'a signed permission to rate one answer, kept nowhere',
  'POST /api/telemetry': 'reports of applications',
  'DELETE /api/cache/entries': 'one answer, which is asked for anew',
  [`POST ${MODELS}/:id/test`]: 'asks the endpoint, and changes nothing',
  'POST /api/admin/alerts/test': 'sends one message, and changes nothing',
}

interface Change {
  readonly route: string
  readonly path: () => string
  readonly body?: () => object
  readonly action: string
  /** Instead of the operator. */
  readonly key?: () => string
}

const at = (path: string) => () => path
/** In this order: what is made is changed, and then taken away. */
const CHANGES: readonly Change[] = [
  { route: `POST ${KEYS}`, path: at(KEYS), body: () => ({ tenant: 'acme' }), action: 'key.create' },
  {
    route: `POST ${KEYS}/:id/rotate`,
    path: () => `${KEYS}/${acmeKeyId}/rotate`,
    body: () => ({}),
    action: 'key.rotate',
  },
  {
    route: `POST ${TENANTS}`,
    path: at(TENANTS),
    body: () => ({ name: 'doomed', plan: 'paid' }),
    action: 'tenant.create',
  },
  {
    route: `PATCH ${TENANTS}/:tenant`,
    path: at(`${TENANTS}/acme`),
    body: () => ({ plan: 'paid' }),
    action: 'tenant.update',
  },
  {
    route: `PATCH ${TENANTS}/:tenant`,
    path: at(`${TENANTS}/acme`),
    body: () => ({ purge: true }),
    action: 'tenant.purge',
  },
  {
    route: 'POST /api/cache/purge',
    path: at('/api/cache/purge'),
    body: () => ({ tag: 'docs' }),
    action: 'cache.purge',
    key: () => acme,
  },
  {
    route: 'PUT /api/budgets',
    path: at('/api/budgets'),
    body: () => ({ ...BUDGET, limit_usd: 5, hard: false }),
    action: 'budget.set',
  },
  {
    route: 'DELETE /api/budgets',
    path: () => `/api/budgets?${new URLSearchParams(BUDGET)}`,
    action: 'budget.remove',
  },
  {
    route: 'PUT /api/limits',
    path: at('/api/limits'),
    body: () => ({ tenant: 'acme', requests_per_minute: 1_000 }),
    action: 'limits.set',
  },
  {
    route: 'PUT /api/costs/time-zone',
    path: at('/api/costs/time-zone'),
    body: () => ({ tenant: 'acme', time_zone: 'Europe/Berlin' }),
    action: 'time_zone.set',
  },
  { route: 'DELETE /api/limits', path: at('/api/limits?tenant=acme'), action: 'limits.remove' },
  {
    route: `POST ${MODELS}`,
    path: at(MODELS),
    body: () => model('mine'),
    action: 'model.create',
    key: () => acme,
  },
  {
    route: `PATCH ${MODELS}/:id`,
    path: at(`${MODELS}/mine`),
    body: () => ({ config: {}, api_key: null, user_id: null }),
    action: 'model.update',
    key: () => acme,
  },
  {
    route: `PATCH ${MODELS}/:id`,
    path: at(`${MODELS}/mine?tenant=acme`),
    body: () => ({ is_public: true }),
    action: 'model.publish',
  },
  { route: `DELETE ${MODELS}/:id`, path: at(`${MODELS}/mine`), action: 'model.delete', key: () => acme },
  {
    route: `PUT ${ALIASES}/:name`,
    path: at(`${ALIASES}/both`),
    body: () => ALIAS,
    action: 'alias.set',
    key: () => acme,
  },
  { route: `DELETE ${ALIASES}/:name`, path: at(`${ALIASES}/both`), action: 'alias.delete', key: () => acme },
  {
    route: `PUT ${PROVIDER_KEYS}/:provider`,
    path: at(`${PROVIDER_KEYS}/lab`),
    body: () => ({ api_key: 'sk-very-secret-0123456789', base_url: stack.provider.url }),
    action: 'provider_key.set',
    key: () => acme,
  },
  {
    route: 'POST /api/admin/rotate-keys',
    path: at('/api/admin/rotate-keys'),
    body: () => ({}),
    action: 'provider_key.rotate',
  },
  {
    route: `DELETE ${PROVIDER_KEYS}/:provider`,
    path: at(`${PROVIDER_KEYS}/lab`),
    action: 'provider_key.delete',
    key: () => acme,
  },
  {
    route: 'POST /api/admin/dead-letters/replay',
    path: at('/api/admin/dead-letters/replay'),
    action: 'dead_letters.retry',
  },
  {
    route: 'POST /api/admin/alerts/silence',
    path: at('/api/admin/alerts/silence'),
    body: () => ({ rule: 'all', minutes: 1 }),
    action: 'silence.set',
  },
  {
    route: 'DELETE /api/admin/alerts/silence/:rule',
    path: at('/api/admin/alerts/silence/all'),
    action: 'silence.remove',
  },
  {
    route: `GET ${TENANTS}/:tenant/export`,
    path: at(`${TENANTS}/acme/export`),
    action: 'privacy.export',
  },
  {
    route: `POST ${TENANTS}/:tenant/erase`,
    path: at(`${TENANTS}/acme/erase`),
    body: () => ({ confirm: 'ann@example.com', user: 'ann@example.com' }),
    action: 'privacy.erase_user',
  },
  {
    route: `POST ${TENANTS}/:tenant/erase`,
    path: at(`${TENANTS}/doomed/erase`),
    body: () => ({ confirm: 'doomed' }),
    action: 'privacy.erase',
  },
  {
    route: 'PUT /api/admin/switches',
    path: at('/api/admin/switches'),
    body: () => ({ kind: 'cache', name: 'kv', note: 'slow' }),
    action: 'switch.off',
  },
  {
    route: 'DELETE /api/admin/switches',
    path: at('/api/admin/switches?kind=cache&name=kv'),
    action: 'switch.on',
  },
  { route: `DELETE ${KEYS}/:id`, path: () => `${KEYS}/${acmeKeyId}`, action: 'key.revoke' },
]
const ALIAS = { kind: 'fallback', targets: [{ model: 'custom:mine' }] }
const BUDGET = { tenant: 'acme', period: 'day' }

describe('the audit log', () => {
  it('is told of every route that changes something, or knows why not', () => {
    const known = new Set([...CHANGES.map(({ route }) => route), ...Object.keys(UNTOLD)])
    const there = ROUTES.filter(
      ({ path, method }) => path.startsWith('/api/') && !['GET', 'ALL'].includes(method),
    )
    const missing = there.map(({ method, path }) => `${method} ${path}`).filter((route) => !known.has(route))
    expect(missing, 'routes that change something, and nobody tried whether it is noted').toEqual([])
  })

  it.each(CHANGES)(
    '$action: one entry, of who did it, without secrets',
    async ({ path, body, action, key, route }) => {
      const [method = ''] = route.split(' ')
      const { answer, added } = await noted(() => api(key?.() ?? OPERATOR_TOKEN, method, path(), body?.()))
      expect(answer.status, answer.text).toBeLessThan(300)
      expect(added.map((entry) => entry.action)).toEqual([action])
      const [entry] = added
      expect(entry).toMatchObject({
        actor: key ? 'key' : 'operator',
        actor_id: key ? acmeKeyId : null,
        failure: null,
      })
      expect(Date.parse(entry?.at ?? '')).toBeGreaterThan(Date.now() - 60_000)
      // What was erased took its own entry's details along.
      const erased = action === 'privacy.erase'
      if (erased) expect(entry?.request_id).toBeNull()
      else expect(entry?.request_id).toMatch(/^[0-9a-f-]{36}$/)
      expect(JSON.stringify(added)).not.toMatch(/secret|bm_live_|ann@example/)
    },
  )

  it('says what was there before, and what came after', async () => {
    const of = async (action: string) =>
      (await operator('GET', `${AUDIT}?action=${action}&limit=1`)).body.data[0]
    expect(await of('tenant.update')).toMatchObject({
      tenant: 'acme',
      before: { plan: 'free' },
      after: { plan: 'paid' },
    })
    expect(await of('tenant.purge')).toMatchObject({ before: { epoch: 1 }, after: { epoch: 2 } })
    expect(await of('budget.remove')).toMatchObject({
      target: 'all/day',
      before: { limit_usd: 5, hard: false },
      after: null,
    })
    const host = new URL(stack.provider.url).host
    expect(await of('model.create')).toMatchObject({
      target: 'mine',
      after: { endpoint_url: host, api_key: 'set' },
    })
    expect(await of('model.update')).toMatchObject({ before: { api_key: 'set' }, after: { api_key: null } })
    expect(await of('model.publish')).toMatchObject({
      before: { is_public: false },
      after: { is_public: true },
    })
  })

  it('tells of a change that failed, by its error', async () => {
    const { added } = await noted(() => operator('POST', TENANTS, { name: 'acme' }))
    expect(added.map(({ action, failure }) => [action, failure])).toEqual([['tenant.create', 'conflict']])
  })

  it('is silent about what was refused before anything was touched', async () => {
    const tries: [string, string, object?][] = [
      ['POST', KEYS, { tenant: 'acme', scopes: ['root'] }],
      ['PATCH', `${TENANTS}/acme`, {}],
      ['PATCH', `${TENANTS}/nobody`, { plan: 'paid' }],
      ['DELETE', `${KEYS}/${crypto.randomUUID()}`],
      ['DELETE', `${MODELS}/nothing?tenant=acme`],
    ]
    const { added } = await noted(async () => {
      for (const [method, path, body] of tries)
        expect((await operator(method, path, body)).status).toBeGreaterThan(399)
      return api(acme, 'POST', KEYS, { tenant: 'acme' })
    })
    expect(added).toEqual([])
  })

  it('is read page by page, and by each of its sides', async () => {
    const all = (await entries()).reverse()
    const read: AuditEntry[] = []
    let cursor = ''
    do {
      const { body } = await operator('GET', `${AUDIT}?limit=7${cursor && `&cursor=${cursor}`}`)
      read.push(...body.data)
      cursor = body.next_cursor
    } while (cursor)
    expect(read).toEqual(all)
    const ids = async (query: string) =>
      (await operator('GET', `${AUDIT}?${query}`)).body.data.map(({ id }: AuditEntry) => id)
    const idsOf = (is: (entry: AuditEntry) => boolean) => all.filter(is).map(({ id }) => id)
    expect(await ids('tenant=acme')).toEqual(idsOf(({ tenant }) => tenant === 'acme'))
    expect(await ids(`actor=${acmeKeyId}`)).toEqual(idsOf(({ actor_id }) => actor_id === acmeKeyId))
    expect(await ids('actor=operator')).toEqual(idsOf(({ actor }) => actor === 'operator'))
    expect(await ids('to=2026-01-01')).toEqual([])
    const middle = all[5]?.at ?? ''
    expect(await ids(`from=${encodeURIComponent(middle)}`)).toEqual(
      idsOf(({ at }) => Date.parse(at) >= Math.floor(Date.parse(middle))),
    )
  })

  it('keeps of an erased tenant that it was, and nothing else', async () => {
    const all = await entries()
    const made = all.find(
      ({ action, after }) => action === 'tenant.create' && isObject(after) && after.plan === 'paid',
    )
    const erased = all.find(({ action }) => action === 'privacy.erase')
    expect(erased).toMatchObject({ tenant: null, target: null, before: null, after: null, request_id: null })
    expect(erased?.tenant_id).toBe(made?.tenant_id)
    expect(JSON.stringify(all)).not.toContain('doomed')
  })

  it('is not taken back by anyone, not even with SQL', async () => {
    const before = await entries()
    for (const table of ['audit_log', 'audit_details'])
      for (const sql of [
        `delete from ${table}`,
        `update ${table} set id = gen_random_uuid()`,
        `truncate ${table} cascade`,
      ])
        await expect(stack.supabase.sql(sql)).rejects.toThrow(/only ever added to/)
    expect(await entries()).toEqual(before)
  })

  it('refuses a change that it cannot note', async () => {
    await stack.supabase.sql('alter table audit_log add constraint away check (false) not valid')
    try {
      const refused = await operator('PATCH', `${TENANTS}/acme`, { plan: 'free' })
      expect(codeOf(refused)).toEqual([503, 'store_unavailable'])
      expect(refused.body.error.message).toContain('audit')
      expect((await operator('GET', `${TENANTS}/acme`)).body.plan).toBe('paid')
    } finally {
      await stack.supabase.sql('alter table audit_log drop constraint away')
    }
  })
})

describe('tenants', () => {
  it('are made, listed, changed and purged, at once in this isolate', async () => {
    const { key } = await stack.admin.create('cached', 'free')
    const ask = async () => chat(stack.url, key, chatBody('again and again'))
    await (await ask()).text()
    const hit = async () => isHit({ headers: (await ask()).headers } as Answer)
    expect(await hit()).toBe(true)
    const purged = await operator('PATCH', `${TENANTS}/cached`, { purge: true })
    expect(purged.body).toMatchObject({ epoch: 2, effective_within_seconds: 90 })
    expect(await hit()).toBe(false)
    await operator('PATCH', `${TENANTS}/cached`, { cache_policy: 'none' })
    expect([await hit(), await hit()]).toEqual([false, false])
    const { data, next_cursor } = (await operator('GET', `${TENANTS}?limit=1&cursor=beast-system`)).body
    expect([data[0].name, next_cursor]).toEqual(['cached', 'cached'])
  })

  it.each<[string, string, unknown, string?]>([
    ['POST', TENANTS, {}, 'name'],
    ['POST', TENANTS, { name: 'A B' }, 'name'],
    ['POST', TENANTS, { name: 'x', epoch: 7 }, 'epoch'],
    ['POST', TENANTS, { name: 'x', text_retention_days: 91 }, 'text_retention_days'],
    ['PATCH', `${TENANTS}/acme`, { name: 'other' }, 'name'],
    ['PATCH', `${TENANTS}/acme`, { plan: 'gold' }, 'plan'],
    ['PATCH', `${TENANTS}/acme`, { retention_days: 0 }, 'retention_days'],
    ['PATCH', `${TENANTS}/acme`, { retention_days: 1.5 }, 'retention_days'],
    ['PATCH', `${TENANTS}/acme`, { retention_days: 1e12 }, 'retention_days'],
    ['PATCH', `${TENANTS}/acme`, { retention_days: 7 }, 'text_retention_days'],
    ['PATCH', `${TENANTS}/acme`, { keeps_text: 'yes' }, 'keeps_text'],
    ['PATCH', `${TENANTS}/acme`, { purge: 1 }, 'purge'],
    ['PATCH', `${TENANTS}/acme`, []],
    ['PATCH', `${TENANTS}/acme`, '{"plan":'],
    ['PATCH', `${TENANTS}/acme`, `{"plan":${'['.repeat(70)}${']'.repeat(70)}}`],
    ['PATCH', `${TENANTS}/acme`, `{"plan":"${'x'.repeat(40_000)}"}`],
    ['PATCH', `${TENANTS}/%00`, { plan: 'paid' }, 'tenant'],
    ['GET', `${TENANTS}/no'body`, undefined, 'tenant'],
    ['GET', `${TENANTS}?limit=0`, undefined, 'limit'],
    ['GET', `${TENANTS}?limit=`, undefined, 'limit'],
    ['GET', `${TENANTS}?cursor=A`, undefined, 'cursor'],
    ['GET', `${TENANTS}?page=2`, undefined, 'page'],
    ['GET', `${AUDIT}?from=yesterday`, undefined, 'from'],
    ['GET', `${AUDIT}?from=2026-13-45`, undefined, 'from'],
    ['GET', `${AUDIT}?to=0000-01-01`, undefined, 'to'],
    ['GET', `${AUDIT}?limit=501`, undefined, 'limit'],
    ['GET', `${AUDIT}?limit=5&limit=6`, undefined, 'limit'],
    ['GET', `${AUDIT}?cursor=1`, undefined, 'cursor'],
    ['GET', `${AUDIT}?actor=me`, undefined, 'actor'],
    ['GET', `${AUDIT}?action=key`, undefined, 'action'],
    ['GET', `${AUDIT}?tenant=%00`, undefined, 'tenant'],
    ['GET', `${AUDIT}?user=ann`, undefined, 'user'],
    ['POST', KEYS, { tenant: 'acme', scopes: [] }, 'scopes'],
    ['POST', KEYS, { tenant: 'acme', scopes: ['admin'] }, 'scopes[0]'],
    ['POST', KEYS, { tenant: 'acme', scope: ['inference'] }, 'scope'],
    ['POST', KEYS, { tenant: 'acme', expires_in_days: 0 }, 'expires_in_days'],
    ['POST', `${KEYS}/x/rotate`, {}],
    ['POST', `${KEYS}/${crypto.randomUUID()}/rotate`, {}],
    ['POST', `${KEYS}/${crypto.randomUUID()}/rotate`, { overlap_hours: -1 }, 'overlap_hours'],
    ['POST', `${KEYS}/${crypto.randomUUID()}/rotate`, { overlap_hours: 0.5 }, 'overlap_hours'],
    ['POST', `${KEYS}/${crypto.randomUUID()}/rotate`, { overlap_hours: 721 }, 'overlap_hours'],
    ['POST', `${KEYS}/${crypto.randomUUID()}/rotate`, { overlap: 1 }, 'overlap'],
  ])('%s %s refuses %j', async (method, path, body, param) => {
    const { answer, added } = await noted(() => operator(method, path, body))
    expect(answer.status, answer.text).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(answer.body.error).toMatchObject({ fault: 'caller', param: param ?? null })
    expect(answer.body.error.tip.length).toBeGreaterThan(10)
    expect(added).toEqual([])
  })
})
