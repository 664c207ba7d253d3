import { createHmac } from 'node:crypto'
import { createClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import { keksFrom } from '../../src/models/keks.ts'
import { KeyBox } from '../../src/models/key-box.ts'
import { rotateBatch } from '../../src/models/key-rotation.ts'
import { type NewModel, SYSTEM_TENANT_ID } from '../../src/models/registry.ts'
import { RegistryCache, type RegistryTrouble } from '../../src/models/registry-cache.ts'
import { SupabaseModels } from '../../src/models/supabase-models.ts'
import { SupabaseSealedKeys } from '../../src/models/supabase-sealed-keys.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { customModel, TENANT_A, TENANT_B } from '../support/model-rows.ts'
import { startTestSupabase, supabaseClient } from '../support/stores.ts'
import { kek } from '../support/workers.ts'

let supabase: EmbeddedSupabase
let store: SupabaseModels
let granted: unknown[]

const TABLES = ['custom_models', 'model_aliases', 'provider_keys', 'custom_model_overview'] as const
const ENDPOINT = 'https://llm.example.com/v1'

beforeAll(async () => {
  supabase = await startTestSupabase()
  // Before the first request over HTTP: then the embedded Supabase grants both roles everything (a hosted one does
  // not), after which row-level security alone stands, as the test over HTTP sees it.
  granted = await supabase.sql(
    `select role || ' ' || verb || ' ' || name as what
     from unnest(array['anon', 'authenticated']) role,
          unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) verb,
          unnest(array['${TABLES.join("','")}']) name
     where has_table_privilege(role, 'public.' || name, verb)`,
  )
  store = new SupabaseModels(() => supabaseClient(supabase), Date.now)
  await supabase.sql(`insert into tenants (id, name) values ('${TENANT_A}', 'a'), ('${TENANT_B}', 'b')`)
})
afterAll(() => supabase?.close())
beforeEach(async () => {
  for (const table of ['custom_models', 'model_aliases', 'provider_keys'])
    await supabase.sql(`delete from ${table} where tenant_id <> '${SYSTEM_TENANT_ID}'`)
})

const newModel = (modelId: string, more: Partial<NewModel> = {}): NewModel => ({
  ...customModel(modelId),
  id: uuidv7(Date.now()),
  ...more,
})
const names = async (tenantId: string) => (await store.load(tenantId)).models.map(({ modelId }) => modelId)

describe('the store of models', () => {
  it("has the system's three models, public, for every tenant", async () => {
    expect((await names(TENANT_A)).sort()).toEqual([
      'beast-mode-code-explainer',
      'beast-mode-code-generator',
      'beast-mode-quality-analyzer',
    ])
    const model = await store.findPublic('beast-mode-code-generator')
    expect(model).toMatchObject({
      isPublic: true,
      isActive: true,
      endpointUrl: undefined,
      tenantId: SYSTEM_TENANT_ID,
    })
  })

  it('keeps what it is given', async () => {
    const key = { encrypted: 'v2.KEK_1.w.c', iv: 'i'.repeat(16) }
    const config = { model: 'llama3:8b', context_tokens: 8_192, vision: false }
    const given = newModel('mine', { key, keyHint: 'abcd', config, userId: 'u1', format: 'anthropic' })
    const made = await store.create(given)
    expect(made).toMatchObject({ ...given, createdAt: expect.any(String), updatedAt: expect.any(String) })
    expect(await store.find(TENANT_A, 'mine')).toEqual(made)
    expect((await store.load(TENANT_A)).models[0]).toEqual(made)
  })

  it('lets two tenants have one name, and none two models of it', async () => {
    expect(await store.create(newModel('same'))).toBeDefined()
    expect(await store.create(newModel('same'))).toBeUndefined()
    expect(await store.create(newModel('same', { tenantId: TENANT_B }))).toBeDefined()
    expect((await names(TENANT_A)).filter((name) => name === 'same')).toHaveLength(1)
  })

  it("finds, changes and removes nothing of another tenant's", async () => {
    const made = await store.create(newModel('mine'))
    if (!made) throw new Error('not made')
    expect(await store.find(TENANT_B, 'mine')).toBeUndefined()
    expect(await store.update({ ...made, tenantId: TENANT_B }, { isActive: false })).toBeUndefined()
    expect(await store.remove(TENANT_B, 'mine')).toBe(false)
    expect(await names(TENANT_B)).not.toContain('mine')
    expect(await store.find(TENANT_A, 'mine')).toEqual(made)
  })

  it('raises the revision with what answers depend on, and with nothing else', async () => {
    let model = await store.create(newModel('mine', { key: { encrypted: 'one', iv: 'a'.repeat(16) } }))
    const change = async (to: Parameters<SupabaseModels['update']>[1]) => {
      const seen = model
      if (!seen) throw new Error('no model')
      model = await store.update(seen, to)
      return (model?.revision ?? Number.NaN) - seen.revision
    }
    expect(await change({ modelName: 'Other', isActive: false, userId: 'u2' })).toBe(0)
    expect(await change({ key: { encrypted: 'rewrapped', iv: 'a'.repeat(16) } })).toBe(0)
    expect(await change({ isPublic: true })).toBe(0)
    expect(await change({ endpointUrl: 'https://other.example.com/v1' })).toBe(1)
    expect(await change({ config: { model: 'x' } })).toBe(1)
    expect(await change({ format: 'gemini' })).toBe(1)
    expect(await change({ key: { encrypted: 'another', iv: 'b'.repeat(16) } })).toBe(1)
    expect(model).toMatchObject({ modelName: 'Other', isActive: false, isPublic: true, revision: 5 })
  })

  it('changes only what is still as it was seen', async () => {
    const seen = await store.create(newModel('mine'))
    if (!seen) throw new Error('not made')
    await store.update(seen, { endpointUrl: 'https://other.example.com/v1' })
    expect(await store.update(seen, { isPublic: true })).toBeUndefined()
    expect((await store.find(TENANT_A, 'mine'))?.isPublic).toBe(false)
  })

  it('lets no tenant have more than 100, however many come together', async () => {
    await supabase.sql(
      `insert into custom_models (tenant_id, model_id, model_name, endpoint_url)
       select '${TENANT_A}', 'm' || n, 'm', '${ENDPOINT}' from generate_series(1, 98) n`,
    )
    const made = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => store.create(newModel(`late${i}`))),
    )
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    const [row] = await supabase.sql<{ n: number }>(
      `select count(*)::integer n from custom_models where tenant_id = '${TENANT_A}'`,
    )
    expect(row?.n).toBe(100)
  })

  it('leaves out a row that does not say what it must, and names it', async () => {
    await store.create(newModel('good'))
    await store.create(newModel('bad'))
    await supabase.sql(`update custom_models set config = '{"tools": "perhaps"}' where model_id = 'bad'`)
    const { models, bad } = await store.load(TENANT_A)
    expect(models.map(({ modelId }) => modelId)).toContain('good')
    expect(models.map(({ modelId }) => modelId)).not.toContain('bad')
    expect(bad).toEqual([{ table: 'custom_models', id: expect.any(String) }])
  })

  it('replaces aliases and provider keys by their name', async () => {
    const targets = [{ model: 'custom:mine', weight: 2 }]
    await store.putAlias({ tenantId: TENANT_A, name: 'fast', kind: 'weighted', targets })
    await store.putAlias({ tenantId: TENANT_A, name: 'fast', kind: 'fallback', targets })
    const key = (n: number) => ({
      id: uuidv7(Date.now()),
      tenantId: TENANT_A,
      provider: 'openai',
      baseUrl: 'https://api.openai.com/v1',
      format: 'openai' as const,
      key: { encrypted: `sealed ${n}`, iv: String(n).repeat(16) },
      keyHint: undefined,
    })
    await store.putProviderKey(key(1))
    const second = await store.putProviderKey(key(2))
    const { aliases, providerKeys } = await store.load(TENANT_A)
    expect(aliases).toMatchObject([{ name: 'fast', kind: 'fallback', targets, revision: 2 }])
    expect(providerKeys).toEqual([second])
    expect(second).toMatchObject({ revision: 2, key: { encrypted: 'sealed 2' } })
    expect(await store.removeAlias(TENANT_B, 'fast')).toBe(false)
    expect(await store.removeProviderKey(TENANT_B, 'openai')).toBe(false)
    expect(await store.removeAlias(TENANT_A, 'fast')).toBe(true)
    expect(await store.removeProviderKey(TENANT_A, 'openai')).toBe(true)
  })
})

