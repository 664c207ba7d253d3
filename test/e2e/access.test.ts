import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROUTES } from '../../workers/gateway/app.ts'
import { ALIASES, type Answer, type Api, apiAt, codeOf, MODELS, PROVIDER_KEYS } from '../support/api.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { type Stack, startStack } from '../support/workers.ts'

// Who may do what: every route of the administration and of models, for everybody who might try.

let stack: Stack
let api: Api
let acme: string
let other: string
let expired: string
let keyId: string

beforeAll(async () => {
  stack = await startStack({ VIEWER_TOKEN })
  api = apiAt(stack.url)
  acme = await stack.key('acme', 'free')
  other = await stack.key('other', 'free')
  expired = (await stack.admin.create('acme', 'free', 1e-9)).key
  keyId = (await stack.admin.create('acme', 'free')).id
  await stack.admin.create('doomed', 'free')
  for (const id of ['mine', 'hidden']) await api(acme, 'POST', MODELS, model(id))
  await api(acme, 'PUT', `${ALIASES}/mine`, ALIAS)
  await api(acme, 'PUT', `${PROVIDER_KEYS}/mine`, providerKey())
})
afterAll(() => stack?.close())

const model = (model_id: string) => ({
  model_id,
  endpoint_url: stack.provider.url,
  config: { model: 'sim-small' },
})
const ALIAS = { kind: 'fallback', targets: [{ model: 'custom:mine' }] }
const providerKey = () => ({ api_key: 'sk-0123456789', base_url: stack.provider.url })

interface Row {
  readonly method: string
  /** As the router has it. */
  readonly route: string
  /** What is asked for of acme's. */
  readonly path: () => string
  readonly body?: () => object
  /** What the tenant itself gets, and the operator on its behalf; undefined for routes of the operator alone. */
  readonly own?: number
  /** What the tenant next door gets: nothing of acme's. */
  readonly foreign?: number
  readonly operator: number
  /** Where the operator need not name a tenant. */
  readonly all?: number
}

