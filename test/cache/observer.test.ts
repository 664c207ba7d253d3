import { expect, it } from 'vitest'
import { CacheChain } from '../../src/cache/chain.ts'
import type { CacheEntry } from '../../src/cache/entry.ts'
import { cacheLevels, TOTAL_DEADLINE_MS } from '../../src/cache/levels.ts'
import type { CacheObserver } from '../../src/cache/observer.ts'
import { type CacheSlot, type CacheTier, CorruptEntryError, type TierName } from '../../src/cache/tier.ts'
import { MemoryTier } from '../../src/cache/tiers/memory.ts'
import { Watch } from '../../src/core/clock.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { ORIGIN } from '../support/slots.ts'

const slotOf = (id: string, tenantId = 't'): CacheSlot => ({
  id,
  tenantId,
  seal: async () => '',
  open: async () => Promise.reject(new CorruptEntryError('none')),
})

/** What was told, a line each. */
function listening() {
  const told: string[] = []
  const observer: CacheObserver = {
    operation: (...what) => void told.push(`operation ${what.join(' ')}`),
    hitAge: (...what) => void told.push(`age ${what.join(' ')}`),
    gaveUp: (...what) => void told.push(`gave up ${what.join(' ')}`),
    invalidated: (...what) => void told.push(`invalidated ${what.join(' ')}`),
    stock: (tier, entries) => void told.push(`stock ${tier} ${entries}`),
    holds: (tier, entries) => void told.push(`holds ${tier} ${entries}`),
  }
  return { observer, told, heard: () => told.splice(0) }
}

function setUp(maxEntries = 10) {
  const clock = fakeClock()
  const { observer, heard } = listening()
  const answers: Partial<Record<TierName, () => Promise<CacheEntry | undefined>>> = {}
  const failing = new Set<string>()
  const tier = (name: TierName): CacheTier => ({
    name,
    maxTtlMs: 3_600_000,
    get: () => answers[name]?.() ?? Promise.resolve(undefined),
    set: async () => {
      if (failing.has(`${name} set`)) throw new Error('down')
    },
    delete: async () => {
      if (failing.has(`${name} delete`)) throw new Error('down')
    },
  })
  const memory = new MemoryTier({ clock, maxEntries, maxBytes: 100_000, observer })
  const chain = new CacheChain({
    clock,
    random: () => 0,
    levels: cacheLevels({ memory, kv: tier('kv'), redis: tier('redis'), supabase: tier('supabase') }),
    totalDeadlineMs: TOTAL_DEADLINE_MS,
    hitBefore: async () => false,
    observer,
  })
  const entry = (lifeMs = 3_600_000): CacheEntry => ({
    kind: 'json',
    body: '{}',
    origin: ORIGIN,
    storedAtMs: clock.now(),
    expiresAtMs: clock.now() + lifeMs,
  })
  const read = async (slot: CacheSlot) => {
    const background: Promise<unknown>[] = []
    await chain.read(slot, { waitUntil: (work) => background.push(work), watch: new Watch(clock) })
    await Promise.all(background)
  }
  return { clock, chain, memory, answers, failing, entry, read, heard }
}

it('is told of each look-up, of the age of what is hit, and of its promotion', async () => {
  const { clock, answers, entry, read, heard } = setUp()
  const stored = entry()
  answers.redis = async () => {
    await clock.advance(7)
    return stored
  }
  await clock.advance(1_000)
  await read(slotOf('a'))
  expect(heard()).toEqual([
    'operation memory miss ok 0',
    'operation kv miss ok 0',
    'operation redis hit ok 7',
    'age redis 1007',
    'holds memory 1',
    'operation memory promote ok 0',
  ])
  await read(slotOf('a'))
  expect(heard()).toEqual(['operation memory hit ok 0', 'age memory 1007'])
})

it('is told of what was purged: it is a miss, and is taken out where it is met', async () => {
  const { answers, chain, clock, memory, entry, heard } = setUp()
  const stored = entry()
  await memory.set(slotOf('a'), stored, 1_000)
  for (const name of ['kv', 'redis', 'supabase'] as const) answers[name] = async () => stored
  heard()
  const background: Promise<unknown>[] = []
  const io = { waitUntil: (work: Promise<unknown>) => background.push(work), watch: new Watch(clock) }
  const judged: string[] = []
  const read = await chain.read(slotOf('a'), io, ({ origin }) => {
    judged.push(origin.model)
    return judged.length === 4 ? 'unwanted' : 'purged'
  })
  await Promise.all(background)
  expect(read.asked.map(({ tier, result }) => `${tier} ${result}`)).toEqual([
    'memory miss',
    'kv miss',
    'redis miss',
    'supabase miss',
  ])
  expect(heard().filter((line) => line.startsWith('invalidated'))).toEqual([
    'invalidated memory request',
    'invalidated kv request',
    'invalidated redis request',
  ])
  expect(await memory.get(slotOf('a'))).toBeUndefined()
})

it('is told of what fails, is late, or lies', async () => {
  const { clock, answers, failing, chain, entry, read, heard } = setUp()
  answers.kv = async () => Promise.reject(new Error('down'))
  answers.redis = () => new Promise(() => {})
  answers.supabase = async () => Promise.reject(new CorruptEntryError('bits'))
  const reading = read(slotOf('a'))
  await clock.advance(60)
  await reading
  expect(heard()).toEqual([
    'operation memory miss ok 0',
    'operation kv miss error 0',
    'operation redis miss timeout 60',
    'operation supabase miss error 0',
    'operation supabase delete ok 0',
    'invalidated supabase corrupt',
  ])
  failing.add('redis set').add('redis delete')
  await chain.write(slotOf('a'), entry())
  expect(heard().sort()).toEqual([
    'holds memory 1',
    'operation memory write ok 0',
    'operation redis write error 0',
    'operation supabase write ok 0',
  ])
  expect([...(await chain.remove(slotOf('a')))]).toEqual([
    ['memory', true],
    ['kv', true],
    ['redis', false],
    ['supabase', true],
  ])
  expect(
    heard()
      .filter((line) => !line.startsWith('holds'))
      .sort(),
  ).toEqual([
    'invalidated kv request',
    'invalidated memory request',
    'invalidated supabase request',
    'operation kv delete ok 0',
    'operation memory delete ok 0',
    'operation redis delete error 0',
    'operation supabase delete ok 0',
  ])
})

it('is told of what memory gives up, and why', async () => {
  const { clock, memory, entry, heard } = setUp(4)
  for (const id of ['a', 'b', 'c']) await memory.set(slotOf(id), entry(), 60_000)
  // A tenant has half of it: the third goes in at the expense of the first.
  expect(heard()).toEqual(['holds memory 1', 'holds memory 2', 'gave up memory capacity 0', 'holds memory 2'])
  await clock.advance(61_000)
  await memory.get(slotOf('b'))
  expect(heard()).toEqual(['gave up memory ttl 61000', 'holds memory 1'])
  await memory.set(slotOf('c'), entry(), 60_000)
  expect(heard(), 'written over').toEqual(['holds memory 1'])
})
