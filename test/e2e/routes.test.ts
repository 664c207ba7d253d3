import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import {
  ALIASES,
  type Answer,
  type Api,
  answerOf,
  apiAt,
  chatsAt,
  codeOf,
  isHit,
  lastBody,
  MODELS,
  PROVIDER_KEYS,
  routeOf,
} from '../support/api.ts'
import { type ProviderServer, startProviderServer } from '../support/provider-server.ts'
import { chatBody } from '../support/slots.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// From a name to the server that answers: a tenant's own models, aliases and keys, the operator's, and what the plan says.

let stack: Stack
let api: Api
/** Where tenants' own models lie. */
let lab: SimulatedProvider
/** The operator's OpenAI, for the paid plan only. */
let billed: SimulatedProvider
/** Fails whatever it is asked. */
let broken: ProviderServer
let acme: string
let rival: string
let paying: string

beforeAll(async () => {
  ;[lab, billed, broken] = await Promise.all([
    startSimulatedProvider({ seed: 2 }),
    startSimulatedProvider({ seed: 3 }),
    startProviderServer(),
  ])
  stack = await startStack({
    OPENAI_API_KEY: 'sk-operators',
    OPENAI_BASE_URL: billed.url,
    UPSTREAM_LOOPBACK: [lab.url, broken.url].map((url) => new URL(url).host).join(),
  })
  api = apiAt(stack.url)
  ;[acme, rival, paying] = await Promise.all([
    stack.key('acme', 'free'),
    stack.key('rival', 'free'),
    stack.key('paying', 'paid'),
  ])
})
afterAll(async () => {
  await stack?.close()
  await Promise.all([lab?.close(), billed?.close(), broken?.close()])
})

const add = (key: string, modelId: string, more: object = {}, query = '') =>
  api(key, 'POST', `${MODELS}${query}`, {
    model_id: modelId,
    endpoint_url: lab.url,
    config: { model: 'sim-small' },
    ...more,
  })
const ask = async (key: string, model: string, text: string, more: object = {}): Promise<Answer> =>
  answerOf(await chat(stack.url, key, chatBody(text, { model, ...more })))

/** An error but for the id of its request. */
const shape = ({ status, body, headers }: Answer) => {
  const told = Object.fromEntries(headers)
  return [
    status,
    { ...body.error, request_id: '' },
    { ...told, 'x-request-id': '', 'x-beast-prediction': '', date: '' },
  ]
}
const usable = async (key: string): Promise<string[]> =>
  (await api(key, 'GET', '/v1/models')).body.data.map(({ id }: { id: string }) => id)

describe("a tenant's own model", () => {
  it.each(['custom:mine', 'mine'])('answers to %s', async (name) => {
    if (name === 'custom:mine') await add(acme, 'mine', { api_key: 'sk-of-acme' })
    const answer = await ask(acme, name, `by ${name}`)
    expect(answer.status).toBe(200)
    expect(routeOf(answer)).toBe('custom:mine;by=named+own_custom')
    expect(lastBody(lab).model).toBe('sim-small')
    expect(chatsAt(lab).at(-1)?.headers.authorization).toBe('Bearer sk-of-acme')
    const again = await ask(acme, name, `by ${name}`)
    expect([isHit(again), again.headers.get('x-beast-route')]).toEqual([true, null])
  })

  it('comes first in auto, before what the operator has', async () => {
    const before = chatsAt(lab).length
    for (const stream of [false, true]) {
      const answer = await ask(acme, 'auto', 'which one?', { stream })
      expect(routeOf(answer)).toMatch(/^custom:mine;by=own_custom;task=chat, /)
    }
    expect(chatsAt(lab).length - before).toBe(2)
    expect(chatsAt(stack.provider)).toHaveLength(0)
  })

  it('is changed at once, and its old answers are not served for new ones', async () => {
    await ask(acme, 'custom:mine', 'changed?')
    expect(isHit(await ask(acme, 'custom:mine', 'changed?'))).toBe(true)
    await api(acme, 'PATCH', `${MODELS}/mine`, { config: { model: 'sim-large' } })
    expect(isHit(await ask(acme, 'custom:mine', 'changed?'))).toBe(false)
    expect(lastBody(lab).model).toBe('sim-large')
  })

  it('reaches nobody while it is switched off, and answers at once when it is on again', async () => {
    await add(acme, 'lazy')
    await ask(acme, 'custom:lazy', 'awake?')
    await api(acme, 'PATCH', `${MODELS}/lazy`, { is_active: false })
    const before = chatsAt(lab).length
    expect(codeOf(await ask(acme, 'custom:lazy', 'asleep?'))).toEqual([503, 'model_unavailable'])
    expect(codeOf(await api(acme, 'GET', '/v1/models/custom:lazy'))).toEqual([404, 'model_not_found'])
    expect(await usable(acme)).not.toContain('custom:lazy')
    expect(chatsAt(lab).length).toBe(before)
    await api(acme, 'PATCH', `${MODELS}/lazy`, { is_active: true })
    expect((await ask(acme, 'custom:lazy', 'asleep?')).status).toBe(200)
  })

  it('is gone at once when it is deleted, with the answers that it gave', async () => {
    await add(acme, 'doomed')
    await ask(acme, 'custom:doomed', 'last words')
    expect(isHit(await ask(acme, 'custom:doomed', 'last words'))).toBe(true)
    await api(acme, 'DELETE', `${MODELS}/doomed`)
    expect(codeOf(await ask(acme, 'custom:doomed', 'last words'))).toEqual([404, 'model_not_found'])
    // Under the same name, it is another model.
    await add(acme, 'doomed')
    expect(isHit(await ask(acme, 'custom:doomed', 'last words'))).toBe(false)
  })
})