describe("an isolate's registry over the real store", () => {
  it('fails no request while a row is broken, the store answers nonsense, fails, or is gone', async () => {
    const proxy = await startFaultProxy(supabase.url)
    const clock = fakeClock()
    const troubles: RegistryTrouble[] = []
    const through = new SupabaseModels(() => supabaseClient({ ...supabase, url: proxy.url }), Date.now)
    const cache = new RegistryCache({ clock, store: through, report: (trouble) => troubles.push(trouble) })
    const look = async () => {
      await clock.advance(60_000)
      return (await cache.of(TENANT_A, () => {})).models.filter(({ tenantId }) => tenantId === TENANT_A)
    }
    await store.create(newModel('first', { config: { tools: true } }))
    const good = await look()
    expect(good).toHaveLength(1)

    await supabase.sql(`update custom_models set config = '{"tools": "broken"}' where model_id = 'first'`)
    await store.create(newModel('second'))
    const mended = await look()
    expect(mended.map(({ modelId }) => modelId).sort()).toEqual(['first', 'second'])
    expect(mended.find(({ modelId }) => modelId === 'first')).toEqual(good[0])

    const faults: Fault[] = [
      { kind: 'answer', status: 500, body: '{}' },
      { kind: 'answer', status: 200, body: '<html>' },
      { kind: 'answer', status: 200, body: '[]' },
      {
        kind: 'answer',
        status: 200,
        body: '[{"custom_models": 7, "model_aliases": [], "provider_keys": []}]',
      },
      { kind: 'answer', status: 200, body: '{"custom_models": [{}]}' },
      { kind: 'reset' },
    ]
    for (const fault of faults) {
      proxy.set(fault)
      expect(await look(), JSON.stringify(fault)).toEqual(mended)
    }
    proxy.set({ kind: 'none' })
    await supabase.sql(`update custom_models set config = '{}' where model_id = 'first'`)
    expect((await look()).find(({ modelId }) => modelId === 'first')?.config).toEqual({})
    expect(troubles.filter(({ kind }) => kind === 'load_failed').length).toBe(faults.length)
    await proxy.close()
  })
})

