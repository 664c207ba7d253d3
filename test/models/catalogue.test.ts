import { describe, expect, it } from 'vitest'
import { Catalogue } from '../../src/models/catalogue.ts'
import type { Provider } from '../../src/models/provider.ts'
import type { CustomModel, ProviderKey } from '../../src/models/registry.ts'
import type { ListedModel } from '../../src/providers/adapter.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { customModel, loaded, TENANT_A, TENANT_B } from '../support/model-rows.ts'

const provider = (name: string, more: Partial<Provider> = {}): Provider => ({
  name,
  format: 'openai',
  endpoints: [{ id: name, baseUrl: `https://${name}.example.com`, host: name, weight: 1, isForeign: false }],
  plans: ['paid'],
  revision: '1',
  ...more,
})
const providerKey = (name: string): ProviderKey => ({
  id: `key ${name}`,
  tenantId: TENANT_A,
  provider: name,
  baseUrl: `https://${name}.example.com/v1`,
  format: 'openai',
  key: { encrypted: 'e', iv: 'i' },
  keyHint: undefined,
  revision: 1,
  updatedAt: '2026-11-21T00:00:00.000Z',
})
const lab = (config: CustomModel['config'] = {}, more: Partial<CustomModel> = {}) =>
  customModel('lab', { config: { discover: true, ...config }, ...more })

/** A catalogue over lists in our hands, by the address of whom they are asked of. */
function setUp(
  rows: readonly CustomModel[],
  keys: readonly ProviderKey[] = [],
  operators: readonly Provider[] = [],
) {
  const clock = fakeClock()
  const lists: Record<string, () => Promise<readonly ListedModel[]>> = {}
  const asked: string[] = []
  const background: Promise<unknown>[] = []
  const state = { snapshot: { ...loaded(rows, { providerKeys: keys }), known: true } }
  const catalogue = new Catalogue({
    clock,
    providers: operators,
    registry: { of: async () => state.snapshot },
    list: ({ endpoints: [{ baseUrl }] }) => {
      asked.push(baseUrl)
      return lists[baseUrl]?.() ?? Promise.reject(new Error('silent'))
    },
  })
  const of = (tenantId = TENANT_A) => catalogue.of(tenantId, (work) => background.push(work))
  const ids = async (tenantId = TENANT_A) => (await of(tenantId)).models.map(({ route }) => route.id)
  const settle = () => Promise.all(background.splice(0))
  return { clock, lists, asked, state, of, ids, settle }
}

const LAB = 'https://llm.example.com/v1'
const listing =
  (...ids: string[]) =>
  async () =>
    ids.map((id) => ({ id, contextTokens: 8_192 }))
const never = () => new Promise<never>(() => {})

