import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestHarness, type TestHarness } from 'wrangler'
import { startMemoryRedis } from '../../scripts/stack/memory-redis.ts'
import { type CacheTier, CorruptEntryError } from '../../src/cache/tier.ts'
import { KvTier } from '../../src/cache/tiers/kv.ts'
import { MemoryTier } from '../../src/cache/tiers/memory.ts'
import { RedisTier } from '../../src/cache/tiers/redis.ts'
import { SupabaseTier } from '../../src/cache/tiers/supabase.ts'
import type { KvStore } from '../../src/core/kv.ts'
import { clientOf, READER } from '../database/clients.ts'
import { onEachDatabase } from '../support/databases.ts'
import { describeWith, redisServerPresent } from '../support/require.ts'
import { chatBody, ORIGIN, slotOf, tenant } from '../support/slots.ts'
import {
  ROOT,
  redisClient,
  startTestRedis,
  supabaseClient,
  type TestDatabase,
  type TestRedis,
} from '../support/stores.ts'

const TENANT = tenant('00000000-0000-4000-8000-000000000001')
const OTHER = tenant('00000000-0000-4000-8000-000000000002')
const HOUR_MS = 3_600_000

interface Subject {
  readonly tier: CacheTier
  /** Changes what is stored for a slot, as a fault or an attacker might; undefined where nothing lies sealed. */
  readonly tamper?: (id: string, change: (sealed: string) => string) => Promise<void>
}

/** What every tier promises, whatever it is made of. */
function contract(name: string, ttls: readonly [maxTtlMs: number], subject: () => Subject): void {
  describe(name, () => {
    const entry = (body: string, kind: 'json' | 'sse' = 'json') => ({
      kind,
      body,
      origin: ORIGIN,
      storedAtMs: Date.now(),
      expiresAtMs: Date.now() + HOUR_MS,
    })

    it('knows nothing of what was never stored', async () => {
      expect(await subject().tier.get(await slotOf(TENANT, chatBody('never')))).toBeUndefined()
    })

    it('gives back what it was given, to the letter', async () => {
      const slot = await slotOf(TENANT, chatBody('kept'))
      for (const kept of [
        entry('{"a":"ü\\u0000 𝄞 \\n"}'),
        entry('data: {}\n\ndata: [DONE]\n\n', 'sse'),
        entry('x'.repeat(300_000)),
      ]) {
        await subject().tier.set(slot, kept, HOUR_MS)
        expect(await subject().tier.get(await slotOf(TENANT, chatBody('kept')))).toEqual(kept)
      }
    })

    it('forgets what is deleted, and deletes what is not there', async () => {
      const slot = await slotOf(TENANT, chatBody('deleted'))
      await subject().tier.set(slot, entry('{}'), HOUR_MS)
      await subject().tier.delete(slot)
      await subject().tier.delete(slot)
      expect(await subject().tier.get(slot)).toBeUndefined()
    })

    it('keeps two tenants apart', async () => {
      await subject().tier.set(await slotOf(TENANT, chatBody('mine')), entry('{"mine":1}'), HOUR_MS)
      expect(await subject().tier.get(await slotOf(OTHER, chatBody('mine')))).toBeUndefined()
    })

    it('states the life that belongs to it', () => {
      expect(subject().tier.maxTtlMs).toBe(ttls[0])
    })

    it('refuses a value that was changed, cut or moved here from elsewhere', async () => {
      const { tier, tamper } = subject()
      if (!tamper) return
      const slot = await slotOf(TENANT, chatBody('tampered'))
      const foreign = await (await slotOf(OTHER, chatBody('tampered'))).seal(entry('{"foreign":1}'))
      const elsewhere = await (await slotOf(TENANT, chatBody('elsewhere'))).seal(entry('{"elsewhere":1}'))
      const flip = (text: string) => text.slice(0, -5) + (text.at(-5) === 'A' ? 'B' : 'A') + text.slice(-4)
      for (const change of [
        flip,
        (text: string) => text.slice(0, -3),
        () => foreign,
        () => elsewhere,
        () => 'nonsense',
        () => 'x',
      ]) {
        await tier.set(slot, entry('{"true":1}'), HOUR_MS)
        await tamper(slot.id, change)
        await expect(tier.get(slot)).rejects.toBeInstanceOf(CorruptEntryError)
      }
    })
  })
}

contract('memory', [HOUR_MS], () => ({ tier: memory }))
const memory = new MemoryTier({
  clock: { now: Date.now, after: () => () => {} },
  maxEntries: 100,
  maxBytes: 10_000_000,
})

