interface Node {
  readonly next: Map<string, Node>
  series: string | undefined
}

const newNode = (): Node => ({ next: new Map(), series: undefined })

/**
 * Makes each series' name once: a request then only looks it up, label by label, and builds no text.
 * @param make from the values of its labels, which must be bounded already
 * @param max names that are held; when there are more, all are made anew
 */
export function memoised<K extends readonly string[]>(
  make: (...values: K) => string,
  max = 5_000,
): (...values: K) => string {
  let root = newNode()
  let size = 0
  return (...values) => {
    let node = root
    for (const value of values) {
      let next = node.next.get(value)
      if (!next) {
        next = newNode()
        node.next.set(value, next)
      }
      node = next
    }
    if (node.series !== undefined) return node.series
    const series = make(...values)
    if (++size > max) {
      root = newNode()
      size = 0
    } else node.series = series
    return series
  }
}