describe('an endpoint that offers what it lists', () => {
  it('adds each model under its name, to its tenant alone, published or not', async () => {
    for (const isPublic of [false, true]) {
      const { lists, of, ids } = setUp([lab({}, { isPublic })])
      lists[LAB] = listing('llama3:8b', 'org/qwen')
      expect(await ids()).toEqual(['custom:lab/llama3:8b', 'custom:lab/org/qwen'])
      const [model] = (await of()).models
      expect(model).toMatchObject({
        kind: 'custom',
        ownerId: TENANT_A,
        isPublic: false,
        route: { model: 'llama3:8b', provider: { endpoints: [{ baseUrl: LAB, isForeign: true }] } },
        capabilities: { contextTokens: 8_192 },
      })
      // Others see the published row as before, and nobody asks its server on their account.
      const theirs = setUp([lab({}, { isPublic })])
      expect(await theirs.ids(TENANT_B)).toEqual(['custom:lab'])
      expect(theirs.asked).toEqual([])
    }
  })

  it('is asked once a minute, and only where its tenant said so and it is on', async () => {
    const { clock, lists, asked, ids, settle } = setUp([lab()])
    lists[LAB] = listing('one')
    for (let i = 0; i < 5; i++) await ids()
    expect(asked).toHaveLength(1)
    lists[LAB] = listing('one', 'two')
    await clock.advance(60_000)
    expect(await ids()).toEqual(['custom:lab/one'])
    await settle()
    await clock.advance(5_000)
    expect(await ids()).toEqual(['custom:lab/one', 'custom:lab/two'])
    for (const row of [
      customModel('lab'),
      lab({}, { isActive: false }),
      lab({}, { endpointUrl: undefined }),
    ]) {
      const other = setUp([row])
      await other.ids()
      expect(other.asked).toEqual([])
    }
  })

  it('is a model itself where it has one of its name, or one was chosen', async () => {
    const listed = async (...config: Parameters<typeof lab>) => {
      const { lists, ids } = setUp([lab(...config)])
      lists[LAB] = listing('lab', 'other')
      return ids()
    }
    expect(await listed()).toEqual(['custom:lab', 'custom:lab/other'])
    expect(await listed({ model: 'other' })).toEqual(['custom:lab', 'custom:lab/lab'])
  })

  it("lends its name to nobody else's model", async () => {
    const theirs = customModel('lab', { id: 'theirs', tenantId: TENANT_B, isPublic: true })
    const { lists, ids } = setUp([lab(), theirs])
    lists[LAB] = listing('one')
    expect(await ids()).toEqual(['custom:lab/one'])
  })

  it('offers no more than 200 names that can be called, at five endpoints', async () => {
    const many = Array.from({ length: 500 }, (_, i) => `model-${i}`)
    const rows = Array.from({ length: 8 }, (_, i) =>
      customModel(`lab${i}`, { config: { discover: true }, endpointUrl: `${LAB}/${i}` }),
    )
    const { lists, asked, ids } = setUp(rows)
    for (const { endpointUrl = '' } of rows)
      lists[endpointUrl] = listing('a b', 'x'.repeat(256), 'ü', '', ...many)
    const found = (await ids()).filter((id) => id.includes('/'))
    expect(asked).toHaveLength(5)
    expect(found).toHaveLength(1_000)
    expect(found[0]).toBe('custom:lab0/model-0')
  })

  it('holds up nobody for long when it is slow, and is there once it has spoken', async () => {
    const { clock, lists, ids, settle } = setUp([lab()])
    lists[LAB] = () => new Promise((resolve) => clock.after(3_000, () => resolve([{ id: 'one' }])))
    const waiting = ids()
    await clock.advance(1_000)
    expect(await waiting).toEqual(['custom:lab'])
    await clock.advance(2_000)
    await settle()
    await clock.advance(5_000)
    expect(await ids()).toEqual(['custom:lab/one'])
  })

  it('makes nobody wait a second time while it is silent, and takes what is named there on trust', async () => {
    const { clock, lists, of } = setUp([lab()])
    expect((await of()).unlisted.map(({ prefix }) => prefix)).toEqual(['custom:lab/'])
    lists[LAB] = never
    await clock.advance(10_000)
    // It does not wait: time stands still.
    expect((await of()).unlisted).toHaveLength(1)
  })
})

describe('lists', () => {
  it('are asked for side by side', async () => {
    const operators = [provider('one'), provider('two')]
    const { clock, lists, ids } = setUp([lab()], [providerKey('three')], operators)
    for (const url of [
      'https://one.example.com',
      'https://two.example.com',
      'https://three.example.com/v1',
      LAB,
    ])
      lists[url] = () => new Promise((resolve) => clock.after(800, () => resolve([{ id: 'm' }])))
    const waiting = ids()
    await clock.advance(800)
    expect((await waiting).sort()).toEqual(['custom:lab/m', 'one:m', 'three:m', 'two:m'])
  })

  it('of a tenant are bounded, those of the operator are not', async () => {
    const many = Array.from({ length: 4_000 }, (_, i) => `m${i}`)
    const keys = ['a', 'b', 'c', 'd', 'e'].map(providerKey)
    const { lists, ids } = setUp([], keys, [provider('big')])
    for (const name of ['a', 'b', 'c', 'd', 'e']) lists[`https://${name}.example.com/v1`] = listing(...many)
    lists['https://big.example.com'] = listing(...many)
    const found = await ids()
    expect(found.filter((id) => id.startsWith('big:'))).toHaveLength(4_000)
    expect(found.filter((id) => id.startsWith('a:'))).toHaveLength(1_000)
    expect(found).toHaveLength(7_000)
  })
})
