import type { Origin } from '../cache/entry.ts'
import type { TierName } from '../cache/tier.ts'
import { type ErrorCode, type Fault, toGatewayError } from '../core/errors.ts'
import { NO_TAGS, type Tags } from '../cost/tags.ts'
import type { ListPrice, Target } from '../models/provider.ts'
import type { Usage } from '../providers/completion.ts'
import { FAILURES, type FailureKind } from '../providers/failure-table.ts'
import { UpstreamError } from '../providers/failures.ts'
import type { RouteRecord } from '../selection/explain.ts'
import type { RateState } from '../tenants/limits.ts'
import type { AnswerChecks } from './answer-checks.ts'

/** `client_error`: the caller's own 4xx. `error`: ours or the provider's, also after a 200. `cancelled`: the caller left. */
export type Outcome = 'success' | 'client_error' | 'error' | 'cancelled'
export type CacheResult = 'hit' | 'miss' | 'bypass' | 'none'

/**
 * One call to a provider. `answered`: its answer was passed on, whole; `failed`; `abandoned`: another took its place
 * while it was still at work; `cancelled`: the caller left.
 */
export interface AttemptRecord {
  readonly routeId: string
  /** Whose prices count, and the model's name there. */
  readonly provider: string
  readonly model: string
  readonly price: ListPrice | undefined
  readonly endpointId: string
  readonly startedAtMs: number
  readonly ms: number
  /** Until its answer began; a plain one begins when it is whole. Undefined: it never did. */
  readonly firstByteMs: number | undefined
  readonly result: 'answered' | 'failed' | 'abandoned' | 'cancelled'
  readonly failure: FailureKind | ErrorCode | undefined
  /** Whether the provider may have charged for it. */
  readonly mayBeBilled: boolean
  readonly usage: Usage | undefined
  /** The most that it may cost, where a budget held that back. */
  readonly reservedNanoUsd: number | undefined
  /** It failed on this side: no provider heard of it. */
  readonly wasNeverSent: boolean
}

/** All there is to say of one request, said once, when it is over. Times in milliseconds. */
export interface RequestEvent {
  readonly requestId: string
  /** What `x-beast-prediction` names it. */
  readonly predictionId: string
  readonly outcome: Outcome
  readonly errorCode: ErrorCode | undefined
  readonly tenantId: string | undefined
  readonly keyId: string | undefined
  /** What was asked for; the attempts say who answered. */
  readonly routeId: string | undefined
  readonly stream: boolean
  readonly cache: CacheResult
  /** Whether it was given what an earlier request with its `Idempotency-Key` got. */
  readonly replayed: boolean
  readonly tier: TierName | undefined
  /** Where the answer came from that a hit repeats, or that was shared with another request. */
  readonly origin: Origin | undefined
  /** Whether it is added up with others, and goes by the prediction that it repeats. */
  readonly folded: boolean
  /** Keyed hash of the request's `user`. */
  readonly userHash: string | undefined
  /** What the caller calls its cost by. */
  readonly tags: Tags
  /** Keyed hash of all that can change the answer; undefined where the cache has no part in it. */
  readonly promptHash: string | undefined
  /** What the model said, where one was asked. */
  readonly said: string | undefined
  /** What the form of a whole answer tells of its quality, where a model gave one. */
  readonly checks: AnswerChecks | undefined
  /** Whether its answer was passed on as it came. */
  readonly streaming: boolean
  /** Of the conversation in its canonical form; 0 where no model was asked. */
  readonly sentBytes: number
  /** The conversation as JSON, for a tenant that keeps it. */
  readonly prompt: (() => string) | undefined
  /** Whether the tenant's account was told of it before it was to spend. */
  readonly announced: boolean
  readonly receivedAtMs: number
  readonly totalMs: number
  readonly upstreamMs: number | undefined
  readonly usage: Usage | undefined
  readonly attempts: readonly AttemptRecord[]
  /**
   * Which models were considered, and why they stood as they did; only where one was to be asked. For whoever keeps
   * the record to call: it costs more than all the rest of it, and holds the request until it is let go.
   */
  readonly explain: (() => RouteRecord) | undefined
}

/** Takes every request's event. Must not throw and must not wait. */
export type RecordEvent = (event: RequestEvent) => void

export const outcomeOf = (fault: Fault): Outcome => (fault === 'caller' ? 'client_error' : 'error')

/** An attempt under way. */
export class AttemptNote {
  readonly target: Target
  readonly startedAtMs: number
  readonly #now: () => number
  readonly #reservedNanoUsd: number | undefined
  #firstByteMs: number | undefined
  #record: AttemptRecord | undefined

  constructor(target: Target, now: () => number, reservedNanoUsd: number | undefined) {
    this.target = target
    this.#reservedNanoUsd = reservedNanoUsd
    this.#now = now
    this.startedAtMs = now()
  }

  /** Its answer began. */
  begun(): void {
    this.#firstByteMs = this.#now() - this.startedAtMs
  }

  /** It is over. Only the first word counts, here and in `fail`. */
  end(result: Exclude<AttemptRecord['result'], 'failed'>, usage?: Usage): void {
    this.#end({ result, failure: undefined, mayBeBilled: true, usage, wasNeverSent: false })
  }

