import { uuidv7 } from '../core/ids.ts'
import { Lru } from '../core/lru.ts'
import { TokenBucket } from '../core/token-bucket.ts'
import type { PricedTokens } from '../cost/ledger.ts'

/** Hits of one tenant added up, of one minute, model and tier: a row of `prediction_minutes`, column by column. */
export interface MinuteRow {
  /** A UUID of version 7. */
  readonly id: string
  readonly tenant_id: string
  /** ISO 8601, a whole minute. */
  readonly starts_at: string
  readonly model: string
  readonly provider: string
  readonly outcome: 'success'
  readonly cache: 'hit'
  readonly cache_tier: string
  readonly cache_match: 'exact'
  /** 0 = not known. */
  readonly mode: number
  readonly requests: number
  readonly streams: number
  readonly total_ms: number
  readonly total_buckets: readonly number[]
  readonly upstream_buckets: readonly number[]
  readonly first_byte_buckets: readonly number[]
}

/** What is added up of a hit. */
export interface FoldedHit {
  readonly tenantId: string
  readonly model: string | undefined
  readonly tier: string | undefined
  readonly mode?: number | undefined
  readonly stream: boolean
  readonly receivedAtMs: number
  readonly totalMs: number
  readonly saved: PricedTokens | undefined
}

export interface HitFoldingOptions {
  readonly now: () => number
  /** Hits of a tenant that get a row of their own, a second; in a burst, twice as many. */
  readonly rowsPerSecond: number
}

const MAX_TENANTS = 5_000
const MINUTE_MS = 60_000
/** Buckets A of /metrics, as the roll-ups count in; the last is what lies beyond. Milliseconds. */
const EDGES = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000,
]
const NONE: readonly number[] = new Array(EDGES.length + 1).fill(0)

interface Sum {
  readonly of: Pick<MinuteRow, 'tenant_id' | 'starts_at' | 'model' | 'provider' | 'cache_tier' | 'mode'>
  requests: number
  streams: number
  totalMs: number
  inputTokens: number
  outputTokens: number
  readonly totalBuckets: number[]
  /** By whose prices: those of the first. */
  readonly pricedAs: PricedTokens | undefined
}

/** A row, and what its hits saved together. */
export interface Folded {
  readonly row: MinuteRow
  readonly saved: PricedTokens | undefined
}

/**
 * Spares a tenant with very many hits a row for each: above its rate they are added up, and those below it are the
 * sample. Each isolate counts for itself.
 */
export class HitFolding {
  readonly #options: HitFoldingOptions
  readonly #rates = new Lru<TokenBucket>({ maxEntries: MAX_TENANTS, maxBytes: MAX_TENANTS, ownerShare: 1 })
  #sums = new Map<string, Sum>()

  constructor(options: HitFoldingOptions) {
    this.#options = options
  }

  /** Whether the tenant has had its rows of this second; if not, this is one of them. */
  isDue(tenantId: string): boolean {
    const nowMs = this.#options.now()
    let rate = this.#rates.get(tenantId)
    if (!rate) {
      const { rowsPerSecond } = this.#options
      rate = new TokenBucket(2 * rowsPerSecond, rowsPerSecond, nowMs)
      this.#rates.set(tenantId, rate, 1, '')
    }
    return !rate.take(nowMs)
  }

  add(hit: FoldedHit): void {
    const { tenantId, model = 'none', tier = 'none', mode = 0, stream, receivedAtMs, totalMs, saved } = hit
    const minute = Math.floor(receivedAtMs / MINUTE_MS)
    const name = `${tenantId} ${minute} ${tier} ${mode} ${model}`
    let sum = this.#sums.get(name)
    if (!sum) {
      const of = {
        tenant_id: tenantId,
        starts_at: new Date(minute * MINUTE_MS).toISOString(),
        model,
        provider: model.split(':', 1)[0] || 'none',
        cache_tier: tier,
        mode,
      }
      sum = {
        of,
        requests: 0,
        streams: 0,
        totalMs: 0,
        inputTokens: 0,
        outputTokens: 0,
        totalBuckets: [...NONE],
        pricedAs: saved,
      }
      this.#sums.set(name, sum)
    }
    const ms = Math.max(0, totalMs)
    const edge = EDGES.findIndex((bound) => ms <= bound)
    const bucket = edge < 0 ? EDGES.length : edge
    sum.requests += 1
    if (stream) sum.streams += 1
    sum.totalMs += ms
    sum.inputTokens += saved?.usage?.inputTokens ?? 0
    sum.outputTokens += saved?.usage?.outputTokens ?? 0
    sum.totalBuckets[bucket] = (sum.totalBuckets[bucket] ?? 0) + 1
  }

  /** What was added up since the last time. */
  take(): Folded[] {
    if (this.#sums.size === 0) return []
    const sums = this.#sums
    this.#sums = new Map()
    return [...sums.values()].map((sum) => this.#folded(sum))
  }

  #folded({
    of,
    requests,
    streams,
    totalMs,
    inputTokens,
    outputTokens,
    totalBuckets,
    pricedAs,
  }: Sum): Folded {
    return {
      row: {
        id: uuidv7(this.#options.now()),
        ...of,
        outcome: 'success',
        cache: 'hit',
        cache_match: 'exact',
        requests,
        streams,
        total_ms: totalMs,
        total_buckets: totalBuckets,
        upstream_buckets: NONE,
        first_byte_buckets: NONE,
      },
      saved: pricedAs && { ...pricedAs, usage: { inputTokens, outputTokens } },
    }
  }
}
