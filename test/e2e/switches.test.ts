import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { type Api, apiAt, chatsAt, codeOf, isHit, MODELS, routeOf } from '../support/api.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN, ROOT } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// What an operator turns off, through the whole stack, while two tenants keep asking.

const PATH = '/api/admin/switches'
const PATIENCE = { timeout: 25_000, interval: 100 }
const VIEWER_TOKEN = 'v'.repeat(43)

let stack: Stack
let api: Api
const keys: Record<'acme' | 'other', string> = { acme: '', other: '' }
beforeAll(async () => {
  stack = await startStack({ VIEWER_TOKEN })
  api = apiAt(stack.url)
  // The first statements of a cold database may take longer than a request waits.
  await vi.waitFor(() => stack.admin.create('first', 'free'), PATIENCE)
  for (const tenant of ['acme', 'other'] as const) {
    keys[tenant] = await stack.key(tenant, 'paid')
    const model = { model_id: 'mine', endpoint_url: stack.provider.url, config: { model: 'sim-small' } }
    expect((await api(keys[tenant], 'POST', MODELS, model)).status).toBe(201)
  }
})
afterAll(() => stack?.close())
// What one test leaves off must not be the next one's.
afterEach(async () => {
  for (const { kind, name } of await list()) await on(kind, name)
})

const off = (kind: string, name: string, more: JsonObject = {}) =>
  api(OPERATOR_TOKEN, 'PUT', PATH, { kind, name, note: 'a test of it', ...more })
const on = (kind: string, name: string) =>
  api(OPERATOR_TOKEN, 'DELETE', `${PATH}?${new URLSearchParams({ kind, name })}`)
const list = async () => (await api(OPERATOR_TOKEN, 'GET', PATH)).body.data
const ask = (key: string, text: string, more: JsonObject = {}) =>
  api(key, 'POST', '/v1/chat/completions', chatBody(text, { model: 'auto', ...more }))

interface Seen {
  readonly tenant: 'acme' | 'other'
  readonly begunMs: number
  readonly status: number
  readonly cache: string
  readonly route: string
}

/** Both tenants ask, some things again and again and some only once, until it is stopped. */
function load(url = stack.url) {
  const seen: Seen[] = []
  let isOver = false
  let asked = 0
  const run = `${Math.random()}`
  const asks = async (tenant: Seen['tenant']) => {
    while (!isOver) {
      const n = ++asked
      const begunMs = performance.now()
      const text = n % 2 ? `again ${n % 8}` : `once ${run} ${n}`
      const response = await chat(url, keys[tenant], chatBody(text, { model: 'auto', stream: n % 3 === 0 }))
      await response.text()
      const { status, headers } = response
      const cache = headers.get('cache-status') ?? ''
      seen.push({ tenant, begunMs, status, cache, route: headers.get('x-beast-route') ?? '' })
    }
  }
  const running = Promise.all((['acme', 'other', 'acme', 'other'] as const).map(asks))
  return {
    seen,
    /** Waits for so many answers to what was asked from now on. */
    next: async (count: number): Promise<readonly Seen[]> => {
      const fromMs = performance.now()
      const later = () => seen.filter(({ begunMs }) => begunMs >= fromMs)
      await expect.poll(() => later().length, PATIENCE).toBeGreaterThanOrEqual(count)
      return later()
    },
    stop: async () => {
      isOver = true
      await running
    },
  }
}

const asksTier = (tier: string, cache: string) =>
  new RegExp(`beast-${tier}; (hit|fwd=miss(?!; detail=skipped))`).test(cache)
const skipsTier = (tier: string, cache: string) => cache.includes(`beast-${tier}; fwd=miss; detail=skipped`)

interface Case {
  readonly kind: string
  readonly name: string
  /** Whether an answer shows that it is on, or that it is off; many show neither. */
  readonly isOn: (seen: Seen) => boolean
  readonly isOff: (seen: Seen) => boolean
}
const CASES: readonly Case[] = [
  ...['memory', 'kv', 'redis', 'supabase'].map((name) => ({
    kind: 'cache',
    name,
    isOn: ({ cache }: Seen) => asksTier(name, cache),
    isOff: ({ cache }: Seen) => skipsTier(name, cache),
  })),
  {
    kind: 'cache',
    name: 'all',
    isOn: ({ cache }) => cache !== 'beast; fwd=bypass',
    isOff: ({ cache }) => cache === 'beast; fwd=bypass',
  },
  {
    kind: 'model',
    name: 'custom:mine',
    isOn: ({ route }) => route.startsWith('custom:mine;'),
    isOff: ({ route }) => route.includes('custom:mine;out=switched_off'),
  },
  {
    kind: 'provider',
    name: 'simulated',
    isOn: ({ route }) => route.includes('simulated:sim-small;by='),
    isOff: ({ route }) => route.includes('simulated:sim-small;out=switched_off'),
  },
]

