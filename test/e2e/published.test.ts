import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import {
  type Answer,
  type Api,
  answerOf,
  apiAt,
  chatsAt,
  codeOf,
  lastBody,
  MODELS,
  routeOf,
} from '../support/api.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// What the operator opens to everybody: a tenant's model that is published, and the system's own.

let stack: Stack
let api: Api
/** Where tenants' own models lie. */
let lab: SimulatedProvider
/** The operator's OpenAI, for the paid plan only. */
let billed: SimulatedProvider
let acme: string
let rival: string
let paying: string

beforeAll(async () => {
  ;[lab, billed] = await Promise.all([
    startSimulatedProvider({ seed: 2 }),
    startSimulatedProvider({ seed: 3 }),
  ])
  stack = await startStack({
    OPENAI_API_KEY: 'sk-operators',
    OPENAI_BASE_URL: billed.url,
    UPSTREAM_LOOPBACK: new URL(lab.url).host,
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
  await Promise.all([lab?.close(), billed?.close()])
})

const add = (key: string, modelId: string) =>
  api(key, 'POST', MODELS, { model_id: modelId, endpoint_url: lab.url, config: { model: 'sim-small' } })
const ask = async (key: string, model: string, text: string, more: object = {}): Promise<Answer> =>
  answerOf(await chat(stack.url, key, chatBody(text, { model, ...more })))

describe('a published model', () => {
  it('serves others at once, and tells them neither where it is nor whose', async () => {
    await add(acme, 'for-all')
    const tenant = '?tenant=acme'
    expect(codeOf(await ask(rival, 'custom:for-all', 'x'))).toEqual([404, 'model_not_found'])
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
      expect(answer.text + JSON.stringify([...answer.headers])).not.toContain(new URL(lab.url).host)
      expect(answer.text).not.toMatch(/acme/)
    }
    expect(routeOf(answers[0] as Answer)).toBe('custom:for-all;by=named+public_custom')
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
    expect(codeOf(await ask(rival, 'custom:for-all', 'shared'))).toEqual([404, 'model_not_found'])
  })
})

const SYSTEM = ['code-generator', 'quality-analyzer', 'code-explainer'].map((name) => `beast-mode-${name}`)
const CODE = 'Write a Python function that reverses a linked list.'

describe("the system's models", () => {
  it.each(SYSTEM)(
    '%s answers through what the operator has first, for whoever may use that',
    async (model) => {
      const answer = await ask(paying, model, 'Hello')
      expect([answer.status, routeOf(answer)]).toEqual([200, `custom:${model};by=named+public_custom`])
      expect(lastBody(billed)).toMatchObject({ model: 'sim-small', temperature: 0.7, max_tokens: 2_000 })
      expect(codeOf(await ask(acme, model, 'Hello'))).toEqual([402, 'plan_required'])
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
    const before = chatsAt(billed).length
    for (const key of [paying, acme])
      expect((await ask(key, 'beast-mode-code-generator', CODE)).status).toBe(200)
    expect(lastBody(stack.provider)).toMatchObject({
      model: 'sim-large',
      temperature: 0.3,
      max_tokens: 4_000,
    })
    expect(chatsAt(billed).length).toBe(before)
  })
})