  fail(cause: unknown, usage?: Usage): void {
    const [failure, mayBeBilled] =
      cause instanceof UpstreamError
        ? [cause.kind, FAILURES[cause.kind].mayBeBilled]
        : [toGatewayError(cause).code, false]
    const wasNeverSent = !(cause instanceof UpstreamError) || cause.kind === 'forbidden_address'
    this.#end({ result: 'failed', failure, mayBeBilled, usage, wasNeverSent })
  }

  /** What became of it; what was still at work is abandoned now. */
  get record(): AttemptRecord {
    this.end('abandoned')
    return this.#record as AttemptRecord
  }

  #end(how: Pick<AttemptRecord, 'result' | 'failure' | 'mayBeBilled' | 'usage' | 'wasNeverSent'>): void {
    const { target, startedAtMs } = this
    this.#record ??= {
      routeId: target.route.id,
      provider: target.route.provider.name,
      model: target.route.model,
      price: target.route.price,
      endpointId: target.endpoint.id,
      startedAtMs,
      ms: this.#now() - startedAtMs,
      firstByteMs: this.#firstByteMs,
      reservedNanoUsd: this.#reservedNanoUsd,
      ...how,
    }
  }
}

/** Gathers what becomes known of a request, and tells it exactly once. */
export class Settlement {
  tenantId: string | undefined
  keyId: string | undefined
  routeId: string | undefined
  stream = false
  cache: CacheResult = 'none'
  replayed = false
  tier: TierName | undefined
  origin: Origin | undefined
  folded = false
  userHash: string | undefined
  tags = NO_TAGS
  promptHash: string | undefined
  said: string | undefined
  checks: AnswerChecks | undefined
  streaming = false
  sentBytes = 0
  prompt: (() => string) | undefined
  announced = false
  usage: Usage | undefined
  explain: (() => RouteRecord) | undefined
  /** What the caller's limits leave, where the account or this isolate was asked. */
  rates: readonly RateState[] | undefined
  /** Whether limits count the request, and the account did not say what they leave. */
  isUnchecked = false
  readonly requestId: string
  #predictionId: string
  readonly #receivedAtMs: number
  readonly #record: RecordEvent
  readonly #now: () => number
  readonly #attempts: AttemptNote[] = []
  #followsSinceMs: number | undefined
  #settled = false

  /** @param predictionId a UUID of version 7, made as the request came */
  constructor(requestId: string, predictionId: string, now: () => number, record: RecordEvent) {
    this.requestId = requestId
    this.#predictionId = predictionId
    this.#now = now
    this.#receivedAtMs = now()
    this.#record = record
  }

  /** The id to rate. */
  get predictionId(): string {
    return this.#predictionId
  }

  /** A hit that gets no row of its own: whoever rates it rates the answer that it repeats. */
  fold({ predictionId }: Origin): void {
    this.folded = true
    this.#predictionId = predictionId
  }

  /** From now on it waits for the answer that another request asks for. */
  follow(): void {
    this.#followsSinceMs ??= this.#now()
  }

  get settled(): boolean {
    return this.#settled
  }

  /** How many calls to providers there were. */
  get attempted(): number {
    return this.#attempts.length
  }

  /** Whether any of them, all being over, may have been charged for. */
  get mayBeBilled(): boolean {
    return this.#attempts.some((note) => note.record.mayBeBilled)
  }

  /** A call to a provider goes out. */
  attempt(target: Target, reservedNanoUsd?: number): AttemptNote {
    const note = new AttemptNote(target, this.#now, reservedNanoUsd)
    this.#attempts.push(note)
    return note
  }

  /** Only the first call counts: whoever learns of the end first has seen the true one. */
  settle(outcome: Outcome, errorCode?: ErrorCode): void {
    if (this.#settled) return
    this.#settled = true
    this.#record(this.soFar(outcome, errorCode))
  }

  /** The event as it would be were the request over now. Whatever is still at work counts as abandoned. */
  soFar(outcome: Outcome, errorCode?: ErrorCode): RequestEvent {
    const now = this.#now()
    const firstMs = this.#followsSinceMs ?? this.#attempts[0]?.startedAtMs
    return {
      requestId: this.requestId,
      predictionId: this.predictionId,
      outcome,
      errorCode,
      tenantId: this.tenantId,
      keyId: this.keyId,
      routeId: this.routeId,
      stream: this.stream,
      cache: this.cache,
      replayed: this.replayed,
      tier: this.tier,
      origin: this.origin,
      folded: this.folded,
      userHash: this.userHash,
      tags: this.tags,
      promptHash: this.promptHash,
      said: this.said,
      checks: this.checks,
      streaming: this.streaming,
      sentBytes: this.sentBytes,
      prompt: this.prompt,
      announced: this.announced,
      receivedAtMs: this.#receivedAtMs,
      totalMs: now - this.#receivedAtMs,
      upstreamMs: firstMs === undefined ? undefined : now - firstMs,
      usage: this.usage,
      attempts: this.#attempts.map((note) => note.record),
      explain: this.explain,
    }
  }
}
