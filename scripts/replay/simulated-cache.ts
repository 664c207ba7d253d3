import { CacheChain, type ChainIo, type ChainRead } from '../../src/cache/chain.ts'
import type { CacheEntry } from '../../src/cache/entry.ts'
import { cacheLevels, TOTAL_DEADLINE_MS } from '../../src/cache/levels.ts'
import { SlotMaker } from '../../src/cache/slot.ts'
import type { CacheSlot } from '../../src/cache/tier.ts'
import { MemoryTier } from '../../src/cache/tiers/memory.ts'
import { type Clock, Watch } from '../../src/core/clock.ts'
import { Vault } from '../../src/core/vault.ts'
import type { Tenant } from '../../src/tenants/tenant.ts'
import { simulatedTier } from './simulated-tier.ts'

/** What the gateway's memory tier holds unless told otherwise. */
const MEMORY = { maxEntries: 1_000, maxBytes: 8_000_000 }
const ROUTE = { id: 'simulated:sim-small', revision: '1' }

/** Time that moves only when it is set. Its timers never ring: the stores here answer at once. */
export interface SimulatedClock extends Clock {
  set(nowMs: number): void
}

export interface SimulatedCache {
  readonly slot: (tenant: string, prompt: string) => Promise<CacheSlot>
  /** One request's look-up, with all that it copies upward. */
  readonly read: (slot: CacheSlot) => Promise<ChainRead>
  /** Stores an answer as the gateway does after a miss. @returns when it expires, ms since the epoch */
  readonly store: (slot: CacheSlot, body: string) => Promise<number>
  /**
   * Stores an answer as the scheduler does: below the gateway's memory, which no other worker reaches, and in KV
   * where the plan says so. @returns when it expires, ms since the epoch
   */
  readonly warm: (slot: CacheSlot, body: string, toKv: boolean) => Promise<number>
}

/** The gateway's own cache chain and exact keys, over stores that are held in memory and in simulated time. */
export function simulatedCache(clock: SimulatedClock, random: () => number): SimulatedCache {
  const [kv, redis, supabase] = (['kv', 'redis', 'supabase'] as const).map((name) =>
    simulatedTier(name, clock.now),
  )
  if (!kv || !redis || !supabase) throw new RangeError('three stores')
  const memory = new MemoryTier({ clock, ...MEMORY })
  const levels = cacheLevels({ memory, kv, redis, supabase })
  const options = { clock, random, totalDeadlineMs: TOTAL_DEADLINE_MS, hitBefore: redis.hitBefore }
  const gateway = new CacheChain({ ...options, levels })
  const scheduler = new CacheChain({ ...options, levels: levels.filter(({ tier }) => tier !== memory) })
  const slots = new SlotMaker(new Vault(new Uint8Array(32).fill(1)))
  const entryOf = (chain: CacheChain, body: string): CacheEntry => ({
    kind: 'json',
    body,
    origin: ORIGIN,
    storedAtMs: clock.now(),
    expiresAtMs: chain.expiryMs(),
  })
  return {
    slot: (tenant, prompt) => {
      const owner = tenantNamed(tenant)
      const body = { model: 'sim-small', messages: [{ role: 'user', content: prompt }] }
      return slots.slot(owner, ROUTE, slots.canonical(owner, body))
    },
    read: async (slot) => {
      const behind: Promise<unknown>[] = []
      const io: ChainIo = { waitUntil: (promise) => behind.push(promise), watch: new Watch(clock) }
      const read = await gateway.read(slot, io)
      await Promise.all(behind)
      return read
    },
    store: async (slot, body) => {
      const entry = entryOf(gateway, body)
      await gateway.write(slot, entry)
      return entry.expiresAtMs
    },
    warm: async (slot, body, toKv) => {
      const entry = entryOf(scheduler, body)
      await scheduler.write(slot, entry)
      if (toKv) await kv.set(slot, entry, kv.maxTtlMs)
      return entry.expiresAtMs
    },
  }
}

const ORIGIN = {
  predictionId: '01890000-0000-7000-8000-000000000000',
  model: ROUTE.id,
  pricedAs: { provider: 'simulated', model: 'sim-small' },
}

const tenantNamed = (id: string): Tenant => ({
  id,
  name: id,
  plan: 'paid',
  epoch: 1,
  cachePolicy: 'all',
  cacheByUser: true,
  keepsText: false,
  budget: 'none',
})

export function simulatedClock(): SimulatedClock {
  let nowMs = 0
  return {
    now: () => nowMs,
    after: () => () => {},
    set: (ms) => {
      nowMs = ms
    },
  }
}
