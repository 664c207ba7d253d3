/** An estimated quantile is at most this part off the true one, between `SMALLEST` and `LARGEST`. */
export const RELATIVE_ACCURACY = 0.01
/** What is less counts as zero: a microsecond, a millionth of a dollar. */
export const SMALLEST = 1e-6
/** What is more counts as this. */
export const LARGEST = 1e9

const GAMMA = (1 + RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY)
const LN_GAMMA = Math.log(GAMMA)
const indexOf = (value: number): number => Math.ceil(Math.log(value) / LN_GAMMA)
const FIRST = indexOf(SMALLEST)
const LAST = indexOf(LARGEST)
/** More can never be held, whatever is added. */
export const MAX_BUCKETS = LAST - FIRST + 1

/** A sketch as plain numbers, for storage and for the way. */
export interface SketchData {
  readonly zeroes: number
  /** Index and count of each bucket in turn, by rising index; bucket i holds (GAMMA^(i-1), GAMMA^i]. */
  readonly buckets: readonly number[]
}

/**
 * Quantiles of amounts that are never all kept: counts in buckets that grow by one factor. The buckets are fixed, so
 * that sketches of parts add up to the sketch of the whole, in whatever order.
 * @see https://arxiv.org/abs/1908.10693 (DDSketch)
 */
export class Sketch {
  readonly #counts = new Map<number, number>()
  #zeroes = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  /** @throws RangeError for what is no amount: negative, infinite, not a number */
  add(value: number): void {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw new RangeError(`${value} is no amount`)
    this.#count += 1
    if (value < SMALLEST) this.#zeroes += 1
    else {
      const index = indexOf(Math.min(value, LARGEST))
      this.#counts.set(index, (this.#counts.get(index) ?? 0) + 1)
    }
  }

  /** @throws RangeError for data that no sketch has given; nothing of it is added */
  merge({ zeroes, buckets }: SketchData): void {
    if (!isSketch(zeroes, buckets)) throw new RangeError('this is no sketch')
    this.#zeroes += zeroes
    this.#count += zeroes
    for (let i = 0; i < buckets.length; i += 2) {
      const [index = 0, count = 0] = [buckets[i], buckets[i + 1]]
      this.#counts.set(index, (this.#counts.get(index) ?? 0) + count)
      this.#count += count
    }
  }

  /**
   * The smallest amount that at least the part `q` of all do not exceed, estimated.
   * @param q from 0 (the least of all) to 1
   * @returns undefined when nothing was added
   */
  quantile(q: number): number | undefined {
    if (this.#count === 0) return undefined
    const rank = Math.max(1, Math.ceil(q * this.#count))
    let seen = this.#zeroes
    if (seen >= rank) return 0
    let last = FIRST
    for (const [index, count] of this.#sorted()) {
      seen += count
      last = index
      if (seen >= rank) break
    }
    return (2 * GAMMA ** last) / (GAMMA + 1)
  }

  toData(): SketchData {
    return { zeroes: this.#zeroes, buckets: this.#sorted().flat() }
  }

  #sorted(): [number, number][] {
    return [...this.#counts].sort(([a], [b]) => a - b)
  }
}

export function sketchOf(...parts: readonly SketchData[]): Sketch {
  const sketch = new Sketch()
  for (const part of parts) sketch.merge(part)
  return sketch
}

const isCount = (value: number | undefined): boolean => Number.isSafeInteger(value) && (value ?? -1) >= 0

const isSketch = (zeroes: number, buckets: readonly number[]): boolean =>
  isCount(zeroes) &&
  buckets.length % 2 === 0 &&
  buckets.every((value, i) => (i % 2 ? isCount(value) : isIndex(value)))

const isIndex = (value: number): boolean => Number.isInteger(value) && value >= FIRST && value <= LAST
