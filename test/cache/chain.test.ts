import { describe, expect, it } from 'vitest'
import { CacheChain } from '../../src/cache/chain.ts'
import type { CacheEntry } from '../../src/cache/entry.ts'
import { cacheLevels, TOTAL_DEADLINE_MS } from '../../src/cache/levels.ts'
import { type CacheSlot, type CacheTier, CorruptEntryError, type TierName } from '../../src/cache/tier.ts'
import { KvTier } from '../../src/cache/tiers/kv.ts'
import { MemoryTier } from '../../src/cache/tiers/memory.ts'
import { Watch } from '../../src/core/clock.ts'
import { fakeClock, FAKE_START_MS as START, settled } from '../support/fake-clock.ts'
import { KvDouble } from '../support/kv-double.ts'
import { chatBody, ORIGIN, slotOf, tenant } from '../support/slots.ts'

const HOUR_MS = 3_600_000
const LIVES: Record<TierName, number> = {
  memory: HOUR_MS,
  kv: HOUR_MS,
  redis: 2 * HOUR_MS,
  supabase: 24 * HOUR_MS,
}
const SLOT = await slotOf(tenant('t1'), chatBody('question'))

/** A tier that can be made to fail, and remembers how it was written. */
class ScriptedTier implements CacheTier {
  readonly name: TierName
  readonly maxTtlMs: number
  readonly held = new Map<string, { entry: CacheEntry; ttlMs: number }>()
  behave: () => Promise<void> = async () => {}
  calls = 0

  constructor(name: TierName) {
    this.name = name
    this.maxTtlMs = LIVES[name]
  }

  async get(slot: CacheSlot) {
    this.calls += 1
    await this.behave()
    return this.held.get(slot.id)?.entry
  }

  async set(slot: CacheSlot, entry: CacheEntry, ttlMs: number) {
    this.held.set(slot.id, { entry, ttlMs })
  }

  async delete(slot: CacheSlot) {
    this.held.delete(slot.id)
  }
}

function setUp(tiersOff?: ReadonlySet<string>) {
  const clock = fakeClock()
  const tiers = {
    memory: new ScriptedTier('memory'),
    kv: new ScriptedTier('kv'),
    redis: new ScriptedTier('redis'),
    supabase: new ScriptedTier('supabase'),
  }
  const hits = new Set<string>()
  const hitBefore = async (slot: CacheSlot) => hits.has(slot.id) || !hits.add(slot.id)
  const chain = new CacheChain({
    clock,
    random: () => 0,
    levels: cacheLevels(tiers),
    totalDeadlineMs: TOTAL_DEADLINE_MS,
    hitBefore,
    switches: { off: { tiers: tiersOff } },
  })
  /** Reads, and waits for what goes on behind the answer. */
  const read = async () => {
    const background: Promise<unknown>[] = []
    const result = await chain.read(SLOT, {
      waitUntil: (work) => background.push(work),
      watch: new Watch(clock),
    })
    await Promise.all(background)
    return result
  }
  const entry = (lifeMs: number): CacheEntry => ({
    kind: 'json',
    body: '{}',
    origin: ORIGIN,
    storedAtMs: START,
    expiresAtMs: START + lifeMs,
  })
  const hang = () => new Promise<void>(() => {})
  return { clock, tiers, chain, read, entry, hang }
}

describe('writing', () => {
  it("fills every tier but KV, each with its own life and never past the entry's", async () => {
    const { chain, tiers, entry } = setUp()
    await chain.write(SLOT, entry(1.5 * HOUR_MS))
    expect(tiers.memory.held.get(SLOT.id)?.ttlMs).toBe(HOUR_MS)
    expect(tiers.kv.held.size).toBe(0)
    expect(tiers.redis.held.get(SLOT.id)?.ttlMs).toBe(1.5 * HOUR_MS)
    expect(tiers.supabase.held.get(SLOT.id)?.ttlMs).toBe(1.5 * HOUR_MS)
  })

  it('takes up to a tenth off each life at random', () => {
    const lives = [0, 0.5, 0.999].map((random) => {
      const clock = fakeClock()
      const tiers = {
        memory: new ScriptedTier('memory'),
        kv: new ScriptedTier('kv'),
        redis: new ScriptedTier('redis'),
        supabase: new ScriptedTier('supabase'),
      }
      const chain = new CacheChain({
        clock,
        random: () => random,
        levels: cacheLevels(tiers),
        totalDeadlineMs: 150,
        hitBefore: async () => false,
      })
      return (chain.expiryMs() - START) / (24 * HOUR_MS)
    })
    expect(lives).toEqual([1, 0.95, expect.closeTo(0.9, 3)])
  })
})