describe('an alias', () => {
  const alias = (name: string, kind: string, targets: object[]) =>
    api(acme, 'PUT', `${ALIASES}/${name}`, { kind, targets })

  it('spreads requests over its targets, and answers from the cache whichever answered first', async () => {
    for (const id of ['left', 'right']) await add(acme, id)
    await alias('both', 'weighted', [{ model: 'custom:left' }, { model: 'right' }])
    const met = new Set<string>()
    // All to one side: once in 2^39.
    for (let i = 0; i < 40; i++) met.add(routeOf(await ask(acme, 'both', `draw ${i}`)).slice(0, 12))
    expect([...met].sort()).toEqual(['custom:left;', 'custom:right'])
    for (let i = 0; i < 40; i++) expect(isHit(await ask(acme, 'both', `draw ${i}`)), `draw ${i}`).toBe(true)
  })

  it('falls back in its order, and keeps nothing of what the second answered', async () => {
    await add(acme, 'frail', { endpoint_url: broken.url })
    await alias('safe', 'fallback', [{ model: 'custom:frail' }, { model: 'custom:mine' }])
    // More often than a breaker bears, after which the first is not even tried.
    for (let i = 0; i < 8; i++) {
      const answer = await ask(acme, 'safe', 'anybody?')
      expect([answer.status, isHit(answer)]).toEqual([200, false])
      expect(routeOf(answer)).toMatch(/^custom:mine;by=named\+own_custom/)
    }
    const tried = broken.requests.filter(({ method }) => method === 'POST')
    expect(tried.length).toBeGreaterThanOrEqual(5)
    expect(tried.length).toBeLessThan(8)
  })

  it('keeps what the first answered, and changes at once', async () => {
    await alias('safe', 'fallback', [{ model: 'custom:mine' }, { model: 'custom:frail' }])
    await ask(acme, 'safe', 'anybody?')
    expect(isHit(await ask(acme, 'safe', 'anybody?'))).toBe(true)
    await api(acme, 'DELETE', `${ALIASES}/safe`)
    expect(codeOf(await ask(acme, 'safe', 'anybody?'))).toEqual([404, 'model_not_found'])
  })

  it("is its tenant's own, and reaches no further than the tenant does", async () => {
    expect(codeOf(await ask(rival, 'both', 'x'))).toEqual([404, 'model_not_found'])
    const targets = [{ model: 'custom:mine' }]
    await api(rival, 'PUT', `${ALIASES}/theirs`, { kind: 'fallback', targets })
    await api(rival, 'PUT', `${ALIASES}/nobodys`, {
      kind: 'fallback',
      targets: [{ model: 'custom:never-was' }],
    })
    expect(shape(await ask(rival, 'theirs', 'x'))).toEqual(shape(await ask(rival, 'nobodys', 'x')))
  })
})

describe('a provider', () => {
  it('for the paid plan is not there for the free one, until the tenant brings a key of its own', async () => {
    const before = chatsAt(billed).length
    expect(codeOf(await ask(acme, 'openai:sim-small', 'mine now?'))).toEqual([402, 'plan_required'])
    expect(codeOf(await api(acme, 'GET', '/v1/models/openai:sim-small'))).toEqual([402, 'plan_required'])
    expect((await usable(acme)).filter((id) => id.startsWith('openai:'))).toEqual([])

    await api(acme, 'PUT', `${PROVIDER_KEYS}/openai`, { api_key: 'sk-own', base_url: lab.url })
    expect(await usable(acme)).toContain('openai:sim-small')
    const answer = await ask(acme, 'openai:sim-small', 'mine now?')
    expect([answer.status, routeOf(answer)]).toEqual([
      200,
      expect.stringMatching(/^openai:sim-small;by=named\+provider_on_own_key/),
    ])
    expect(chatsAt(lab).at(-1)?.headers.authorization).toBe('Bearer sk-own')
    expect(chatsAt(billed).length).toBe(before)

    await api(acme, 'DELETE', `${PROVIDER_KEYS}/openai`)
    expect(codeOf(await ask(acme, 'openai:sim-small', 'mine now?'))).toEqual([402, 'plan_required'])
    expect(chatsAt(billed).length).toBe(before)
  })

  it("is asked with the operator's key on the paid plan, and first with the tenant's own", async () => {
    const answer = await ask(paying, 'openai:sim-small', 'paid')
    expect(routeOf(answer)).toMatch(/^openai:sim-small;by=named\+provider_on_plan/)
    expect(chatsAt(billed).at(-1)?.headers.authorization).toBe('Bearer sk-operators')
    const before = chatsAt(billed).length
    await api(paying, 'PUT', `${PROVIDER_KEYS}/openai`, { api_key: 'sk-paying', base_url: lab.url })
    expect(isHit(await ask(paying, 'openai:sim-small', 'paid'))).toBe(false)
    expect(chatsAt(lab).at(-1)?.headers.authorization).toBe('Bearer sk-paying')
    expect(chatsAt(billed).length).toBe(before)
    await api(paying, 'DELETE', `${PROVIDER_KEYS}/openai`)
  })
})

