import { describe, expect, it } from 'vitest'
import { toModels } from '../../src/models/custom-routes.ts'
import type { LoadedRegistry } from '../../src/models/registry.ts'
import { RegistryCache, type RegistryTrouble } from '../../src/models/registry-cache.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { customModel, loaded, TENANT_A, TENANT_B } from '../support/model-rows.ts'

/** One isolate's registry over a store in our hands. */
function setUp(answer: () => Promise<LoadedRegistry>) {
  const clock = fakeClock()
  const state = { answer, loads: 0 }
  const troubles: RegistryTrouble[] = []
  const background: Promise<unknown>[] = []
  const cache = new RegistryCache({
    clock,
    store: {
      load: () => {
        state.loads += 1
        return state.answer()
      },
    },
    report: (trouble) => troubles.push(trouble),
  })
  const names = async (tenantId = TENANT_A) =>
    (await cache.of(tenantId, (work) => background.push(work))).models.map(({ modelId }) => modelId)
  const settle = () => Promise.all(background.splice(0))
  return { clock, state, troubles, cache, names, settle }
}

const good = async () => loaded([customModel('one'), customModel('two')])
const down = async (): Promise<never> => {
  throw new Error('down')
}
const hanging = () => new Promise<never>(() => {})

describe("an isolate's registry", () => {
  it('asks the store once in 30 s, then behind the answer, and waits only after a minute', async () => {
    const { clock, state, names, settle } = setUp(good)
    for (let i = 0; i < 10; i++) expect(await names()).toEqual(['one', 'two'])
    await clock.advance(29_999)
    await names()
    expect(state.loads).toBe(1)

    state.answer = async () => loaded([customModel('three')])
    await clock.advance(1)
    expect(await names()).toEqual(['one', 'two'])
    await settle()
    expect(await names()).toEqual(['three'])
    expect(state.loads).toBe(2)

    state.answer = good
    await clock.advance(60_000)
    expect(await names()).toEqual(['one', 'two'])
  })

  it('looks anew at once after a change made here', async () => {
    const { state, cache, names } = setUp(good)
    await names()
    state.answer = async () => loaded([customModel('one')])
    cache.expire(TENANT_A)
    expect(await names()).toEqual(['one'])
  })

  it("looks anew for every tenant after the operator's change, each once", async () => {
    const { state, cache, names } = setUp(good)
    for (const tenant of [TENANT_A, TENANT_B]) await names(tenant)
    state.answer = async () => loaded([customModel('three')])
    cache.expireAll()
    for (const tenant of [TENANT_A, TENANT_B, TENANT_A, TENANT_B])
      expect(await names(tenant)).toEqual(['three'])
    expect(state.loads).toBe(4)
  })

  it('does not believe what was on its way when something changed', async () => {
    const { state, cache, names } = setUp(good)
    const slow = Promise.withResolvers<LoadedRegistry>()
    state.answer = () => slow.promise
    const early = names()
    cache.expire(TENANT_A)
    state.answer = async () => loaded([customModel('three')])
    slow.resolve(await good())
    expect(await early).toEqual(['one', 'two'])
    expect(await names()).toEqual(['three'])
  })

  it('leaves nobody with what is old because the store is slow: the next request has it', async () => {
    const { clock, state, names, settle } = setUp(good)
    await names()
    state.answer = () =>
      new Promise((resolve) => clock.after(500, () => resolve(loaded([customModel('three')]))))
    await clock.advance(600_000)
    const waiting = names()
    await clock.advance(400)
    expect(await waiting).toEqual(['one', 'two'])
    await clock.advance(100)
    await settle()
    expect(await names()).toEqual(['three'])
  })

  it('keeps the last good through an outage of any length, asking no more than every 5 s', async () => {
    const { clock, state, names, settle, troubles } = setUp(good)
    await names()
    state.answer = down
    const before = state.loads
    for (let passed = 0; passed < 3_600_000; passed += 1_000) {
      await clock.advance(1_000)
      expect(await names()).toEqual(['one', 'two'])
      await settle()
    }
    expect(state.loads - before).toBeLessThanOrEqual(720)
    expect(troubles.length).toBe(state.loads - before)
    state.answer = async () => loaded([customModel('new')])
    await clock.advance(5_000)
    expect(await names()).toEqual(['new'])
  })

  it('makes a request wait 300 ms at most for a store that hangs, when there is a last good', async () => {
    const { clock, state, names } = setUp(good)
    await names()
    state.answer = hanging
    await clock.advance(60_000)
    const waiting = names()
    const others = names()
    expect(await others).toEqual(['one', 'two'])
    await clock.advance(300)
    expect(await waiting).toEqual(['one', 'two'])
  })

  it('gives a tenant never seen an empty registry that says so, and loads it once the store is back', async () => {
    const { clock, state, cache, names } = setUp(down)
    const snapshot = await cache.of(TENANT_B, () => {})
    expect(snapshot).toEqual({ models: [], aliases: [], providerKeys: [], known: false })
    await names(TENANT_B)
    expect(state.loads).toBe(1)
    state.answer = good
    await clock.advance(5_000)
    expect(await names(TENANT_B)).toEqual(['one', 'two'])
    expect((await cache.of(TENANT_B, () => {})).known).toBe(true)
  })

  it('keeps the last good of a row that came damaged, and takes the change of the others', async () => {
    const { clock, state, names, troubles } = setUp(good)
    await names()
    const row = { table: 'custom_models', id: 'id of one' } as const
    state.answer = async () => loaded([customModel('two'), customModel('three')], { bad: [row] })
    await clock.advance(60_000)
    expect((await names()).sort()).toEqual(['one', 'three', 'two'])
    expect(troubles).toEqual([{ kind: 'bad_row', row }])
  })

  it.each([
    ['doubled', () => loaded([...[1, 2].flatMap(() => [customModel('one'), customModel('two')])])],
    [
      'longer than a tenant can have',
      () => loaded(Array.from({ length: 1_501 }, (_, i) => customModel(`m${i}`))),
    ],
    ['larger than it can be', () => loaded([customModel('one', { modelName: 'x'.repeat(4_000_000) })])],
  ])('refuses a registry that is %s: 0 failed requests', async (_, broken) => {
    const { clock, state, names, troubles } = setUp(good)
    await names()
    state.answer = async () => broken()
    for (let i = 0; i < 100; i++) {
      await clock.advance(60_000)
      expect(await names()).toEqual(['one', 'two'])
    }
    expect(troubles.every(({ kind }) => kind === 'refused')).toBe(true)
    expect(troubles).toHaveLength(100)
  })

  it("never serves one tenant another's", async () => {
    const { cache } = setUp(good)
    const clock = fakeClock()
    const each = new RegistryCache({
      clock,
      store: { load: async (tenantId) => loaded([customModel(tenantId.slice(0, 2), { tenantId })]) },
      report: () => {},
    })
    await cache.of(TENANT_A, () => {})
    for (let i = 0; i < 3; i++) {
      expect((await each.of(TENANT_A, () => {})).models[0]?.tenantId).toBe(TENANT_A)
      expect((await each.of(TENANT_B, () => {})).models[0]?.tenantId).toBe(TENANT_B)
    }
  })
})

