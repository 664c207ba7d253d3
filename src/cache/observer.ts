import type { TierName } from './tier.ts'

export type TierOperation = 'hit' | 'miss' | 'write' | 'evict' | 'promote' | 'delete'

/** Is told what tiers do, on every request's way: it must not throw, and not wait. */
export interface CacheObserver {
  /** @param ms how long it took; undefined where nobody waited for it to be done */
  operation(
    tier: TierName,
    op: TierOperation,
    result: 'ok' | 'error' | 'timeout',
    ms: number | undefined,
  ): void
  /** How old an entry was when it was given out. */
  hitAge(tier: TierName, ageMs: number): void
  /** A tier gave an entry up by itself. */
  gaveUp(tier: TierName, reason: 'capacity' | 'ttl', ageMs: number): void
  /** An entry was taken out before its time. */
  invalidated(tier: TierName, reason: 'request' | 'corrupt'): void
  /**
   * A store took an entry in (1), or let one go before its time (-1).
   * @param lifeMs how long it has to live there, or had
   */
  stock(tier: Exclude<TierName, 'memory'>, entries: 1 | -1, bytes: number, lifeMs: number): void
  /** What a tier holds now; of those only that know. */
  holds(tier: TierName, entries: number, bytes: number): void
}