describe('who may read and write these tables', () => {
  it('is granted to nobody but the service role', () => {
    expect(granted).toEqual([])
  })

  it.each(TABLES.slice(0, 3))(
    '%s: row-level security stands behind the grants, without a policy',
    async (table) => {
      const [rls] = await supabase.sql(
        `select relrowsecurity and relforcerowsecurity as on, (select count(*)::integer from pg_policies where tablename = '${table}') policies
       from pg_class where oid = 'public.${table}'::regclass`,
      )
      expect(rls).toEqual({ on: true, policies: 0 })
    },
  )

  it.each(['raise_revision()', 'bound_rows_of_tenant()'])(
    '%s runs for nobody else, with nobody else’s rights',
    async (fn) => {
      const [row] = await supabase.sql(
        `select has_function_privilege('anon', 'public.${fn}', 'execute') anon,
              has_function_privilege('authenticated', 'public.${fn}', 'execute') authenticated,
              prosecdef from pg_proc where oid = 'public.${fn}'::regprocedure`,
      )
      expect(row).toEqual({ anon: false, authenticated: false, prosecdef: false })
    },
  )

  it('over HTTP: a public key, and a signed-in user, see and change nothing', async () => {
    await store.create(newModel('mine', { key: { encrypted: 'sealed-canary', iv: 'i'.repeat(16) } }))
    const options = { auth: { persistSession: false, autoRefreshToken: false } }
    const anon = createClient(supabase.url, supabase.publishableKey, options)
    const user = createClient(supabase.url, supabase.publishableKey, {
      ...options,
      global: { headers: { authorization: `Bearer ${signedIn()}` } },
    })
    for (const client of [anon, user])
      for (const table of TABLES) {
        const read = await client.from(table).select()
        expect(read.data ?? []).toEqual([])
        expect(JSON.stringify(read)).not.toContain('sealed-canary')
        const written = await client
          .from(table)
          .update({ is_public: true })
          .eq('tenant_id', TENANT_A)
          .select()
        expect(written.data ?? []).toEqual([])
      }
    expect((await store.find(TENANT_A, 'mine'))?.isPublic).toBe(false)
  })

  it('the overview for dashboards has no key in it', async () => {
    const columns = await supabase.sql<{ column_name: string }>(
      `select column_name from information_schema.columns where table_name = 'custom_model_overview'`,
    )
    expect(columns.map((column) => column.column_name).filter((name) => /key/.test(name))).toEqual([
      'has_api_key',
    ])
  })
})