describe('models for selection', () => {
  const upstream = {
    id: 'simulated:sim-small',
    revision: '1',
    model: 'sim-small',
    provider: {
      name: 'simulated',
      format: 'openai' as const,
      endpoints: [
        {
          id: 'simulated',
          baseUrl: 'http://127.0.0.1:1/v1',
          host: '127.0.0.1:1',
          weight: 1,
          isForeign: false,
        },
      ] as const,
      plans: [],
      revision: '1',
    },
  }
  const snapshot = (models: LoadedRegistry['models']) => ({ ...loaded(models), known: true })

  it("come with the endpoint's own name, and a revision that tells rows apart", () => {
    const key = { encrypted: 'v2.KEK_1.w.c', iv: 'i'.repeat(16) }
    const config = { model: 'llama3:8b', context_tokens: 8_192, tools: true }
    const [model] = toModels(snapshot([customModel('mine', { key, config, revision: 7 })]), () => undefined)
    expect(model).toMatchObject({
      kind: 'custom',
      ownerId: TENANT_A,
      route: { id: 'custom:mine', revision: 'id of mine.7', model: 'llama3:8b' },
      capabilities: { contextTokens: 8_192, tools: true },
    })
  })

  it("without an endpoint are served by the operator's, or are not there", () => {
    const system = customModel('beast-mode-code-generator', {
      endpointUrl: undefined,
      config: { upstream: 'simulated:sim-small' },
      isPublic: true,
    })
    const asked: (string | undefined)[] = []
    const [model] = toModels(snapshot([system]), (name) => {
      asked.push(name)
      return upstream
    })
    expect(asked).toEqual(['simulated:sim-small'])
    expect(model?.route).toMatchObject({
      id: 'custom:beast-mode-code-generator',
      model: 'sim-small',
      revision: 'id of beast-mode-code-generator.1 simulated:sim-small@1',
    })
    expect(toModels(snapshot([system]), () => undefined)).toEqual([])
  })

  it("prefer the tenant's own where two have one name", () => {
    const own = customModel('same')
    const shared = customModel('same', { id: 'other', tenantId: TENANT_B, isPublic: true })
    expect(toModels(snapshot([own, shared]), () => undefined).map(({ ownerId }) => ownerId)).toEqual([
      TENANT_A,
    ])
  })
})
