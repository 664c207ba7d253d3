/**
 * Splits into messages, in order: as many of them as fit, and never an empty one. What is too large by itself is a
 * message by itself.
 * @param bytesOf of one item
 */
export function* inMessages<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  maxItems = 50,
  maxBytes = 100_000,
): Generator<readonly T[]> {
  let message: T[] = []
  let bytes = 0
  for (const item of items) {
    const size = bytesOf(item)
    if (message.length > 0 && (message.length === maxItems || bytes + size > maxBytes)) {
      yield message
      message = []
      bytes = 0
    }
    message.push(item)
    bytes += size
  }
  if (message.length > 0) yield message
}

/** A wait before trying again: anything up to a bound that doubles, so that those who failed together part. */
export const fullJitterMs = (attempt: number, baseMs: number, capMs: number, random: () => number): number =>
  Math.ceil(random() * Math.min(capMs, baseMs * 2 ** attempt))