const VIEWER_TOKEN = 'v'.repeat(43)
const at = (path: string) => () => path
/** What takes something away comes last, and is done by the operator only after everybody else has tried. */
const TABLE: readonly Row[] = [
  { method: 'GET', route: '/api/admin/keys', path: at('/api/admin/keys?tenant=acme'), operator: 200 },
  {
    method: 'POST',
    route: '/api/admin/keys',
    path: at('/api/admin/keys'),
    body: () => ({ tenant: 'acme' }),
    operator: 201,
  },
  {
    method: 'POST',
    route: '/api/admin/rotate-keys',
    path: at('/api/admin/rotate-keys'),
    body: () => ({}),
    operator: 200,
  },
  {
    method: 'GET',
    route: '/api/admin/dead-letters',
    path: at('/api/admin/dead-letters'),
    operator: 200,
  },
  {
    method: 'POST',
    route: '/api/admin/dead-letters/replay',
    path: at('/api/admin/dead-letters/replay'),
    operator: 200,
  },
  { method: 'GET', route: '/api/admin/audit', path: at('/api/admin/audit?limit=5'), operator: 200 },
  { method: 'GET', route: '/api/admin/tenants', path: at('/api/admin/tenants'), operator: 200 },
  {
    method: 'POST',
    route: '/api/admin/tenants',
    path: at('/api/admin/tenants'),
    body: () => ({ name: `tenant-${made++}` }),
    operator: 201,
  },
  {
    method: 'GET',
    route: '/api/admin/tenants/:tenant',
    path: at('/api/admin/tenants/acme'),
    operator: 200,
  },
  {
    method: 'PATCH',
    route: '/api/admin/tenants/:tenant',
    path: at('/api/admin/tenants/acme'),
    body: () => ({ cache_by_user: true }),
    operator: 200,
  },
  {
    method: 'POST',
    route: '/api/admin/keys/:id/rotate',
    path: () => `/api/admin/keys/${keyId}/rotate`,
    body: () => ({}),
    operator: 201,
  },
  {
    method: 'GET',
    route: '/api/admin/tenants/:tenant/export',
    path: at('/api/admin/tenants/doomed/export'),
    operator: 200,
  },
  {
    method: 'POST',
    route: '/api/admin/tenants/:tenant/erase',
    path: at('/api/admin/tenants/doomed/erase'),
    body: () => ({ confirm: 'doomed' }),
    operator: 200,
  },
  { method: 'GET', route: '/api/admin/alerts', path: at('/api/admin/alerts'), operator: 200 },
  {
    method: 'POST',
    route: '/api/admin/alerts/silence',
    path: at('/api/admin/alerts/silence'),
    body: () => ({ rule: 'all', minutes: 1 }),
    operator: 200,
  },
  {
    method: 'DELETE',
    route: '/api/admin/alerts/silence/:rule',
    path: at('/api/admin/alerts/silence/all'),
    operator: 200,
  },
  {
    method: 'POST',
    route: '/api/admin/alerts/test',
    path: at('/api/admin/alerts/test'),
    body: () => ({ channel: 'slack' }),
    operator: 200,
  },
  { method: 'GET', route: '/api/admin/switches', path: at('/api/admin/switches'), operator: 200 },
  {
    method: 'PUT',
    route: '/api/admin/switches',
    path: at('/api/admin/switches'),
    body: () => ({ kind: 'cache', name: 'kv', note: 'acme found it slow' }),
    operator: 200,
  },
  {
    method: 'DELETE',
    route: '/api/admin/switches',
    path: at('/api/admin/switches?kind=cache&name=kv'),
    operator: 200,
  },
  {
    method: 'DELETE',
    route: '/api/admin/keys/:id',
    path: () => `/api/admin/keys/${keyId}`,
    operator: 200,
  },
  {
    method: 'GET',
    route: '/api/budgets',
    path: at('/api/budgets'),
    own: 200,
    foreign: 200,
    operator: 200,
  },
  {
    method: 'PUT',
    route: '/api/budgets',
    path: at('/api/budgets'),
    body: () => ({ tenant: 'acme', period: 'day', limit_usd: 4_711, hard: false }),
    operator: 200,
  },
  {
    method: 'DELETE',
    route: '/api/budgets',
    path: at('/api/budgets?tenant=acme&period=day'),
    operator: 200,
  },
  {
    method: 'GET',
    route: '/api/cache/stats',
    path: at('/api/cache/stats'),
    own: 200,
    foreign: 200,
    operator: 200,
  },
  {
    method: 'POST',
    route: '/api/cache/purge',
    path: at('/api/cache/purge'),
    body: () => ({ tag: 'docs' }),
    own: 200,
    foreign: 200,
    operator: 200,
  },
  {
    method: 'DELETE',
    route: '/api/cache/entries',
    path: at('/api/cache/entries'),
    body: () => chatBody('cached', { model: 'custom:mine' }),
    own: 200,
    foreign: 404,
    operator: 200,
  },
  {
    method: 'GET',
    route: '/api/costs',
    path: at('/api/costs'),
    own: 200,
    foreign: 200,
    operator: 200,
    all: 200,
  },
  {
    method: 'PUT',
    route: '/api/costs/time-zone',
    path: at('/api/costs/time-zone'),
    body: () => ({ tenant: 'acme', time_zone: 'Asia/Tokyo' }),
    operator: 200,
  },
  {
    method: 'GET',
    route: '/api/limits',
    path: at('/api/limits'),
    own: 200,
    foreign: 200,
    operator: 200,
  },
  {
    method: 'PUT',
    route: '/api/limits',
    path: at('/api/limits'),
    body: () => ({ tenant: 'acme', requests_per_minute: 100_000 }),
    operator: 200,
  },
  {
    method: 'DELETE',
    route: '/api/limits',
    path: at('/api/limits?tenant=acme'),
    operator: 200,
  },
  {
    method: 'GET',
    route: '/api/requests',
    path: at('/api/requests'),
    own: 200,
    foreign: 200,
    operator: 200,
    all: 200,
  },
  // Of nobody: who sees whose is the requests suite's to say.
  {
    method: 'GET',
    route: '/api/requests/:id',
    path: at('/api/requests/01932f3e-0000-7000-8000-000000000000'),
    own: 404,
    foreign: 404,
    operator: 404,
    all: 404,
  },
  { method: 'GET', route: MODELS, path: at(MODELS), own: 200, foreign: 200, operator: 200 },
  {
    method: 'POST',
    route: MODELS,
    path: at(MODELS),
    body: () => model(`made-${made++}`),
    own: 201,
    foreign: 201,
    operator: 201,
  },
  {
    method: 'GET',
    route: `${MODELS}/monitoring`,
    path: at(`${MODELS}/monitoring`),
    own: 200,
    foreign: 200,
    operator: 200,
    all: 200,
  },
  {
    method: 'GET',
    route: `${MODELS}/:id`,
    path: at(`${MODELS}/mine`),
    own: 200,
    foreign: 404,
    operator: 200,
  },
  {
    method: 'PATCH',
    route: `${MODELS}/:id`,
    path: at(`${MODELS}/mine`),
    body: () => ({ is_active: true }),
    own: 200,
    foreign: 404,
    operator: 200,
  },
  {
    method: 'POST',
    route: `${MODELS}/:id/test`,
    path: at(`${MODELS}/mine/test`),
    own: 200,
    foreign: 404,
    operator: 200,
  },
  { method: 'GET', route: ALIASES, path: at(ALIASES), own: 200, foreign: 200, operator: 200 },
  {
    method: 'PUT',
    route: `${ALIASES}/:name`,
    path: at(`${ALIASES}/put`),
    body: () => ALIAS,
    own: 200,
    foreign: 200,
    operator: 200,
  },
  { method: 'GET', route: PROVIDER_KEYS, path: at(PROVIDER_KEYS), own: 200, foreign: 200, operator: 200 },
  {
    method: 'PUT',
    route: `${PROVIDER_KEYS}/:provider`,
    path: at(`${PROVIDER_KEYS}/put`),
    body: () => providerKey(),
    own: 200,
    foreign: 200,
    operator: 200,
  },
  ...[`${MODELS}/:id`, `${ALIASES}/:name`, `${PROVIDER_KEYS}/:provider`].map((route) => ({
    method: 'DELETE',
    route,
    path: at(route.replace(/:\w+$/, 'mine')),
    own: 404,
    foreign: 404,
    operator: 200,
  })),
]
let made = 0

