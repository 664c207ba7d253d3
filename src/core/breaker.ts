export interface BreakerOptions {
  /** How many of the latest outcomes are looked at. */
  readonly window: number
  /** Outcomes needed before it may open. */
  readonly minimum: number
  /** Opens at this share of failures, 0 to 1. */
  readonly failureShare: number
  /** How long it stays open the first time; doubled after each failed probe. */
  readonly openMs: number
  readonly maxOpenMs: number
  /** Probes that must succeed in a row before it closes. */
  readonly probes: number
}

const DEFAULTS: BreakerOptions = {
  window: 20,
  minimum: 5,
  failureShare: 0.5,
  openMs: 1_000,
  maxOpenMs: 4_000,
  probes: 3,
}

export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * A circuit breaker over the share of failures, so that a store which fails most of the time is left alone
 * even when some calls succeed. Half-open it lets one probe through at a time: no herd meets a store that
 * has just come back. Holds plain values only.
 */
export class Breaker {
  readonly #options: BreakerOptions
  #outcomes: boolean[] = []
  #state: BreakerState = 'closed'
  #openUntilMs = 0
  #openForMs: number
  #probeSinceMs = -1
  #probesPassed = 0

  constructor(options: Partial<BreakerOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options }
    this.#openForMs = this.#options.openMs
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether `allows` would say yes, changing nothing. */
  mayAllow(nowMs: number): boolean {
    if (this.#state === 'closed') return true
    if (this.#state === 'open') return nowMs >= this.#openUntilMs
    return this.#probeSinceMs < 0 || nowMs - this.#probeSinceMs >= this.#options.openMs
  }

  /** Whether a call may go out now. Each call so allowed must be followed by `success` or `failure`. */
  allows(nowMs: number): boolean {
    if (this.#state === 'closed') return true
    if (this.#state === 'open') {
      if (nowMs < this.#openUntilMs) return false
      this.#state = 'half-open'
      this.#probesPassed = 0
      this.#probeSinceMs = nowMs
      return true
    }
    // A probe whose outcome never came (its request was cancelled) must not block the next for ever.
    if (!this.mayAllow(nowMs)) return false
    this.#probeSinceMs = nowMs
    return true
  }

  success(): void {
    if (this.#state === 'closed') this.#remember(true)
    if (this.#state !== 'half-open') return
    this.#probeSinceMs = -1
    this.#probesPassed += 1
    if (this.#probesPassed < this.#options.probes) return
    this.#state = 'closed'
    this.#outcomes = []
    this.#openForMs = this.#options.openMs
  }

  failure(nowMs: number): void {
    if (this.#state === 'open') return
    if (this.#state === 'half-open') {
      this.#openForMs = Math.min(this.#openForMs * 2, this.#options.maxOpenMs)
      this.#open(nowMs)
      return
    }
    this.#remember(false)
    const failures = this.#outcomes.filter((ok) => !ok).length
    const enough = this.#outcomes.length >= this.#options.minimum
    if (enough && failures / this.#outcomes.length >= this.#options.failureShare) this.#open(nowMs)
  }

  #open(nowMs: number): void {
    this.#state = 'open'
    this.#openUntilMs = nowMs + this.#openForMs
    this.#probeSinceMs = -1
  }

  #remember(ok: boolean): void {
    this.#outcomes.push(ok)
    if (this.#outcomes.length > this.#options.window) this.#outcomes.shift()
  }
}
