import { GatewayError } from '../core/errors.ts'
import { Lru } from '../core/lru.ts'
import { TokenBucket } from '../core/token-bucket.ts'
import type { Rating } from './feedback.ts'

interface Bound {
  readonly burst: number
  readonly perSecond: number
}

/** As often as the table keeps changes of one rating; then one in ten minutes, which nobody means to give. */
const ONE_RATING: Bound = { burst: 50, perSecond: 1 / 600 }
/** One key or token. A batch counts as what is in it. */
const ONE_RATER: Bound = { burst: 1_000, perSecond: 20 }
const MAX_BUCKETS = 20_000

/** Bounds, in each isolate, how much anyone can add to what has to be stored. */
export class RatingLimit {
  readonly #buckets = new Lru<TokenBucket>({
    maxEntries: MAX_BUCKETS,
    maxBytes: MAX_BUCKETS,
    // A tenant that rates without end must not make the others' bounds forgotten.
    ownerShare: 0.25,
  })

  /**
   * @param rater the key or token that rates
   * @throws GatewayError `too_many_ratings` with the seconds to wait
   */
  take(tenantId: string, rater: string, { prediction_id, source }: Rating, nowMs: number): void {
    const one = this.#bucket(tenantId, `rating ${tenantId} ${prediction_id} ${source}`, ONE_RATING, nowMs)
    const all = this.#bucket(tenantId, `rater ${rater}`, ONE_RATER, nowMs)
    if (!one.has(nowMs))
      throw tooMany('This prediction was rated too often.', one.secondsUntilNext(nowMs), 'prediction_id')
    if (!all.take(nowMs)) throw tooMany('Too many ratings were sent.', all.secondsUntilNext(nowMs))
    one.take(nowMs)
  }

  #bucket(tenantId: string, name: string, { burst, perSecond }: Bound, nowMs: number): TokenBucket {
    const known = this.#buckets.get(name)
    if (known) return known
    const bucket = new TokenBucket(burst, perSecond, nowMs)
    this.#buckets.set(name, bucket, 1, tenantId)
    return bucket
  }
}

const tooMany = (message: string, retryAfterSeconds: number, param?: string) =>
  new GatewayError(
    'too_many_ratings',
    message,
    'Send one rating for each source, again only where it changed, and wait as long as Retry-After says.',
    { retryAfterSeconds, param },
  )
