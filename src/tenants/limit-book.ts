import {
  type Allowance,
  type LimitRefusal,
  type LimitState,
  type Limits,
  least,
  type OwnedLimits,
  type RateKind,
  type RateState,
  type TokenAsk,
} from './limits.ts'
import { MinuteCount, type SecondCount } from './minute-count.ts'

/** A second of one owner's minute; `owner` is empty for the whole tenant. */
export interface OwnedSecond extends SecondCount {
  readonly owner: string
  readonly kind: RateKind
}

/** A request that providers are at work on. */
export interface Flight {
  readonly predictionId: string
  readonly keyId: string
  readonly atMs: number
  /** What its minute was charged. */
  readonly tokens: number
}

/** Durable storage of one tenant's limits. Synchronous, so that nothing comes between judging and writing. */
export interface LimitShelf {
  limits(): readonly OwnedLimits[]
  setLimits(limits: readonly OwnedLimits[]): void
  /** Oldest first. */
  seconds(): readonly OwnedSecond[]
  setSecond(second: OwnedSecond): void
  /** Up to and including `second`; all of them where it is undefined. */
  removeSeconds(owner: string, kind: RateKind, second: number | undefined): void
  /** Oldest first. */
  flights(): readonly Flight[]
  addFlight(flight: Flight): void
  removeFlight(predictionId: string): void
  clear(): void
}

const TENANT = ''
const KINDS = ['requests', 'tokens'] as const
/** Taken for an answer whose caller names no maximum, until it is known. */
const USUAL_ANSWER_TOKENS = 1_024
/** When a call of somebody else's ends is not to be known. */
const CONCURRENCY_RETRY_MS = 1_000

/**
 * One tenant's limits: what came within the last minute, and what is under way. Judging writes nothing; whatever is taken
 * is durable, so that it still counts when the object has been away.
 */
