/** An estimated quantile is at most this part off the true one, for values of 1 ms and more. */
export const RELATIVE_ERROR = 0.05
/** Longer is counted as this; no answer is waited for so long. */
export const LONGEST_MS = 600_000

const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
const LN_GAMMA = Math.log(GAMMA)
const BUCKETS = Math.ceil(Math.log(LONGEST_MS) / LN_GAMMA) + 1

/**
 * Counts of times in buckets that grow by one factor, so that each quantile is known with the same relative error
 * (the idea of DDSketch). Bucket i holds (GAMMA^(i-1), GAMMA^i] ms, the first what is not above 1 ms. About half a kB.
 */
export class LatencyHistogram {
  readonly #counts = new Float32Array(BUCKETS)
  #total = 0

  get total(): number {
    return this.#total
  }

  add(ms: number): void {
    // Also what is not a number: a clock that was set back must not write beside the buckets.
    const bounded = ms > 1 ? Math.min(ms, LONGEST_MS) : 1
    const bucket = Math.ceil(Math.log(bounded) / LN_GAMMA)
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#total += 1
  }

  addAll(other: LatencyHistogram): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i] = (this.#counts[i] ?? 0) + (other.#counts[i] ?? 0)
    this.#total += other.#total
  }

  scale(factor: number): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i] = (this.#counts[i] ?? 0) * factor
    this.#total *= factor
  }

  /**
   * The smallest value that at least the part `q` of all values does not exceed, estimated.
   * @param q in (0, 1]
   * @returns milliseconds; undefined when nothing was counted
   */
  quantile(q: number): number | undefined {
    if (this.#total <= 0) return undefined
    const wanted = q * this.#total
    let seen = 0
    let last = 0
    for (let i = 0; i < BUCKETS; i++) {
      const count = this.#counts[i] ?? 0
      if (count === 0) continue
      seen += count
      last = i
      // Sums of decayed counts come out a little short.
      if (seen >= wanted - ROUNDING * this.#total) break
    }
    return last === 0 ? 1 : (2 * GAMMA ** last) / (GAMMA + 1)
  }
}

const ROUNDING = 1e-6
