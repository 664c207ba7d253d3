/** Of numbers in any order. @returns NaN of none */
export function median(values: readonly number[]): number {
  return quantile(sorted(values), 0.5)
}

/** Median distance to the median, in units of a normal distribution's standard deviation. */
export function spread(values: readonly number[]): number {
  const middle = median(values)
  return 1.4826 * median(values.map((value) => Math.abs(value - middle)))
}

export const sorted = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b)

/** @param ascending in order; between two of them the straight line */
export function quantile(ascending: readonly number[], share: number): number {
  const place = share * (ascending.length - 1)
  const below = ascending[Math.floor(place)] ?? Number.NaN
  const above = ascending[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place - Math.floor(place))
}
