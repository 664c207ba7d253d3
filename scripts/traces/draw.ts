/** Draws from simple distributions over a random source. */
export interface Draw {
  /** 0 <= x < 1 */
  readonly unit: () => number
  /** A whole number, 0 <= n < `below` */
  readonly integer: (below: number) => number
  readonly normal: () => number
  readonly poisson: (mean: number) => number
}

export function drawFrom(unit: () => number): Draw {
  const normal = () => Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit())
  return {
    unit,
    integer: (below) => Math.floor(unit() * below),
    normal,
    poisson: (mean) => {
      // Sums of Poisson numbers are Poisson, so a large mean is drawn in parts that exp() can hold.
      let count = 0
      for (let left = mean; left > 0; left -= 500) {
        const floor = Math.exp(-Math.min(left, 500))
        for (let product = unit(); product > floor; product *= unit()) count += 1
      }
      return count
    },
  }
}

/** Picks indices in proportion to their weights. */
export function picker(weights: ArrayLike<number>): (unit: number) => number {
  const sums = new Float64Array(weights.length)
  let sum = 0
  for (let index = 0; index < weights.length; index++) {
    sum += weights[index] ?? 0
    sums[index] = sum
  }
  return (unit) => {
    const aim = unit * sum
    let [low, high] = [0, sums.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] ?? 0) > aim) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** Zipf's law with exponent 1.0: the first is asked twice as often as the second, thrice as the third. */
export const zipfWeights = (count: number): number[] =>
  Array.from({ length: count }, (_, rank) => 1 / (rank + 1))

export function shuffled<T>(items: readonly T[], draw: Draw): T[] {
  const order = [...items]
  for (let last = order.length - 1; last > 0; last--) {
    const other = draw.integer(last + 1)
    ;[order[last], order[other]] = [order[other] as T, order[last] as T]
  }
  return order
}
