import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import { ALIASES, type Answer, type Api, answerOf, apiAt, MODELS, PROVIDER_KEYS } from '../support/api.ts'
import { type ProviderServer, startProviderServer } from '../support/provider-server.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
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

/** What the chat requests to a server asked for, from `before` on. */
const asked = ({ requests }: SimulatedProvider, before = 0) =>
  requests.slice(before).filter(({ method }) => method === 'POST')
const lastBody = (server: SimulatedProvider) => JSON.parse(asked(server).at(-1)?.body ?? '{}')
const route = ({ headers }: Answer): string => headers.get('x-beast-route') ?? ''
const isHit = ({ headers }: Answer): boolean => /; hit/.test(headers.get('cache-status') ?? '')
const code = ({ status, body }: Answer) => [status, body.error?.code]
/** An error but for the id of its request. */
const shape = ({ status, body, headers }: Answer) => {
  const told = Object.fromEntries(headers)
  return [status, { ...body.error, request_id: '' }, { ...told, 'x-request-id': '', date: '' }]
}
const usable = async (key: string): Promise<string[]> =>
  (await api(key, 'GET', '/v1/models')).body.data.map(({ id }: { id: string }) => id)

describe("a tenant's own model", () => {
  it.each(['custom:mine', 'mine'])('answers to %s', async (name) => {
    if (name === 'custom:mine') await add(acme, 'mine', { api_key: 'sk-of-acme' })
    const answer = await ask(acme, name, `by ${name}`)
    expect(answer.status).toBe(200)
    expect(route(answer)).toBe('custom:mine;by=named+own_custom')
    expect(lastBody(lab).model).toBe('sim-small')
    expect(asked(lab).at(-1)?.headers.authorization).toBe('Bearer sk-of-acme')
    const again = await ask(acme, name, `by ${name}`)
    expect([isHit(again), again.headers.get('x-beast-route')]).toEqual([true, null])
  })

  it('comes first in auto, before what the operator has', async () => {
    const before = asked(lab).length
    for (const stream of [false, true]) {
      const answer = await ask(acme, 'auto', 'which one?', { stream })
      expect(route(answer)).toMatch(/^custom:mine;by=own_custom;task=chat, /)
    }
    expect(asked(lab).length - before).toBe(2)
    expect(asked(stack.provider)).toHaveLength(0)
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
    const before = asked(lab).length
    expect(code(await ask(acme, 'custom:lazy', 'asleep?'))).toEqual([503, 'model_unavailable'])
    expect(code(await api(acme, 'GET', '/v1/models/custom:lazy'))).toEqual([404, 'model_not_found'])
    expect(await usable(acme)).not.toContain('custom:lazy')
    expect(asked(lab).length).toBe(before)
    await api(acme, 'PATCH', `${MODELS}/lazy`, { is_active: true })
    expect((await ask(acme, 'custom:lazy', 'asleep?')).status).toBe(200)
  })

  it('is gone at once when it is deleted, with the answers that it gave', async () => {
    await add(acme, 'doomed')
    await ask(acme, 'custom:doomed', 'last words')
    expect(isHit(await ask(acme, 'custom:doomed', 'last words'))).toBe(true)
    await api(acme, 'DELETE', `${MODELS}/doomed`)
    expect(code(await ask(acme, 'custom:doomed', 'last words'))).toEqual([404, 'model_not_found'])
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
    for (let i = 0; i < 40; i++) met.add(route(await ask(acme, 'both', `draw ${i}`)).slice(0, 12))
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
      expect(route(answer)).toMatch(/^custom:mine;by=named\+own_custom/)
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
    expect(code(await ask(acme, 'safe', 'anybody?'))).toEqual([404, 'model_not_found'])
  })

  it("is its tenant's own, and reaches no further than the tenant does", async () => {
    expect(code(await ask(rival, 'both', 'x'))).toEqual([404, 'model_not_found'])
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
    const before = asked(billed).length
    expect(code(await ask(acme, 'openai:sim-small', 'mine now?'))).toEqual([402, 'plan_required'])
    expect(code(await api(acme, 'GET', '/v1/models/openai:sim-small'))).toEqual([402, 'plan_required'])
    expect((await usable(acme)).filter((id) => id.startsWith('openai:'))).toEqual([])

    await api(acme, 'PUT', `${PROVIDER_KEYS}/openai`, { api_key: 'sk-own', base_url: lab.url })
    expect(await usable(acme)).toContain('openai:sim-small')
    const answer = await ask(acme, 'openai:sim-small', 'mine now?')
    expect([answer.status, route(answer)]).toEqual([
      200,
      expect.stringMatching(/^openai:sim-small;by=named\+provider_on_own_key/),
    ])
    expect(asked(lab).at(-1)?.headers.authorization).toBe('Bearer sk-own')
    expect(asked(billed).length).toBe(before)

    await api(acme, 'DELETE', `${PROVIDER_KEYS}/openai`)
    expect(code(await ask(acme, 'openai:sim-small', 'mine now?'))).toEqual([402, 'plan_required'])
    expect(asked(billed).length).toBe(before)
  })

  it("is asked with the operator's key on the paid plan, and first with the tenant's own", async () => {
    const answer = await ask(paying, 'openai:sim-small', 'paid')
    expect(route(answer)).toMatch(/^openai:sim-small;by=named\+provider_on_plan/)
    expect(asked(billed).at(-1)?.headers.authorization).toBe('Bearer sk-operators')
    const before = asked(billed).length
    await api(paying, 'PUT', `${PROVIDER_KEYS}/openai`, { api_key: 'sk-paying', base_url: lab.url })
    expect(isHit(await ask(paying, 'openai:sim-small', 'paid'))).toBe(false)
    expect(asked(lab).at(-1)?.headers.authorization).toBe('Bearer sk-paying')
    expect(asked(billed).length).toBe(before)
    await api(paying, 'DELETE', `${PROVIDER_KEYS}/openai`)
  })
})