/** What Supabase's Auth would give a user who signed in. */
function signedIn(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = Math.floor(Date.now() / 1_000) + 600
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ role: 'authenticated', sub: TENANT_A, aud: 'authenticated', exp })}`
  return `${text}.${createHmac('sha256', 'j'.repeat(43)).update(text).digest('base64url')}`
}

describe('rotation of the key encryption key', () => {
  const boxOf = (...seeds: number[]) => {
    const { keks, currentKid } = keksFrom(Object.fromEntries(seeds.map((seed) => [`KEK_${seed}`, kek(seed)])))
    return new KeyBox(keks, currentKid)
  }
  const place = (rowId: string) => ({ table: 'custom_models', rowId, tenantId: TENANT_A })

  async function seed(count: number) {
    const old = boxOf(1)
    for (let i = 0; i < count; i++) {
      const model = newModel(`m${i}`)
      await store.create({ ...model, key: await old.seal(place(model.id), `secret ${i}`) })
    }
    const id = uuidv7(Date.now())
    const key = await old.seal({ table: 'provider_keys', rowId: id, tenantId: TENANT_A }, 'own')
    const baseUrl = 'https://api.openai.com/v1'
    await store.putProviderKey({
      id,
      tenantId: TENANT_A,
      provider: 'openai',
      baseUrl,
      format: 'openai',
      key,
      keyHint: undefined,
    })
  }

  it('is online, ends anywhere, goes on from there, and afterwards the old one is not needed', async () => {
    await seed(10)
    const sealed = new SupabaseSealedKeys(() => supabaseClient(supabase))
    const box = boxOf(1, 2)
    const half = await rotateBatch(sealed, box, undefined, 4)
    expect(half).toMatchObject({ rewrapped: 4, unchanged: 0, failed: [] })

    // In between every key opens, wherever it stands.
    for (const model of (await store.load(TENANT_A)).models)
      if (model.key) expect(await box.open(place(model.id), model.key)).toMatch(/^secret \d$/)

    // The batch that was ended before its answer came is done again, and changes nothing.
    expect(await rotateBatch(sealed, box, undefined, 4)).toMatchObject({ rewrapped: 0, unchanged: 4 })

    let cursor = half?.cursor
    let rewrapped = 4
    while (cursor) {
      const batch = await rotateBatch(sealed, box, cursor, 4)
      rewrapped += batch?.rewrapped ?? 0
      cursor = batch?.cursor
    }
    expect(rewrapped).toBe(11)
    const [left] = await supabase.sql(
      `select (select count(*)::integer from custom_models where api_key_encrypted like 'v2.KEK_1.%') models,
              (select count(*)::integer from provider_keys where api_key_encrypted like 'v2.KEK_1.%') keys,
              (select max(revision) from custom_models where tenant_id = '${TENANT_A}') revision`,
    )
    expect(left).toEqual({ models: 0, keys: 0, revision: 1 })
    const later = boxOf(2)
    const { models, providerKeys } = await store.load(TENANT_A)
    for (const model of models)
      if (model.key) expect(await later.open(place(model.id), model.key)).toMatch(/^secret \d$/)
    const [own] = providerKeys
    expect(
      own && (await later.open({ table: 'provider_keys', rowId: own.id, tenantId: TENANT_A }, own.key)),
    ).toBe('own')
  })

  it('passes over a key that does not open, and names its row', async () => {
    await seed(3)
    await supabase.sql(`update custom_models set api_key_encrypted = 'v2.KEK_9.x.y' where model_id = 'm1'`)
    const sealed = new SupabaseSealedKeys(() => supabaseClient(supabase))
    const batch = await rotateBatch(sealed, boxOf(1, 2), undefined, 40)
    expect(batch).toMatchObject({ rewrapped: 2, unchanged: 0, cursor: 'provider_keys:' })
    expect(batch?.failed).toHaveLength(1)
  })

  it('does not write over a key that was entered anew meanwhile', async () => {
    await seed(1)
    const sealed = new SupabaseSealedKeys(() => supabaseClient(supabase))
    const [row] = await sealed.sealedAfter('custom_models', undefined, 1)
    const model = await store.find(TENANT_A, 'm0')
    if (!row || !model) throw new Error('no row')
    const fresh = await boxOf(1).seal(place(model.id), 'entered anew')
    await store.update(model, { key: fresh })
    const next = await boxOf(1, 2).rewrap(row.key)
    expect(next && (await sealed.replaceSealed('custom_models', row, next))).toBe(false)
    expect((await store.find(TENANT_A, 'm0'))?.key).toEqual(fresh)
  })

  it('takes no cursor that it did not give', async () => {
    const sealed = new SupabaseSealedKeys(() => supabaseClient(supabase))
    for (const cursor of ['', 'tenants:', 'custom_models', `custom_models:' or 1=1`])
      expect(await rotateBatch(sealed, boxOf(1), cursor, 4)).toBeUndefined()
  })
})