describe('a switch that is thrown under load', () => {
  it.each(CASES)(
    '$kind $name takes effect at once, and fails no request',
    { timeout: 90_000 },
    async (each) => {
      const { kind, name, isOn, isOff } = each
      const asking = load()
      try {
        await expect.poll(() => asking.seen.some(isOn), PATIENCE).toBe(true)
        expect((await off(kind, name)).status).toBe(200)
        const while_ = await asking.next(40)
        expect(while_.filter(isOn)).toEqual([])
        for (const tenant of ['acme', 'other'])
          expect(while_.filter((one) => one.tenant === tenant && isOff(one)).length).toBeGreaterThan(0)
        expect((await on(kind, name)).status).toBe(200)
        const onMs = performance.now()
        await expect
          .poll(() => asking.seen.some((one) => one.begunMs >= onMs && isOn(one)), PATIENCE)
          .toBe(true)
      } finally {
        await asking.stop()
      }
      const statuses = Object.groupBy(asking.seen, ({ status }) => status)
      expect(Object.keys(statuses)).toEqual(['200'])
      expect(await list()).toEqual([])
    },
  )

  it('shuts one tenant out of every route, and leaves the one next door alone', {
    timeout: 90_000,
  }, async () => {
    const asking = load()
    try {
      await asking.next(8)
      const before = await list()
      expect((await off('tenant', 'acme')).status).toBe(200)
      const while_ = await asking.next(60)
      for (const { tenant, status } of while_)
        expect([tenant, status]).toEqual([tenant, tenant === 'acme' ? 403 : 200])
      expect(new Set(while_.map(({ tenant }) => tenant)).size).toBe(2)
      for (const path of [
        '/v1/models',
        '/api/models',
        MODELS,
        '/api/costs',
        '/api/limits',
        '/api/requests',
        '/api/feedback',
      ]) {
        expect(codeOf(await api(keys.acme, 'GET', path)), path).toEqual([403, 'tenant_disabled'])
        expect((await api(keys.other, 'GET', path)).status, path).toBe(200)
      }
      const refused = await ask(keys.acme, 'let me in')
      expect(refused.body.error).toMatchObject({
        fault: 'caller',
        tip: expect.stringContaining('whoever runs'),
      })
      expect(refused.headers.get('x-should-retry')).toBe('false')
      expect(refused.text).not.toContain('a test of it')
      // The operator still acts for it.
      expect((await api(OPERATOR_TOKEN, 'GET', `${MODELS}?tenant=acme`)).status).toBe(200)
      expect((await on('tenant', 'acme')).status).toBe(200)
      expect((await asking.next(20)).every(({ status }) => status === 200)).toBe(true)
      expect(await list()).toEqual(before)
    } finally {
      await asking.stop()
    }
    expect(asking.seen.filter(({ tenant, status }) => tenant === 'other' && status !== 200)).toEqual([])
    expect(asking.seen.filter(({ status }) => status !== 200 && status !== 403)).toEqual([])
  })
})