describe('what is not the caller’s', () => {
  it('is as what never was, under every name', async () => {
    await add(acme, 'private', { api_key: 'sk-of-acme' })
    const before = asked(lab).length
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
    expect(asked(lab).length).toBe(before)
    expect((await usable(rival)).join()).not.toMatch(/private|mine|left/)
  })

  it('is named in no x-beast-route, which stays within 1 kB', async () => {
    for (let i = 0; i < 12; i++) await add(acme, `${'long-'.repeat(11)}${i}`)
    for (let i = 0; i < 6; i++) {
      const own = await ask(acme, 'auto', `route ${i}`)
      expect(route(own).length).toBeLessThanOrEqual(1_024)
      expect(route(own)).toMatch(/^custom:/)
      const theirs = await ask(rival, 'auto', `route ${i}`)
      expect(route(theirs)).toMatch(/^simulated:sim-\w+;by=provider_on_plan/)
      expect(route(theirs)).not.toMatch(/mine|long|private|left|right|127\.0\.0\.1|acme/)
    }
  })
})

describe('a published model', () => {
  const places = () => new RegExp([lab, broken].map(({ url }) => new URL(url).host).join('|'))

  it('serves others at once, and tells them neither where it is nor whose', async () => {
    await add(acme, 'for-all')
    const tenant = '?tenant=acme'
    expect(code(await ask(rival, 'custom:for-all', 'x'))).toEqual([404, 'model_not_found'])
    await api(OPERATOR_TOKEN, 'PATCH', `${MODELS}/for-all${tenant}`, { is_public: true })
    const answers = [
      await ask(rival, 'custom:for-all', 'shared'),
      await ask(rival, 'for-all', '[[sim: status=500]]'),
      await ask(rival, 'for-all', '[[sim: status=302]]'),
      await ask(rival, 'for-all', '[[sim: error=cut at=700]]', { stream: true }),
      await api(rival, 'GET', '/v1/models'),
      await api(rival, 'GET', '/v1/models/custom:for-all'),
      await api(rival, 'GET', `${MODELS}/for-all`),
      await api(rival, 'GET', MODELS),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 502, 502, 200, 200, 200, 200, 200])
    for (const answer of answers) {
      expect(answer.text + JSON.stringify([...answer.headers])).not.toMatch(places())
      expect(answer.text).not.toMatch(/acme/)
    }
    expect(route(answers[0] as Answer)).toBe('custom:for-all;by=named+public_custom')
  })

  it('tells no more where its address has become a forbidden one', async () => {
    const moved = `update custom_models set endpoint_url = 'https://10.11.12.13/v1' where model_id = 'for-all'`
    await stack.supabase.sql(moved)
    await api(OPERATOR_TOKEN, 'PATCH', `${MODELS}/for-all?tenant=acme`, { model_name: 'Moved' })
    const answer = await ask(rival, 'custom:for-all', 'where?')
    expect(answer.status).toBe(502)
    expect(answer.text).not.toContain('10.11.12.13')
    // Its owner may know.
    expect((await ask(acme, 'custom:for-all', 'where?')).status).toBe(502)
    expect((await api(acme, 'POST', `${MODELS}/for-all/test`)).text).toContain('10.11.12.13')
    await api(OPERATOR_TOKEN, 'DELETE', `${MODELS}/for-all?tenant=acme`)
    expect(code(await ask(rival, 'custom:for-all', 'shared'))).toEqual([404, 'model_not_found'])
  })
})

