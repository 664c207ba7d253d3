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

  /** Takes one token. @returns whether there was one */
  take(nowMs: number): boolean {
    this.#refill(nowMs)
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  /** Whether a token could be taken now. */
  has(nowMs: number): boolean {
    this.#refill(nowMs)
    return this.#tokens >= 1
  }

  /** Whole seconds until a token is there, at least 1. */
  secondsUntilNext(nowMs: number): number {
    this.#refill(nowMs)
    return Math.max(1, Math.ceil((1 - this.#tokens) / this.#perSecond))
  }

  #refill(nowMs: number): void {
    const elapsed = Math.max(0, nowMs - this.#updatedMs) / 1_000
    this.#tokens = Math.min(this.#capacity, this.#tokens + elapsed * this.#perSecond)
    this.#updatedMs = nowMs
  }
}
