import { Breaker, type BreakerState } from '../core/breaker.ts'
import { type Clock, DeadlineError, type WaitUntil, type Watch } from '../core/clock.ts'
import type { CacheEntry } from './entry.ts'
import type { CacheObserver } from './observer.ts'
import { type CachePlace, type CacheSlot, type CacheTier, CorruptEntryError, type TierName } from './tier.ts'

export interface ChainLevel {
  readonly tier: CacheTier
  /** Longest wait for an answer, milliseconds; absent for a tier that cannot wait. */
  readonly deadlineMs?: number
  /**
   * When a tier is written: `always`, or only once an entry has been hit below a second time, for a tier
   * whose writes are dear.
   */
  readonly admission: 'always' | 'second-hit'
}

export interface ChainOptions {
  readonly clock: Clock
  /** 0 <= x < 1 */
  readonly random: () => number
  /** Fastest first. */
  readonly levels: readonly ChainLevel[]
  /** For all levels together, milliseconds. */
  readonly totalDeadlineMs: number
  /** Whether the slot was hit below before; remembers that it is hit now. */
  readonly hitBefore: (slot: CacheSlot) => Promise<boolean>
  readonly observer?: CacheObserver | undefined
  /** The tiers that an operator turned off: neither asked nor written. */
  readonly switches?: { readonly off: { readonly tiers: ReadonlySet<string> | undefined } } | undefined
}

/** What became of one level's look-up. `skipped`: it is turned off, its breaker is open, or no time was left. */
export type LookupResult = 'hit' | 'miss' | 'error' | 'timeout' | 'corrupt' | 'skipped'

/** What one request lends to its look-up. */
export interface ChainIo {
  readonly waitUntil: WaitUntil
  readonly watch: Watch
}

export interface ChainRead {
  readonly entry: CacheEntry | undefined
  /** The level that answered. */
  readonly from: TierName | undefined
  /** Every level that was looked at, in the order asked. */
  readonly asked: readonly { readonly tier: TierName; readonly result: LookupResult }[]
}

/** What the caller makes of an entry: it takes it, or leaves it to others, or knows that it was purged. */
export type Verdict = 'usable' | 'unwanted' | 'purged'

/** How much is taken off a life at random, so that what was stored together does not expire together. */
const JITTER = 0.1

/**
 * Reads through the levels, fastest first, and copies a hit upward, never past its remaining life. A level
 * that fails, lies or is slow is a miss; a level that keeps failing is left alone for a while.
 */
export class CacheChain {
  readonly #options: ChainOptions
  readonly #breakers: ReadonlyMap<TierName, Breaker>
  readonly #alwaysWritten: readonly ChainLevel[]
  readonly #counts = new Map<TierName, TierCounts>()

  constructor(options: ChainOptions) {
    this.#options = options
    this.#alwaysWritten = options.levels.filter(({ admission }) => admission === 'always')
    this.#breakers = new Map(options.levels.map(({ tier }) => [tier.name, new Breaker()]))
    for (const { tier } of options.levels) this.#counts.set(tier.name, { ...ZERO })
  }