export class LimitBook {
  readonly #shelf: LimitShelf
  readonly #limits = new Map<string, Limits>()
  readonly #minutes: Readonly<Record<RateKind, Map<string, MinuteCount>>> = {
    requests: new Map(),
    tokens: new Map(),
  }
  /** Oldest first. */
  readonly #flights = new Map<string, Flight>()
  readonly #inFlight = new Map<string, number>()

  constructor(shelf: LimitShelf) {
    this.#shelf = shelf
    this.#keep(shelf.limits())
    const known = Map.groupBy(shelf.seconds(), ({ kind, owner }) => `${kind} ${owner}`)
    for (const seconds of known.values()) {
      const [{ kind, owner }] = seconds as [OwnedSecond]
      this.#minutes[kind].set(owner, new MinuteCount(seconds))
    }
    for (const flight of shelf.flights()) this.#note(flight, 1)
  }

  /** Whether there is any limit at all. */
  get isLimiting(): boolean {
    return this.#limits.size > 0
  }

  /** Whether any limit counts what this key asks. */
  counts(keyId: string): boolean {
    return this.#limits.has(TENANT) || this.#limits.has(keyId)
  }

  /** Whether the request is under way, as far as limits want to know. */
  holds(predictionId: string): boolean {
    return this.#flights.has(predictionId)
  }

  /** All of them, in the place of those that were. Those that are new count from now on. */
  setLimits(limits: readonly OwnedLimits[]): void {
    this.#shelf.setLimits(limits)
    this.#keep(limits)
    for (const kind of KINDS)
      for (const owner of this.#minutes[kind].keys())
        if (this.#limitOf(owner, kind) === undefined) {
          this.#minutes[kind].delete(owner)
          this.#shelf.removeSeconds(owner, kind, undefined)
        }
  }

  /** @returns why the request may not go out: of several reasons the one that lasts longest */
  refusal(keyId: string, ask: TokenAsk, nowMs: number): LimitRefusal | undefined {
    let longest: Omit<Extract<LimitRefusal, { kind: 'limited' }>, 'rates'> | undefined
    for (const owner of this.#owners(keyId)) {
      const of = owner === TENANT ? 'tenant' : 'key'
      const oversized = oversizedBy(this.#limits.get(owner) ?? {}, ask)
      if (oversized) return { kind: 'oversized', of, ...oversized, rates: this.#rates(keyId, nowMs) }
      for (const { by, limit, waitMs } of this.#waits(owner, keyId, ask, nowMs))
        if (waitMs > (longest?.retryAfterMs ?? 0))
          longest = { kind: 'limited', of, by, limit, retryAfterMs: waitMs }
    }
    return longest && { ...longest, rates: this.#rates(keyId, nowMs) }
  }

  /** Counts a request that goes out. */
  take(predictionId: string, keyId: string, ask: TokenAsk, nowMs: number): Allowance {
    const owners = this.#owners(keyId)
    const maxTokens = this.#maxTokens(keyId)
    const tokens = likelyTokens(ask, maxTokens)
    let isFollowed = false
    for (const owner of owners) {
      this.#add(owner, 'requests', 1, nowMs)
      this.#add(owner, 'tokens', tokens, nowMs)
      const { concurrency, tokensPerMinute } = this.#limits.get(owner) ?? {}
      isFollowed ||= concurrency !== undefined || tokensPerMinute !== undefined
    }
    if (isFollowed && !this.#flights.has(predictionId)) {
      const flight = { predictionId, keyId, atMs: nowMs, tokens }
      this.#shelf.addFlight(flight)
      this.#note(flight, 1)
    }
    return { maxTokens, rates: this.#rates(keyId, nowMs) }
  }

  /**
   * The request is over. What it used beyond its estimate counts now, what it did not use is free again.
   * @param tokens undefined where nobody knows: then the estimate stands
   */
  settle(predictionId: string, tokens: number | undefined, nowMs: number): void {
    const flight = this.#flights.get(predictionId)
    if (!flight) return
    this.#shelf.removeFlight(predictionId)
    this.#note(flight, -1)
    const more = (tokens ?? flight.tokens) - flight.tokens
    for (const owner of this.#owners(flight.keyId)) {
      if (more > 0) this.#add(owner, 'tokens', more, nowMs)
      const changed = more < 0 && this.#minutes.tokens.get(owner)?.takeBack(-more, flight.atMs)
      if (changed) this.#shelf.setSecond({ owner, kind: 'tokens', ...changed })
    }
  }

  /** Those that began before then hold nothing up any more. */
  expire(beforeMs: number): void {
    for (const { predictionId, atMs } of this.#flights.values()) {
      if (atMs >= beforeMs) break
      this.settle(predictionId, undefined, beforeMs)
    }
  }

  states(nowMs: number): readonly LimitState[] {
    return [...this.#limits].map(([owner, limits]) => ({
      keyId: owner === TENANT ? null : owner,
      ...limits,
      requestsUsed: this.#minutes.requests.get(owner)?.used(nowMs) ?? 0,
      tokensUsed: this.#minutes.tokens.get(owner)?.used(nowMs) ?? 0,
      inFlight: this.#inFlight.get(owner) ?? 0,
    }))
  }

  /** All of it is forgotten, limits too. */
  clear(): void {
    this.#shelf.clear()
    const { requests, tokens } = this.#minutes
    for (const known of [this.#limits, requests, tokens, this.#flights, this.#inFlight]) known.clear()
  }

  #keep(limits: readonly OwnedLimits[]): void {
    this.#limits.clear()
    for (const { keyId, ...own } of limits) this.#limits.set(keyId ?? TENANT, own)
  }

  #owners(keyId: string): string[] {
    return [TENANT, keyId].filter((owner) => this.#limits.has(owner))
  }

  #limitOf(owner: string, kind: RateKind): number | undefined {
    const limits = this.#limits.get(owner)
    return kind === 'requests' ? limits?.requestsPerMinute : limits?.tokensPerMinute
  }

  #maxTokens(keyId: string): number | undefined {
    return least(...this.#owners(keyId).map((owner) => this.#limits.get(owner)?.maxTokens))
  }

  *#waits(owner: string, keyId: string, ask: TokenAsk, nowMs: number) {
    const { concurrency } = this.#limits.get(owner) ?? {}
    if (concurrency !== undefined && (this.#inFlight.get(owner) ?? 0) >= concurrency)
      yield { by: 'concurrency', limit: concurrency, waitMs: CONCURRENCY_RETRY_MS } as const
    for (const kind of KINDS) {
      const limit = this.#limitOf(owner, kind)
      if (limit === undefined) continue
      const needed = kind === 'requests' ? 1 : likelyTokens(ask, this.#maxTokens(keyId))
      // What only our guess makes too large has the minute to itself.
      const room = Math.max(0, limit - needed)
      yield { by: kind, limit, waitMs: this.#minutes[kind].get(owner)?.waitMs(room, nowMs) ?? 0 }
    }
  }

  #rates(keyId: string, nowMs: number): readonly RateState[] {
    return this.#owners(keyId).flatMap((owner) =>
      KINDS.flatMap((kind): RateState[] => {
        const limit = this.#limitOf(owner, kind)
        if (limit === undefined) return []
        const of = owner === TENANT ? 'tenant' : 'key'
        return [{ of, kind, ...stateOf(this.#minutes[kind].get(owner), limit, nowMs) }]
      }),
    )
  }

  #add(owner: string, kind: RateKind, count: number, nowMs: number): void {
    if (this.#limitOf(owner, kind) === undefined) return
    const minute = this.#minutes[kind].get(owner) ?? new MinuteCount()
    this.#minutes[kind].set(owner, minute)
    const dropped = minute.drop(nowMs)
    if (dropped !== undefined) this.#shelf.removeSeconds(owner, kind, dropped)
    this.#shelf.setSecond({ owner, kind, ...minute.add(count, nowMs) })
  }

  #note(flight: Flight, step: 1 | -1): void {
    if (step > 0) this.#flights.set(flight.predictionId, flight)
    else this.#flights.delete(flight.predictionId)
    for (const owner of [TENANT, flight.keyId]) {
      const inFlight = (this.#inFlight.get(owner) ?? 0) + step
      if (inFlight === 0) this.#inFlight.delete(owner)
      else this.#inFlight.set(owner, inFlight)
    }
  }
}

/** What a minute leaves of a limit. */
export const stateOf = (minute: MinuteCount | undefined, limit: number, nowMs: number) => ({
  limit,
  remaining: Math.max(0, limit - (minute?.used(nowMs) ?? 0)),
  resetMs: minute?.resetMs(nowMs) ?? 0,
})

const likelyTokens = ({ inputTokens, maxTokens, choices }: TokenAsk, cap: number | undefined): number =>
  inputTokens + choices * (maxTokens ?? Math.min(cap ?? USUAL_ANSWER_TOKENS, USUAL_ANSWER_TOKENS))

/** Whether no waiting would help the request. */
export function oversizedBy({ maxTokens, tokensPerMinute }: Limits, ask: TokenAsk) {
  if (maxTokens !== undefined && (ask.maxTokens ?? 0) > maxTokens)
    return { by: 'max_tokens', limit: maxTokens, asked: ask.maxTokens ?? 0 } as const
  // Without a guess at what nobody named.
  const asked = ask.inputTokens + ask.choices * (ask.maxTokens ?? 0)
  return tokensPerMinute !== undefined && asked > tokensPerMinute
    ? ({ by: 'tokens', limit: tokensPerMinute, asked } as const)
    : undefined
}
