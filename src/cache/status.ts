import type { ChainRead } from './chain.ts'
import type { CacheEntry } from './entry.ts'

/** Why no level was asked. */
export const BYPASS = 'beast; fwd=bypass'

/** What is said of a request that waited for another one's answer: whether it got that, or asked for itself in the end. */
export const collapsedStatus = (status: string, isShared: boolean): string =>
  status.replace('; fwd=miss', isShared ? '; fwd=miss; collapsed' : '; fwd=miss; collapsed=?0')

/**
 * `Cache-Status` as RFC 9211 has it: one member a level, nearest to the model first.
 * `detail` is `exact` on a hit, and what went wrong where a level did not answer.
 */
export function cacheStatus(read: ChainRead, nowMs: number): string {
  let status = ''
  for (const { tier, result } of read.asked) {
    const member =
      result === 'hit' && read.entry
        ? `beast-${tier}; hit; ttl=${ttlSeconds(read.entry, nowMs)}; detail=exact`
        : `beast-${tier}; fwd=miss${result === 'miss' ? '' : `; detail=${result}`}`
    status = status === '' ? member : `${member}, ${status}`
  }
  return status
}

const ttlSeconds = (entry: CacheEntry, nowMs: number): number =>
  Math.max(0, Math.ceil((entry.expiresAtMs - nowMs) / 1_000))

/** `Age` in whole seconds. */
export const ageSeconds = (entry: CacheEntry, nowMs: number): number =>
  Math.max(0, Math.floor((nowMs - entry.storedAtMs) / 1_000))
