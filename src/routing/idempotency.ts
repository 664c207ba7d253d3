import type { ErrorCode } from '../core/errors.ts'

/** How long a key is remembered, from its first use. */
export const MEMORY_MS = 24 * 60 * 60_000
/** How long an owner is believed alive without a word of it. */
export const LEASE_MS = 60_000

/** What everyone gets who sends a spent key again. */
export type Outcome =
  | {
      readonly kind: 'answer'
      readonly form: 'json' | 'sse'
      /** Of a failure that may have been billed; undefined for a 200. */
      readonly error: ErrorCode | undefined
      /** The body, sealed for the tenant. */
      readonly sealed: string
    }
  /** It may have been billed, and there is nothing to give again. */
  | { readonly kind: 'lost'; readonly why: 'too_large' | 'given_up' }

/** What is remembered of one key. Free, once nothing is. */
export type Claim = Running | Over

interface Running {
  readonly state: 'running'
  readonly fingerprint: string
  /** Drawn at random for one request: who may finish it. */
  readonly owner: string
  readonly leaseEndsMs: number
  readonly expiresAtMs: number
}

interface Over {
  readonly state: 'over'
  readonly fingerprint: string
  readonly outcome: Outcome
  readonly expiresAtMs: number
}

/** A request that wants a key. */
export interface Asked {
  readonly fingerprint: string
  readonly owner: string
}

export type ClaimAnswer =
  | { readonly kind: 'yours' }
  /** Somebody else is at it. */
  | { readonly kind: 'running' }
  /** The key belongs to another body. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'over'; readonly outcome: Outcome }

/** What of a record still counts: nothing after its time, nor once its owner fell silent. */
export function standing(held: Claim | undefined, nowMs: number): Claim | undefined {
  if (!held || held.expiresAtMs <= nowMs) return undefined
  return held.state === 'running' && held.leaseEndsMs <= nowMs ? undefined : held
}

/** What to say to a request; `yours` only where nothing stands, or to the owner itself, whose first call was lost. */
export function judge(held: Claim | undefined, asked: Asked, nowMs: number): ClaimAnswer {
  const claim = standing(held, nowMs)
  if (!claim) return { kind: 'yours' }
  if (claim.fingerprint !== asked.fingerprint) return { kind: 'conflict' }
  if (claim.state === 'over') return { kind: 'over', outcome: claim.outcome }
  return { kind: claim.owner === asked.owner ? 'yours' : 'running' }
}

export const taken = ({ fingerprint, owner }: Asked, nowMs: number): Claim => ({
  state: 'running',
  fingerprint,
  owner,
  leaseEndsMs: nowMs + LEASE_MS,
  expiresAtMs: nowMs + MEMORY_MS,
})

/**
 * The claim, where it is still this owner's. A lease that ran out while nobody else came takes nothing away: what
 * the owner has to tell is true.
 */
export const ownedBy = (held: Claim | undefined, owner: string): Running | undefined =>
  held?.state === 'running' && held.owner === owner ? held : undefined

export function renewed(claim: Running, nowMs: number): Claim {
  const leaseEndsMs = nowMs + LEASE_MS
  // Who is still at work after a day is not forgotten meanwhile.
  return { ...claim, leaseEndsMs, expiresAtMs: Math.max(claim.expiresAtMs, leaseEndsMs) }
}

export const finished = ({ fingerprint, expiresAtMs }: Running, outcome: Outcome): Claim => ({
  state: 'over',
  fingerprint,
  outcome,
  expiresAtMs,
})