  /** @param judge what the caller makes of an entry that lives; default: it takes any */
  async read(slot: CacheSlot, io: ChainIo, judge?: (entry: CacheEntry) => Verdict): Promise<ChainRead> {
    const { clock, levels, totalDeadlineMs } = this.#options
    const startedMs = clock.now()
    const asked: { tier: TierName; result: LookupResult }[] = []
    for (let index = 0; index < levels.length; index++) {
      const level = levels[index] as ChainLevel
      const { result, entry } = await this.#ask(level, slot, startedMs + totalDeadlineMs, io)
      const verdict = entry && entry.expiresAtMs > clock.now() && (judge ? judge(entry) : 'usable')
      const usable = verdict === 'usable' && entry
      if (verdict === 'purged') io.waitUntil(this.#delete(level.tier, slot, 'request'))
      asked.push({ tier: level.tier.name, result: result === 'hit' && !usable ? 'miss' : result })
      if (!usable) continue
      this.#options.observer?.hitAge(level.tier.name, clock.now() - entry.storedAtMs)
      if (index > 0) io.waitUntil(this.#promote(slot, entry, index))
      return { entry, from: level.tier.name, asked }
    }
    return { entry: undefined, from: undefined, asked }
  }

  /** Stores a new entry in every level that is always written. Never rejects: what fails is counted. */
  async write(slot: CacheSlot, entry: CacheEntry): Promise<void> {
    await Promise.all(this.#alwaysWritten.map((level) => this.#write(level, slot, entry, 'write')))
  }

  /** Removes the slot from every level. @returns whether each did it */
  async remove(slot: CachePlace): Promise<ReadonlyMap<TierName, boolean>> {
    const { levels } = this.#options
    return new Map(
      await Promise.all(
        levels.map(async ({ tier }) => [tier.name, await this.#delete(tier, slot, 'request')] as const),
      ),
    )
  }

  /** The moment an entry made now expires: the longest life of any level, less the jitter. */
  expiryMs(maxTtlMs: number = Number.POSITIVE_INFINITY): number {
    const longest = Math.max(...this.#options.levels.map(({ tier }) => tier.maxTtlMs))
    return Math.floor(this.#options.clock.now() + Math.min(maxTtlMs, this.#jittered(longest)))
  }

  /** How each level does since this isolate started. */
  states(): Record<string, TierCounts & { breaker: BreakerState }> {
    return Object.fromEntries(
      [...this.#counts].map(([name, counts]) => [
        name,
        { ...counts, breaker: this.#breakers.get(name)?.state ?? 'closed' },
      ]),
    )
  }

  async #ask(level: ChainLevel, slot: CacheSlot, endsAtMs: number, io: ChainIo): Promise<Asked> {
    const { tier, deadlineMs } = level
    if (this.#options.switches?.off.tiers?.has(tier.name)) return this.#failed(tier.name, 'skipped')
    // What cannot wait takes no time that a clock would show.
    if (deadlineMs === undefined) return this.#counted(tier.name, await tier.get(slot), 0)
    const { clock } = this.#options
    const breaker = this.#breakers.get(tier.name) as Breaker
    const nowMs = clock.now()
    const remainingMs = endsAtMs - nowMs
    if (remainingMs <= 0 || !breaker.allows(nowMs)) return this.#failed(tier.name, 'skipped')
    try {
      const entry = await io.watch.within(Math.min(deadlineMs, remainingMs), tier.get(slot))
      breaker.success()
      return this.#counted(tier.name, entry, clock.now() - nowMs)
    } catch (error) {
      const ms = clock.now() - nowMs
      if (error instanceof CorruptEntryError) {
        breaker.success()
        io.waitUntil(this.#delete(tier, slot, 'corrupt'))
        return this.#failed(tier.name, 'corrupt', ms)
      }
      breaker.failure(nowMs + ms)
      return this.#failed(tier.name, error instanceof DeadlineError ? 'timeout' : 'error', ms)
    }
  }

  /** Never rejects: what cannot be deleted ends with its time. @returns whether it is gone */
  async #delete(tier: CacheTier, slot: CachePlace, reason: 'request' | 'corrupt'): Promise<boolean> {
    const { clock, observer } = this.#options
    const startedMs = clock.now()
    try {
      await tier.delete(slot)
      observer?.operation(tier.name, 'delete', 'ok', clock.now() - startedMs)
      observer?.invalidated(tier.name, reason)
      return true
    } catch {
      observer?.operation(tier.name, 'delete', 'error', clock.now() - startedMs)
      return false
    }
  }

  async #promote(slot: CacheSlot, entry: CacheEntry, from: number): Promise<void> {
    const above = this.#options.levels.slice(0, from)
    const dear = above.some(({ admission }) => admission === 'second-hit')
    // A tier that cannot tell is one that has not been asked twice.
    const admitted = dear && (await this.#options.hitBefore(slot).catch(() => false))
    const levels = above.filter(({ admission }) => admission === 'always' || admitted)
    await Promise.all(levels.map((level) => this.#write(level, slot, entry, 'promote')))
  }

  async #write(
    { tier, deadlineMs }: ChainLevel,
    slot: CacheSlot,
    entry: CacheEntry,
    op: 'write' | 'promote',
  ): Promise<void> {
    const { clock, observer, switches } = this.#options
    if (switches?.off.tiers?.has(tier.name)) return
    const startedMs = clock.now()
    const ttlMs = Math.min(entry.expiresAtMs - startedMs, this.#jittered(tier.maxTtlMs))
    if (ttlMs <= 0) return
    const counts = this.#counts.get(tier.name) as TierCounts
    if (deadlineMs !== undefined && this.#breakers.get(tier.name)?.state === 'open') {
      counts.writesFailed += 1
      return
    }
    try {
      // No deadline: nobody waits for it, and each store's own time-out ends it.
      await tier.set(slot, entry, ttlMs)
      counts.writes += 1
      observer?.operation(tier.name, op, 'ok', clock.now() - startedMs)
    } catch {
      // Nothing is lost but a later hit, so a write is neither repeated nor held against the level.
      counts.writesFailed += 1
      observer?.operation(tier.name, op, 'error', clock.now() - startedMs)
    }
  }

  #jittered(ttlMs: number): number {
    return ttlMs * (1 - JITTER * this.#options.random())
  }

  #counted(name: TierName, entry: CacheEntry | undefined, ms: number): Asked {
    const result = entry ? 'hit' : 'miss'
    ;(this.#counts.get(name) as TierCounts)[result] += 1
    this.#options.observer?.operation(name, result, 'ok', ms)
    return { result, entry }
  }

  /** @param ms undefined: it was not asked */
  #failed(name: TierName, result: Exclude<LookupResult, 'hit' | 'miss'>, ms?: number): Asked {
    ;(this.#counts.get(name) as TierCounts)[result] += 1
    if (ms !== undefined)
      this.#options.observer?.operation(name, 'miss', result === 'timeout' ? 'timeout' : 'error', ms)
    return { result, entry: undefined }
  }
}

interface Asked {
  readonly result: LookupResult
  readonly entry: CacheEntry | undefined
}

type TierCounts = Record<LookupResult | 'writes' | 'writesFailed', number>

const ZERO: TierCounts = {
  hit: 0,
  miss: 0,
  error: 0,
  timeout: 0,
  corrupt: 0,
  skipped: 0,
  writes: 0,
  writesFailed: 0,
}
