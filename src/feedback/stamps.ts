/**
 * Times in microseconds, each later than the one before: the platform's clock stands still within a request, and of
 * two ratings the later one must be known.
 */
export class Stamps {
  readonly #now: () => number
  #lastUs = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** ISO 8601 in UTC: `2026-11-21T08:00:00.123456Z`. */
  next(): string {
    this.#lastUs = Math.max(this.#lastUs + 1, this.#now() * 1_000)
    const ms = Math.floor(this.#lastUs / 1_000)
    const rest = String(this.#lastUs % 1_000).padStart(3, '0')
    return `${new Date(ms).toISOString().slice(0, -1)}${rest}Z`
  }
}
