import type { Origin } from '../cache/entry.ts'
import { type ErrorCode, type ErrorContext, GatewayError } from '../core/errors.ts'

// What requests say to one another of a call that they share: plain data, because it passes between isolates.

/** A failure that others would meet too. */
export interface SharedFailure {
  readonly code: ErrorCode
  readonly message: string
  readonly tip: string
  readonly param: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly context: ErrorContext | undefined
  readonly mayRetry: boolean
}

/** How an answer ended of which something was said. */
export interface FlightEnd {
  readonly origin: Origin
  /** What a stream broke off with. */
  readonly failure?: SharedFailure
  /** Of an answer that came to an end, and yet is not whole. */
  readonly errorCode?: ErrorCode
}

/** What a follower hears. */
export type Heard =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'over'; readonly end: FlightEnd }
  /** Nothing yet: ask again. */
  | { readonly kind: 'nothing' }
  /** Nobody asks the model: this one is to. */
  | { readonly kind: 'lead' }
  /** An answer came, and nothing of it was handed over: look for it in the cache. */
  | { readonly kind: 'landed' }
  /** The rest will never come. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'failed'; readonly failure: SharedFailure }

export function toShared(error: GatewayError): SharedFailure {
  const { code, message, tip, param, retryAfterSeconds, context, mayRetry } = error
  return { code, message, tip, param, retryAfterSeconds, context, mayRetry }
}

export const toError = ({ code, message, tip, ...details }: SharedFailure): GatewayError =>
  new GatewayError(code, message, tip, details)