/** Routes of callers know virtual keys only, and act for nobody but the key's tenant. */
const CALLERS: readonly {
  readonly method: string
  readonly route: string
  readonly path: string
  readonly foreign: number
  /** With our name beside it, where that is refused rather than ignored. */
  readonly named?: number
  readonly own?: number
}[] = [
  { method: 'POST', route: '/v1/chat/completions', path: '/v1/chat/completions', foreign: 404 },
  { method: 'GET', route: '/v1/models', path: '/v1/models', foreign: 200 },
  { method: 'GET', route: '/v1/models/:id{.+}', path: '/v1/models/custom:hidden', foreign: 404 },
  { method: 'GET', route: '/api/models', path: '/api/models', foreign: 200 },
  { method: 'GET', route: '/api/models/:id{.+}', path: '/api/models/custom:hidden', foreign: 404 },
  { method: 'GET', route: '/api/feedback', path: '/api/feedback', foreign: 200, named: 400 },
  { method: 'POST', route: '/api/telemetry', path: '/api/telemetry', foreign: 400, own: 400 },
  // A chat request is no rating; whose ratings count for whom is the feedback suite's to say.
  ...['/api/feedback', '/api/feedback/batch', '/api/feedback/token'].map((route) => ({
    method: 'POST',
    route,
    path: route,
    foreign: 422,
    own: 422,
  })),
]