describe('what is off', () => {
  it('is no candidate, and where nothing is left the error says so', async () => {
    const calls = chatsAt(stack.provider).length
    await off('model', 'custom:mine')
    expect((await api(keys.acme, 'GET', '/v1/models')).text).not.toContain('custom:mine')
    const named = await ask(keys.acme, 'by its name', { model: 'custom:mine' })
    expect(codeOf(named)).toEqual([503, 'model_unavailable'])
    expect(named.body.error).toMatchObject({ param: 'model', tip: expect.stringContaining('auto') })
    await off('provider', 'simulated')
    expect(codeOf(await ask(keys.acme, 'anything'))).toEqual([503, 'model_unavailable'])
    expect(chatsAt(stack.provider).length).toBe(calls)
    await on('model', 'custom:mine')
    const left = await ask(keys.acme, 'anything')
    expect([left.status, routeOf(left).split(';')[0]]).toEqual([200, 'custom:mine'])
    await on('provider', 'simulated')
    expect((await api(keys.acme, 'GET', '/v1/models')).text).toContain('simulated:sim-small')
  })

  it('leaves no answer of a stand-in under the name of what was asked for', async () => {
    await off('model', 'custom:mine')
    const standIn = await ask(keys.acme, 'who answers this')
    expect(routeOf(standIn)).toContain('custom:mine;out=switched_off')
    await on('model', 'custom:mine')
    const again = await ask(keys.acme, 'who answers this')
    expect([isHit(again), routeOf(again).split(';')[0]]).toEqual([false, 'custom:mine'])
  })

  it('keeps what is stored for later, while all caching is off', async () => {
    await ask(keys.acme, 'stored before')
    await vi.waitFor(async () => expect(isHit(await ask(keys.acme, 'stored before'))).toBe(true), PATIENCE)
    await off('cache', 'all')
    expect(isHit(await ask(keys.acme, 'stored before'))).toBe(false)
    await on('cache', 'all')
    expect(isHit(await ask(keys.acme, 'stored before'))).toBe(true)
  })

  it('says why, who, since when and until when, and is on again by itself', async () => {
    const until = new Date(Date.now() + 3_000).toISOString()
    await off('cache', 'redis', { note: 'Redis is slow', by: 'ann' })
    await off('cache', 'redis', { note: 'Redis is slow today', by: 'ann', until })
    expect(await list()).toEqual([
      { kind: 'cache', name: 'redis', note: 'Redis is slow today', by: 'ann', at: expect.any(String), until },
    ])
    await expect.poll(list, PATIENCE).toEqual([])
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until))
    await expect
      .poll(
        async () =>
          asksTier('redis', (await ask(keys.acme, `${Math.random()}`)).headers.get('cache-status') ?? ''),
        PATIENCE,
      )
      .toBe(true)
    expect(codeOf(await on('cache', 'redis'))).toEqual([404, 'not_found'])
  })

  it('is told to viewers of the page, and to nobody else', async () => {
    await off('tenant', 'nobody-yet').then((answer) => expect(codeOf(answer)).toEqual([404, 'not_found']))
    await off('model', 'custom:mine', { note: '<b>odd</b>' })
    const at = `${stack.url}/monitoring/switches`
    for (const headers of [{}, { authorization: `Bearer ${keys.acme}` }, { cookie: 'beast_monitoring=x' }])
      expect((await fetch(at, { headers: headers as Record<string, string> })).status).toBe(401)
    const signIn = await fetch(`${stack.url}/monitoring/sign-in`, {
      method: 'POST',
      headers: { origin: stack.url },
      body: new URLSearchParams({ secret: VIEWER_TOKEN }),
      redirect: 'manual',
    })
    const cookie = signIn.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    const told = await fetch(at, { headers: { cookie } })
    expect(await told.json()).toMatchObject({
      data: [{ kind: 'model', name: 'custom:mine', note: '<b>odd</b>' }],
    })
    // Looking is all that a viewer may do.
    expect((await fetch(stack.url + PATH, { headers: { cookie } })).status).toBe(401)
    await on('model', 'custom:mine')
  })

  it('stands in the audit log, who threw it and why', async () => {
    await off('tenant', 'other', { note: 'a leak', by: 'ann' })
    await on('tenant', 'other')
    const { body } = await api(OPERATOR_TOKEN, 'GET', '/api/admin/audit?tenant=other&limit=2')
    expect(body.data).toMatchObject([
      { action: 'switch.on', target: 'tenant/other', tenant: 'other' },
      { action: 'switch.off', target: 'tenant/other', after: { note: 'a leak', by: 'ann', until: null } },
    ])
  })

  it('goes with a tenant that is erased, so that its name is free', async () => {
    const key = await stack.key('doomed', 'free')
    await off('tenant', 'doomed')
    expect((await api(key, 'GET', '/v1/models')).status).toBe(403)
    const erased = await api(OPERATOR_TOKEN, 'POST', '/api/admin/tenants/doomed/erase', { confirm: 'doomed' })
    expect(erased.status).toBe(200)
    expect(await list()).toEqual([])
  })
})

