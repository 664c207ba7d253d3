import type { ListPrice } from '../models/provider.ts'
import type { Usage } from '../providers/completion.ts'

/** Where an answer came from, for the records of those who get it again. */
export interface Origin {
  /** The prediction that it was first given as. */
  readonly predictionId: string
  /** The model that gave it, as in the catalogue. */
  readonly model: string
  /** Whose prices count for it, and its name there. */
  readonly pricedAs: {
    readonly provider: string
    readonly model: string
    readonly price?: ListPrice | undefined
  }
  /** Tokens as its provider counted them, where it did. */
  readonly usage?: Usage | undefined
}

/** One whole, healthy answer, as it was sent to the first caller. */
export interface CacheEntry {
  /** `json`: one JSON document; `sse`: the text of a whole event stream, to be replayed as a stream. */
  readonly kind: 'json' | 'sse'
  readonly body: string
  readonly origin: Origin
  /** Milliseconds since the epoch. */
  readonly storedAtMs: number
  /** When the model was asked, which is what a purge goes by; absent = when it was stored. */
  readonly askedAtMs?: number | undefined
  /** What the caller wants to purge it by. */
  readonly tags?: readonly string[] | undefined
  readonly expiresAtMs: number
}

/** About what an entry takes in memory, in bytes. */
export const entryBytes = (entry: CacheEntry): number => entry.body.length * 2 + 200