const ofTenant = (path: string, tenant: string) => `${path}${path.includes('?') ? '&' : '?'}tenant=${tenant}`
const send = ({ method, path, body }: Row, key: string | undefined, tenant?: string): Promise<Answer> =>
  api(key, method, tenant ? ofTenant(path(), tenant) : path(), body?.())
/** All that acme has, as it reads it itself. */
const acmes = async () =>
  Promise.all([MODELS, ALIASES, PROVIDER_KEYS].map(async (path) => (await api(acme, 'GET', path)).body))

describe.each(TABLE)('$method $route', (row) => {
  it('is closed to nobody’s key, a wrong one, and one that has ended', async () => {
    expect((await send(row, undefined)).status).toBe(401)
    const wrong = [
      'x',
      'Bearer',
      'bm_live_',
      OPERATOR_TOKEN.slice(1),
      `${OPERATOR_TOKEN}o`,
      acme.slice(0, -1),
      expired,
      VIEWER_TOKEN,
    ]
    for (const key of wrong) {
      const answer = await send(row, key, 'acme')
      expect(codeOf(answer), key.slice(0, 12)).toEqual([401, 'invalid_api_key'])
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
      expect(answer.body.error.tip).not.toBe('')
    }
  })

  it('gives the tenant next door nothing of ours, and takes nothing from us', async () => {
    const before = await acmes()
    const answer = await send(row, other)
    expect(answer.status).toBe(row.foreign ?? 401)
    expect(answer.text).not.toMatch(/acme|"mine"|hidden|custom:mine"[^}]*owned/)
    // Nor under our name.
    expect((await send(row, other, 'acme')).status).toBe(row.foreign ? 400 : 401)
    expect(await acmes()).toEqual(before)
  })

  it('is open to whom it is for', async () => {
    if (row.own === undefined) expect(codeOf(await send(row, acme))).toEqual([401, 'invalid_api_key'])
    else {
      expect((await send(row, OPERATOR_TOKEN)).status).toBe(row.all ?? 400)
      expect((await send(row, OPERATOR_TOKEN, 'nobody')).status).toBe(404)
      if (row.own !== 404) expect((await send(row, acme)).status).toBe(row.own)
    }
    expect((await send(row, OPERATOR_TOKEN, row.own === undefined ? undefined : 'acme')).status).toBe(
      row.operator,
    )
    if (row.own === 404) expect((await send(row, acme)).status).toBe(404)
  })
})

describe('the table', () => {
  it('knows every route of the administration, of models, and of callers', () => {
    const known = new Set([...TABLE, ...CALLERS].map(({ method, route }) => `${method} ${route}`))
    const there = ROUTES.filter(({ path, method }) => /^\/(api|v1)\//.test(path) && method !== 'ALL')
    const missing = there.map(({ method, path }) => `${method} ${path}`).filter((route) => !known.has(route))
    expect(missing, 'routes that nobody tried to break into').toEqual([])
    expect(there.length).toBeGreaterThanOrEqual(TABLE.length)
  })
})

describe.each(CALLERS)('$method $route', ({ method, path, foreign, named = foreign, own = 200 }) => {
  it('is closed to nobody’s key, the operator’s token, and keys that have ended', async () => {
    for (const key of [undefined, OPERATOR_TOKEN, expired])
      for (const where of [path, ofTenant(path, 'acme')])
        expect((await api(key, method, where, method === 'POST' ? {} : undefined)).status).toBe(401)
  })

  it('tells the tenant next door nothing of ours', async () => {
    const body = method === 'POST' ? chatBody('x', { model: 'custom:hidden' }) : undefined
    for (const where of [path, ofTenant(path, 'acme')]) {
      const answer = await api(other, method, where, body)
      expect(answer.status).toBe(where === path ? foreign : named)
      expect(answer.text).not.toContain('hidden')
    }
    expect((await api(acme, method, path, body)).status).toBe(own)
  })
})