const SYSTEM = ['code-generator', 'quality-analyzer', 'code-explainer'].map((name) => `beast-mode-${name}`)
const CODE = 'Write a Python function that reverses a linked list.'

describe("the system's models", () => {
  it.each(SYSTEM)(
    '%s answers through what the operator has first, for whoever may use that',
    async (model) => {
      const answer = await ask(paying, model, 'Hello')
      expect([answer.status, route(answer)]).toEqual([200, `custom:${model};by=named+public_custom`])
      expect(lastBody(billed)).toMatchObject({ model: 'sim-small', temperature: 0.7, max_tokens: 2_000 })
      expect(code(await ask(acme, model, 'Hello'))).toEqual([402, 'plan_required'])
    },
  )

  it("adds the task's settings where the caller gave none, and left the model to us", async () => {
    const sent = async (model: string, more: object = {}) => {
      // Each a user of its own, so that none is answered from the cache.
      await ask(paying, model, CODE, { user: `${model} ${JSON.stringify(more)}`, ...more })
      const { temperature, max_tokens, max_completion_tokens } = lastBody(billed)
      return { temperature, max_tokens, max_completion_tokens }
    }
    const profile = { temperature: 0.3, max_tokens: 4_000 }
    for (const model of ['beast-mode-code-generator', 'custom:beast-mode-code-explainer', 'auto']) {
      expect(await sent(model)).toEqual(profile)
      expect(await sent(model, { temperature: 0 })).toEqual({ ...profile, temperature: 0 })
      expect(await sent(model, { temperature: null })).toEqual(profile)
      expect(await sent(model, { max_tokens: 7 })).toEqual({ ...profile, max_tokens: 7 })
      expect(await sent(model, { max_completion_tokens: 9 })).toEqual({
        temperature: 0.3,
        max_completion_tokens: 9,
      })
    }
    for (const model of ['openai:sim-small', 'openai:sim-large']) expect(await sent(model)).toEqual({})
  })

  it('answers through what the operator chose, at once and for every plan', async () => {
    const path = `${MODELS}/beast-mode-code-generator?tenant=beast-system`
    await api(OPERATOR_TOKEN, 'PATCH', path, { config: { upstream: 'simulated:sim-large' } })
    const before = asked(billed).length
    for (const key of [paying, acme])
      expect((await ask(key, 'beast-mode-code-generator', CODE)).status).toBe(200)
    expect(lastBody(stack.provider)).toMatchObject({
      model: 'sim-large',
      temperature: 0.3,
      max_tokens: 4_000,
    })
    expect(asked(billed).length).toBe(before)
  })
})
