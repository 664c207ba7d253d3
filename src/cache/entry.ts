/** One whole, healthy answer, as it was sent to the first caller. */
export interface CacheEntry {
  /** `json`: one JSON document; `sse`: the text of a whole event stream, to be replayed as a stream. */
  readonly kind: 'json' | 'sse'
  readonly body: string
  /** The prediction that the answer was first given as; absent in entries of before there were any. */
  readonly predictionId?: string | undefined
  /** Milliseconds since the epoch. */
  readonly storedAtMs: number
  readonly expiresAtMs: number
}

/** About what an entry takes in memory, in bytes. */
export const entryBytes = (entry: CacheEntry): number => entry.body.length * 2 + 200