describe('what is not the caller’s', () => {
  it('is as what never was, under every name', async () => {
    await add(acme, 'private', { api_key: 'sk-of-acme' })
    const before = chatsAt(lab).length
    for (const [name, unknown] of [
      ['custom:private', 'custom:never-was'],
      ['private', 'never-was'],
    ] as const) {
      expect(shape(await ask(rival, name, 'x'))).toEqual(shape(await ask(rival, unknown, 'x')))
      const [foreign, none] = await Promise.all(
        [name, unknown].map((id) => api(rival, 'GET', `/v1/models/${id}`)),
      )
      expect(shape(foreign as Answer)).toEqual(shape(none as Answer))
    }
    expect(chatsAt(lab).length).toBe(before)
    expect((await usable(rival)).join()).not.toMatch(/private|mine|left/)
  })

  it('is named in no x-beast-route, which stays within 1 kB', async () => {
    for (let i = 0; i < 12; i++) await add(acme, `${'long-'.repeat(11)}${i}`)
    for (let i = 0; i < 6; i++) {
      const own = await ask(acme, 'auto', `route ${i}`)
      expect(routeOf(own).length).toBeLessThanOrEqual(1_024)
      expect(routeOf(own)).toMatch(/^custom:/)
      const theirs = await ask(rival, 'auto', `route ${i}`)
      expect(routeOf(theirs)).toMatch(/^simulated:sim-\w+;by=provider_on_plan/)
      expect(routeOf(theirs)).not.toMatch(/mine|long|private|left|right|127\.0\.0\.1|acme/)
    }
  })
})

describe('an endpoint that offers all it has', () => {
  it('brings its models into auto, under their names, and only for its tenant', async () => {
    const key = await stack.key('explorer', 'free')
    const made = await api(key, 'POST', MODELS, {
      model_id: 'lab',
      endpoint_url: lab.url,
      api_key: 'sk-lab',
      config: { discover: true },
    })
    expect(made.body.discovered.map(({ id }: { id: string }) => id)).toEqual([
      'sim-small',
      'sim-large',
      'sim-tools',
    ])
    expect((await usable(key)).filter((id) => id.startsWith('custom:lab'))).toEqual([
      'custom:lab/sim-small',
      'custom:lab/sim-large',
      'custom:lab/sim-tools',
    ])
    expect(routeOf(await ask(key, 'auto', 'anything new?'))).toMatch(/^custom:lab\/sim-\w+;by=own_custom/)
    for (const name of ['custom:lab/sim-large', 'lab/sim-large']) {
      const answer = await ask(key, name, `found as ${name}`)
      expect(routeOf(answer)).toBe('custom:lab/sim-large;by=named+own_custom')
      expect(lastBody(lab).model).toBe('sim-large')
      expect(chatsAt(lab).at(-1)?.headers.authorization).toBe('Bearer sk-lab')
    }
    expect(isHit(await ask(key, 'custom:lab/sim-large', 'found as custom:lab/sim-large'))).toBe(true)
    expect((await api(key, 'GET', '/v1/models/custom:lab/sim-large')).body).toMatchObject({
      owned_by: 'explorer',
    })
    expect((await api(key, 'POST', `${MODELS}/lab/test`)).body).toMatchObject({ ok: true })
    expect(shape(await ask(rival, 'custom:lab/sim-large', 'x'))).toEqual(
      shape(await ask(rival, 'custom:never/was', 'x')),
    )
    expect(codeOf(await ask(key, 'custom:lab/unheard-of', 'x'))).toEqual([404, 'model_not_found'])

    await api(key, 'PATCH', `${MODELS}/lab`, { config: { model: 'sim-small' } })
    expect((await usable(key)).filter((id) => id.startsWith('custom:lab'))).toEqual(['custom:lab'])
    expect(codeOf(await ask(key, 'custom:lab/sim-large', 'x'))).toEqual([404, 'model_not_found'])
  })

  it('is one of five', async () => {
    const key = await stack.key('collector', 'free')
    const config = { discover: true }
    for (let i = 0; i < 5; i++) expect((await add(key, `lab${i}`, { config })).status).toBe(201)
    expect(codeOf(await add(key, 'lab5', { config }))).toEqual([409, 'conflict'])
    await add(key, 'lab5')
    expect(codeOf(await api(key, 'PATCH', `${MODELS}/lab5`, { config }))).toEqual([409, 'conflict'])
    expect((await api(key, 'PATCH', `${MODELS}/lab0`, { config })).status).toBe(200)
  })
})
