import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SupabaseDirectory } from '../../src/tenants/supabase-directory.ts'
import { SupabaseLimits } from '../../src/tenants/supabase-limits.ts'
import { KeyDigest } from '../../src/tenants/virtual-key.ts'
import { onEachDatabase } from '../support/databases.ts'
import { supabaseClient, type TestDatabase } from '../support/stores.ts'

onEachDatabase((start) => {
  let supabase: TestDatabase
  let store: SupabaseLimits
  let directory: SupabaseDirectory
  const digest = new KeyDigest('p'.repeat(32))
  beforeAll(async () => {
    supabase = await start()
    const connect = () => supabaseClient(supabase)
    store = new SupabaseLimits(connect)
    directory = new SupabaseDirectory(connect, digest, Date.now)
  })
  afterAll(() => supabase?.close())

  /** A tenant with a key. */
  async function made(name: string) {
    const { key, id } = await directory.create(name, 'paid', null)
    const tenant = await directory.tenantNamed(name)
    return { id, tenantId: tenant?.id ?? '', caller: async () => directory.find(await digest.of(key)) }
  }

  describe('limits', () => {
    const all = { requestsPerMinute: 60, tokensPerMinute: 1_000_000_000, concurrency: 5, maxTokens: 100 }

    it('are one set for each key and for the tenant, and come with every key', async () => {
      const a = await made('a')
      const b = await made('b')
      expect(await a.caller()).toMatchObject({ limits: undefined, tenant: { limits: undefined } })
      expect(await store.put(a.tenantId, null, all)).toBe(true)
      expect(await store.put(a.tenantId, a.id, { concurrency: 1 })).toBe(true)
      expect(await store.list(a.tenantId)).toEqual([
        { keyId: null, ...all },
        { keyId: a.id, concurrency: 1 },
      ])
      expect(await a.caller()).toMatchObject({ limits: { concurrency: 1 }, tenant: { limits: all } })
      expect([await store.list(b.tenantId), (await b.caller())?.limits]).toEqual([[], undefined])
      // What is not named is not limited any more.
      await store.put(a.tenantId, null, { maxTokens: 7 })
      expect((await a.caller())?.tenant.limits).toEqual({ maxTokens: 7 })
      await store.put(a.tenantId, null, {})
      await store.put(a.tenantId, a.id, {})
      expect([await store.list(a.tenantId), await a.caller()]).toMatchObject([[], { limits: undefined }])
    })

    it('are of the tenant’s own keys that still are', async () => {
      const mine = await made('mine')
      const foreign = await made('foreign')
      expect(await store.put(mine.tenantId, foreign.id, all)).toBe(false)
      expect((await foreign.caller())?.limits).toBeUndefined()
      await store.put(mine.tenantId, mine.id, all)
      await directory.revoke(mine.id)
      expect(await store.list(mine.tenantId)).toEqual([])
      expect(await store.put(mine.tenantId, mine.id, all)).toBe(false)
    })

    it('out of range are refused by the database too', async () => {
      const { tenantId, id } = await made('strict')
      for (const limits of [{ requestsPerMinute: 0 }, { concurrency: 10_001 }, { maxTokens: -1 }]) {
        await expect(store.put(tenantId, null, limits)).rejects.toThrow(/violates check constraint/)
        await expect(store.put(tenantId, id, limits)).rejects.toThrow(/violates check constraint/)
      }
    })

    it('are in what is exported of the tenant', async () => {
      const { tenantId, id } = await made('exported')
      await store.put(tenantId, null, { requestsPerMinute: 11 })
      await store.put(tenantId, id, { requestsPerMinute: 12 })
      const rows = await supabase.sql<{ section: string; record: string }>(
        `select section, record from export_page('${tenantId}')`,
      )
      const limitIn = (section: string) =>
        JSON.parse(rows.find((row) => row.section === section)?.record ?? '{}').limit_requests
      expect([limitIn('tenants'), limitIn('virtual_keys')]).toEqual([11, 12])
    })
  })
})