describe('a wrong switch', () => {
  const whole = { kind: 'cache', name: 'kv', note: 'why' }
  const later = (ms: number) => new Date(Date.now() + ms).toISOString()
  it.each<readonly [string, unknown, string]>([
    ['no object', [], 'kind'],
    ['no kind', { ...whole, kind: undefined }, 'kind'],
    ['a kind that is none', { ...whole, kind: 'warming' }, 'kind'],
    ['no name', { ...whole, name: '' }, 'name'],
    ['a tier that is none', { ...whole, name: 'disk' }, 'name'],
    ['a model without its provider', { ...whole, kind: 'model', name: 'gpt-5' }, 'name'],
    ['a model with a space', { ...whole, kind: 'model', name: 'openai:gpt 5' }, 'name'],
    ['a provider with a colon', { ...whole, kind: 'provider', name: 'openai:' }, 'name'],
    ['a tenant that cannot be', { ...whole, kind: 'tenant', name: 'Acme!' }, 'name'],
    ['no note', { ...whole, note: ' ' }, 'note'],
    ['a note of two lines', { ...whole, note: 'a\nb' }, 'note'],
    ['a note that is too long', { ...whole, note: 'x'.repeat(501) }, 'note'],
    ['nobody', { ...whole, by: '' }, 'by'],
    ['an end that is past', { ...whole, until: later(-1_000) }, 'until'],
    ['an end that is far', { ...whole, until: later(400 * 86_400_000) }, 'until'],
    ['an end without a zone', { ...whole, until: '2099-01-01T00:00:00' }, 'until'],
    ['a number as its end', { ...whole, until: 5 }, 'until'],
    ['a misspelt field', { ...whole, untill: later(60_000) }, 'untill'],
  ])('is refused: %s', async (_, body, param) => {
    const answer = await api(OPERATOR_TOKEN, 'PUT', PATH, body)
    expect([...codeOf(answer), answer.body.error.param]).toEqual([400, 'invalid_request', param])
    expect(answer.body.error.tip).not.toBe('')
  })

  it('is refused as a query, and where nothing is off', async () => {
    for (const query of ['', '?kind=cache', '?kind=cache&name=disk', '?kind=cache&name=kv&all=1'])
      expect(codeOf(await api(OPERATOR_TOKEN, 'DELETE', PATH + query)), query).toEqual([
        400,
        'invalid_request',
      ])
    expect(codeOf(await on('cache', 'kv'))).toEqual([404, 'not_found'])
    expect(codeOf(await api(OPERATOR_TOKEN, 'PUT', PATH, '{'))).toEqual([400, 'invalid_json'])
    expect(await list()).toEqual([])
  })
})

describe('npm run switches', () => {
  const command = (...words: string[]) =>
    new Promise<{ code: number; said: string }>((resolve) => {
      const env = { ...process.env, BEAST_URL: stack.url, BEAST_OPERATOR_TOKEN: OPERATOR_TOKEN }
      execFile(process.execPath, [join(ROOT, 'scripts/switches.ts'), ...words], { env }, (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, said: out + err }),
      )
    })

  it('turns off, lists and turns on', async () => {
    expect(await command('list')).toEqual({ code: 0, said: 'Everything is on.\n' })
    const thrown = await command(
      'off',
      'provider',
      'simulated',
      '--note',
      'it bills twice',
      '--for',
      '30m',
      '--by',
      'ann',
    )
    expect(thrown).toMatchObject({
      code: 0,
      said: expect.stringMatching(/Off: provider simulated.*90 s.*until 2/),
    })
    expect((await command('list')).said).toMatch(/provider +simulated +\S+ +\S+ +ann +it bills twice/)
    expect((await command('on', 'provider', 'simulated')).said).toContain('On: provider simulated')
    expect(await command('on', 'provider', 'simulated')).toMatchObject({ code: 1 })
    expect(await command('off', 'cache', 'disk', '--note', 'x')).toMatchObject({ code: 1 })
    for (const words of [
      [],
      ['off', 'cache', 'kv'],
      ['on', 'cache'],
      ['off', 'cache', 'kv', '--note', 'x', '--for', 'ever'],
    ])
      expect((await command(...words)).code, words.join(' ')).toBe(2)
  })
})

describe('another gateway on the same stores', () => {
  let second: Stack
  beforeAll(async () => {
    const shared = { SUPABASE_SECRET_KEY: stack.supabase.secretKey }
    second = await startStack(shared, async () => stack.supabase.url)
  })
  afterAll(() => second?.close())

  it('finds out within 90 s, under load, and fails no request', { timeout: 200_000 }, async () => {
    const asking = load(second.url)
    try {
      await asking.next(20)
      const thrownMs = performance.now()
      await off('cache', 'all')
      await expect
        .poll(() => asking.seen.at(-1)?.cache, { timeout: 90_000, interval: 100 })
        .toBe('beast; fwd=bypass')
      console.log(`another gateway: off after ${Math.round(performance.now() - thrownMs)} ms`)
      expect((await asking.next(20)).every(({ cache }) => cache === 'beast; fwd=bypass')).toBe(true)
    } finally {
      await asking.stop()
    }
    expect(asking.seen.filter(({ status }) => status !== 200)).toEqual([])
  })
})
