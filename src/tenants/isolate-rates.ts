import { Lru } from '../core/lru.ts'
import { oversizedBy, stateOf } from './limit-book.ts'
import { limitReached } from './limit-errors.ts'
import { type LimitOwner, type Limits, least, type RateState, type TokenAsk } from './limits.ts'
import { MinuteCount } from './minute-count.ts'
import type { Caller } from './tenant.ts'

const MAX_OWNERS = 20_000

/** What one isolate has seen of a key or a tenant. */
interface Seen {
  readonly requests: MinuteCount
  /** The account's last word on tokens. */
  tokens: { readonly remaining: number; readonly freeAtMs: number } | undefined
}

/** Whether the key, or its tenant, has any limit, as far as the key's record knows. */
export const isLimited = ({ limits, tenant }: Caller): boolean =>
  limits !== undefined || tenant.limits !== undefined

/** What a request may name as its maximum, as far as the key's record knows. */
export const maxTokensOf = ({ limits, tenant }: Caller): number | undefined =>
  least(limits?.maxTokens, tenant.limits?.maxTokens)

/**
 * An isolate's own count of requests by keys with limits, for those that ask no account: answers from the cache. Every
 * isolate lets up to the limit pass; what the account let pass here is in the count.
 */
export class IsolateRates {
  readonly #seen = new Lru<Seen>({ maxEntries: MAX_OWNERS, maxBytes: MAX_OWNERS, ownerShare: 1 })

  /**
   * Counts a request that asks no account.
   * @param ask where a provider is to be called nevertheless
   * @throws GatewayError `rate_limit_exceeded`, `over_token_limit`: then it is not counted
   */
  take(caller: Caller, nowMs: number, ask?: TokenAsk): void {
    let longest: { of: LimitOwner; limit: number; waitMs: number } | undefined
    for (const { of, id, limits } of ownersOf(caller)) {
      const oversized = ask && oversizedBy(limits, ask)
      if (oversized) throw limitReached({ kind: 'oversized', of, ...oversized, rates: [] })
      const limit = limits.requestsPerMinute
      const waitMs = limit === undefined ? 0 : (this.#seen.get(id)?.requests.waitMs(limit - 1, nowMs) ?? 0)
      if (limit !== undefined && waitMs > (longest?.waitMs ?? 0)) longest = { of, limit, waitMs }
    }
    if (longest) {
      const { of, limit, waitMs } = longest
      throw limitReached({ kind: 'limited', of, by: 'requests', limit, retryAfterMs: waitMs, rates: [] })
    }
    this.#add(caller, nowMs)
  }

  /** Counts a request that the account let pass. @param rates its word */
  note(caller: Caller, rates: readonly RateState[], nowMs: number): void {
    this.#add(caller, nowMs)
    for (const { of, id } of ownersOf(caller)) {
      const tokens = rates.find((rate) => rate.of === of && rate.kind === 'tokens')
      const seen = this.#seen.get(id)
      if (tokens && seen) seen.tokens = { remaining: tokens.remaining, freeAtMs: nowMs + tokens.resetMs }
    }
  }

  /** What is left, as far as this isolate knows. */
  states(caller: Caller, nowMs: number): readonly RateState[] {
    return ownersOf(caller).flatMap(({ of, id, limits: { requestsPerMinute, tokensPerMinute } }) => {
      const seen = this.#seen.get(id)
      const states: RateState[] = []
      if (requestsPerMinute !== undefined)
        states.push({ of, kind: 'requests', ...stateOf(seen?.requests, requestsPerMinute, nowMs) })
      if (tokensPerMinute !== undefined) {
        const known = seen?.tokens && seen.tokens.freeAtMs > nowMs ? seen.tokens : undefined
        const resetMs = known ? known.freeAtMs - nowMs : 0
        const remaining = Math.min(known?.remaining ?? tokensPerMinute, tokensPerMinute)
        states.push({ of, kind: 'tokens', limit: tokensPerMinute, remaining, resetMs })
      }
      return states
    })
  }

  #add(caller: Caller, nowMs: number): void {
    for (const { id } of ownersOf(caller)) {
      let seen = this.#seen.get(id)
      if (!seen) {
        seen = { requests: new MinuteCount(), tokens: undefined }
        this.#seen.set(id, seen, 1, '')
      }
      seen.requests.drop(nowMs)
      seen.requests.add(1, nowMs)
    }
  }
}

function ownersOf({ keyId, limits, tenant }: Caller): { of: LimitOwner; id: string; limits: Limits }[] {
  const owners: { of: LimitOwner; id: string; limits: Limits }[] = []
  if (limits) owners.push({ of: 'key', id: keyId, limits })
  if (tenant.limits) owners.push({ of: 'tenant', id: tenant.id, limits: tenant.limits })
  return owners
}