describe('KV in workerd', () => {
  let harness: TestHarness
  let kv: KvStore
  beforeAll(async () => {
    harness = createTestHarness({
      root: ROOT,
      workers: ['wrangler.toml', 'workers/state/wrangler.toml'].map((configPath) => ({ configPath })),
    })
    await harness.listen()
    kv = (await harness.getWorker<{ CACHE: KvStore }>().getEnv()).CACHE
  })
  afterAll(() => harness?.close())
  contract('kv', [HOUR_MS], () => ({
    tier: new KvTier(kv),
    tamper: async (id, change) => {
      const sealed = (await kv.get(`cache:${id}`, 'text')) ?? ''
      await kv.put(`cache:${id}`, change(sealed), { expirationTtl: 60 })
    },
  }))

  it('does not keep what lives shorter than KV allows', async () => {
    const slot = await slotOf(TENANT, chatBody('brief'))
    const brief = {
      kind: 'json' as const,
      body: '{}',
      origin: ORIGIN,
      storedAtMs: Date.now(),
      expiresAtMs: Date.now() + 59_000,
    }
    await new KvTier(kv).set(slot, brief, 59_000)
    expect(await new KvTier(kv).get(slot)).toBeUndefined()
  })
})

function redisContract(title: string, start: () => Promise<TestRedis>): void {
  describe(title, () => {
    let redis: TestRedis
    beforeAll(async () => {
      redis = await start()
    })
    afterAll(() => redis?.close())
    contract('redis', [2 * HOUR_MS], () => ({
      tier: new RedisTier(() => redisClient(redis.url)),
      tamper: async (id, change) => {
        const sealed = String(await redis.store.send(['GET', `cache:${id}`]))
        await redis.store.send(['SET', `cache:${id}`, change(sealed)])
      },
    }))

    it('expires by itself, and knows a second hit from a first', async () => {
      const tier = new RedisTier(() => redisClient(redis.url))
      const slot = await slotOf(TENANT, chatBody('hits'))
      await tier.set(slot, { kind: 'json', body: '{}', origin: ORIGIN, storedAtMs: 0, expiresAtMs: 1 }, 5_000)
      const pttl = Number(await redis.store.send(['PTTL', `cache:${slot.id}`]))
      expect(pttl).toBeGreaterThan(4_000)
      expect(pttl).toBeLessThanOrEqual(5_000)
      expect([await tier.hitBefore(slot), await tier.hitBefore(slot)]).toEqual([false, true])
    })
  })
}
redisContract("Upstash's protocol in memory", async () => {
  const redis = await startTestRedis(false)
  expect(redis.store.description).toBe(startMemoryRedis().description)
  return redis
})
describeWith('redis-server', redisServerPresent, "Upstash's protocol over redis-server", () => {
  redisContract('real', () => startTestRedis(true))
})

onEachDatabase((start) => {
  let supabase: TestDatabase
  beforeAll(async () => {
    supabase = await start()
    await supabase.sql(
      `insert into tenants (id, name) values ('${TENANT.id}', 'one'), ('${OTHER.id}', 'two')`,
    )
  })
  afterAll(() => supabase?.close())
  const tier = () =>
    new SupabaseTier({
      reader: () => clientOf(supabase, READER),
      writer: () => supabaseClient(supabase),
      now: Date.now,
    })
  contract('supabase', [24 * HOUR_MS], () => ({
    tier: tier(),
    tamper: async (id, change) => {
      const [row] = await supabase.sql<{ sealed: string }>(`select sealed from llm_cache where key = '${id}'`)
      await supabase.sql(`update llm_cache set sealed = '${change(row?.sealed ?? '')}' where key = '${id}'`)
    },
  }))

  it('does not serve what has expired, and prunes it and a surplus', async () => {
    const slot = await slotOf(TENANT, chatBody('old'))
    const old = { kind: 'json' as const, body: '{}', origin: ORIGIN, storedAtMs: 0, expiresAtMs: 1 }
    await tier().set(slot, old, 1)
    await expect.poll(() => tier().get(slot)).toBeUndefined()
    await supabase.sql('select prune_llm_cache(1)')
    const rows = await supabase.sql<{ key: string }>(
      `select key from llm_cache where tenant_id = '${TENANT.id}'`,
    )
    expect(rows).toHaveLength(1)
    expect(rows[0]?.key).not.toBe(slot.id)
  })

  it('shows nothing to anyone but the service', async () => {
    await tier().set(
      await slotOf(TENANT, chatBody('private')),
      { kind: 'json', body: '{}', origin: ORIGIN, storedAtMs: 0, expiresAtMs: 1 },
      HOUR_MS,
    )
    for (const table of ['llm_cache', 'tenants', 'virtual_keys']) {
      const anon = supabaseClient({ url: supabase.url, secretKey: supabase.publishableKey })
      const { data } = await anon.from(table).select()
      expect(data ?? []).toEqual([])
      const [security] = await supabase.sql<{ ok: boolean }>(
        `select relrowsecurity and relforcerowsecurity as ok from pg_class where relname = '${table}'`,
      )
      expect(security?.ok).toBe(true)
    }
    const { error } = await supabaseClient({ url: supabase.url, secretKey: supabase.publishableKey })
      .from('tenants')
      .insert({ name: 'evil' })
    expect(error).not.toBeNull()
  })
})