describe('promotion', () => {
  it('copies a hit from Redis to memory without extending its life, and to KV on the second hit only', async () => {
    const { tiers, read, entry } = setUp()
    tiers.redis.held.set(SLOT.id, { entry: entry(10_000), ttlMs: 10_000 })
    expect((await read()).from).toBe('redis')
    expect(tiers.memory.held.get(SLOT.id)).toEqual({ entry: entry(10_000), ttlMs: 10_000 })
    expect(tiers.kv.held.size).toBe(0)
    expect((await read()).from).toBe('memory')
    tiers.memory.held.clear()
    expect((await read()).from).toBe('redis')
    expect(tiers.kv.held.get(SLOT.id)?.ttlMs).toBe(10_000)
  })

  it('copies a hit from Supabase to Redis and memory', async () => {
    const { tiers, read, entry } = setUp()
    tiers.supabase.held.set(SLOT.id, { entry: entry(HOUR_MS), ttlMs: HOUR_MS })
    expect((await read()).from).toBe('supabase')
    expect([...tiers.redis.held.keys(), ...tiers.memory.held.keys()]).toEqual([SLOT.id, SLOT.id])
  })

  it('reaches KV as production has it, once what was hidden is seen', async () => {
    const clock = fakeClock()
    const double = new KvDouble(clock.now)
    const kv = new KvTier(double.at())
    const redis = new ScriptedTier('redis')
    let hits = 0
    const memory = new MemoryTier({ clock, maxEntries: 10, maxBytes: 1_000_000 })
    const chain = new CacheChain({
      clock,
      random: () => 0,
      totalDeadlineMs: 150,
      hitBefore: async () => hits++ > 0,
      levels: cacheLevels({ memory, kv, redis, supabase: new ScriptedTier('supabase') }),
    })
    const read = async () => {
      const background: Promise<unknown>[] = []
      const io = { waitUntil: (work: Promise<unknown>) => background.push(work), watch: new Watch(clock) }
      const { from } = await chain.read(SLOT, io)
      await Promise.all(background)
      return from
    }
    await chain.write(SLOT, {
      kind: 'json',
      body: '{}',
      origin: ORIGIN,
      storedAtMs: START,
      expiresAtMs: START + HOUR_MS,
    })
    for (const from of ['redis', 'redis']) {
      await memory.delete(SLOT)
      expect(await read()).toBe(from)
    }
    // Written now, but this place keeps the miss that it has read for a minute.
    expect(double.writes).toBe(1)
    await memory.delete(SLOT)
    expect(await read()).toBe('redis')
    // That third hit tried to write again within a second: refused, and nobody noticed.
    expect(double.refused).toBe(1)
    await clock.advance(60_001)
    await memory.delete(SLOT)
    expect(await read()).toBe('kv')
  })
})

describe('a tier in trouble', () => {
  it('is a miss when it fails, and is left alone once it keeps failing', async () => {
    const { tiers, read, entry, clock } = setUp()
    tiers.redis.held.set(SLOT.id, { entry: entry(HOUR_MS), ttlMs: 1 })
    tiers.kv.behave = () => Promise.reject(new Error('500'))
    for (let i = 0; i < 10; i++) {
      tiers.memory.held.clear()
      expect((await read()).from).toBe('redis')
    }
    expect(tiers.kv.calls).toBe(5)
    tiers.memory.held.clear()
    expect((await read()).asked).toContainEqual({ tier: 'kv', result: 'skipped' })
    tiers.kv.behave = async () => {}
    // Back: one probe at a time, and as usual again well within ten seconds.
    for (let waited = 0; waited < 10_000; waited += 1_000) {
      await clock.advance(1_000)
      tiers.memory.held.clear()
      await read()
    }
    const before = tiers.kv.calls
    for (let i = 0; i < 5; i++) {
      tiers.memory.held.clear()
      await read()
    }
    expect(tiers.kv.calls - before).toBe(5)
  })

  it('is waited for no longer than its deadline, all together no longer than 150 ms', async () => {
    const { tiers, read, hang, clock } = setUp()
    for (const tier of [tiers.kv, tiers.redis, tiers.supabase]) tier.behave = hang
    const reading = read()
    await clock.advance(149)
    let done = false
    reading.then(() => (done = true))
    await settled()
    expect(done).toBe(false)
    await clock.advance(1)
    expect((await reading).asked.map(({ result }) => result)).toEqual([
      'miss',
      'timeout',
      'timeout',
      'timeout',
    ])
  })

  it('that lies is a miss, and the lie is deleted', async () => {
    const { tiers, read, entry } = setUp()
    tiers.redis.held.set(SLOT.id, { entry: entry(HOUR_MS), ttlMs: 1 })
    tiers.redis.behave = () => Promise.reject(new CorruptEntryError())
    expect((await read()).asked).toContainEqual({ tier: 'redis', result: 'corrupt' })
    expect(tiers.redis.held.size).toBe(0)
  })

  it('that gives what has expired is a miss', async () => {
    const { tiers, read, entry } = setUp()
    tiers.redis.held.set(SLOT.id, { entry: entry(0), ttlMs: 1 })
    expect((await read()).entry).toBeUndefined()
  })
})

describe('a tier that is turned off', () => {
  it('is neither asked nor written, and the others do their work', async () => {
    const { tiers, chain, read, entry } = setUp(new Set(['memory', 'redis']))
    for (const tier of [tiers.memory, tiers.redis])
      tier.held.set(SLOT.id, { entry: { ...entry(HOUR_MS), body: 'old' }, ttlMs: HOUR_MS })
    await chain.write(SLOT, entry(HOUR_MS))
    for (let i = 0; i < 2; i++) {
      const { from, asked } = await read()
      expect([from, asked[0], asked[2]]).toEqual([
        'supabase',
        { tier: 'memory', result: 'skipped' },
        { tier: 'redis', result: 'skipped' },
      ])
    }
    expect([tiers.memory.calls, tiers.redis.calls]).toEqual([0, 0])
    for (const tier of [tiers.memory, tiers.redis]) expect(tier.held.get(SLOT.id)?.entry.body).toBe('old')
    // Its second hit below it is what KV waits for.
    expect((await read()).from).toBe('kv')
  })

  it('still gives up what is to be removed', async () => {
    const { tiers, chain, entry } = setUp(new Set(['redis']))
    tiers.redis.held.set(SLOT.id, { entry: entry(HOUR_MS), ttlMs: HOUR_MS })
    await chain.remove(SLOT)
    expect(tiers.redis.held.size).toBe(0)
  })
})
