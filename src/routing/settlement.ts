import type { TierName } from '../cache/tier.ts'
import type { ErrorCode, Fault } from '../core/errors.ts'
import type { Usage } from '../providers/completion.ts'

/** `client_error`: the caller's own 4xx. `error`: ours or the provider's, also after a 200. `cancelled`: the caller left. */
export type Outcome = 'success' | 'client_error' | 'error' | 'cancelled'
export type CacheResult = 'hit' | 'miss' | 'bypass' | 'none'

/** All there is to say of one request, said once, when it is over. Times in milliseconds. */
export interface RequestEvent {
  readonly requestId: string
  readonly outcome: Outcome
  readonly errorCode: ErrorCode | undefined
  readonly tenantId: string | undefined
  readonly keyId: string | undefined
  readonly routeId: string | undefined
  readonly stream: boolean
  readonly cache: CacheResult
  readonly tier: TierName | undefined
  readonly receivedAtMs: number
  readonly totalMs: number
  readonly upstreamMs: number | undefined
  readonly usage: Usage | undefined
}

/** Takes every request's event. Must not throw and must not wait. */
export type RecordEvent = (event: RequestEvent) => void

export const outcomeOf = (fault: Fault): Outcome => (fault === 'caller' ? 'client_error' : 'error')

/** Gathers what becomes known of a request, and tells it exactly once. */
export class Settlement {
  tenantId: string | undefined
  keyId: string | undefined
  routeId: string | undefined
  stream = false
  cache: CacheResult = 'none'
  tier: TierName | undefined
  upstreamStartedMs: number | undefined
  usage: Usage | undefined
  readonly requestId: string
  readonly #receivedAtMs: number
  readonly #record: RecordEvent
  readonly #now: () => number
  #settled = false

  constructor(requestId: string, now: () => number, record: RecordEvent) {
    this.requestId = requestId
    this.#now = now
    this.#receivedAtMs = now()
    this.#record = record
  }

  get settled(): boolean {
    return this.#settled
  }

  /** Only the first call counts: whoever learns of the end first has seen the true one. */
  settle(outcome: Outcome, errorCode?: ErrorCode): void {
    if (this.#settled) return
    this.#settled = true
    const now = this.#now()
    const { requestId, tenantId, keyId, routeId, stream, cache, tier, usage, upstreamStartedMs } = this
    this.#record({
      requestId,
      outcome,
      errorCode,
      tenantId,
      keyId,
      routeId,
      stream,
      cache,
      tier,
      receivedAtMs: this.#receivedAtMs,
      totalMs: now - this.#receivedAtMs,
      upstreamMs: upstreamStartedMs === undefined ? undefined : now - upstreamStartedMs,
      usage,
    })
  }
}
