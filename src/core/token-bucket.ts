/** Allows bursts of `capacity`, and `perSecond` in the long run. */
export class TokenBucket {
  readonly #capacity: number
  readonly #perSecond: number
  #tokens: number
  #updatedMs: number

  constructor(capacity: number, perSecond: number, nowMs: number) {
    this.#capacity = capacity
    this.#perSecond = perSecond
    this.#tokens = capacity
    this.#updatedMs = nowMs
  }

  /** Takes so many tokens, all or none. @returns whether they were there */
  take(nowMs: number, tokens = 1): boolean {
    this.#refill(nowMs)
    if (this.#tokens < tokens) return false
    this.#tokens -= tokens
    return true
  }

  /** Whether a token could be taken now. */
  has(nowMs: number): boolean {
    this.#refill(nowMs)
    return this.#tokens >= 1
  }

  /** Whole seconds until so many tokens are there, at least 1. */
  secondsUntilNext(nowMs: number, tokens = 1): number {
    this.#refill(nowMs)
    return Math.max(1, Math.ceil((tokens - this.#tokens) / this.#perSecond))
  }

  #refill(nowMs: number): void {
    const elapsed = Math.max(0, nowMs - this.#updatedMs) / 1_000
    this.#tokens = Math.min(this.#capacity, this.#tokens + elapsed * this.#perSecond)
    this.#updatedMs = nowMs
  }
}
