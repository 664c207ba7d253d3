import type { ErrorCode } from '../core/errors.ts'

/** What is counted of one call to a provider. */
export interface AttemptFacts {
  readonly routeId: string
  readonly startedAtMs: number
  readonly ms: number
  /** Undefined: its answer never began. */
  readonly firstByteMs: number | undefined
  readonly result: 'answered' | 'failed' | 'abandoned' | 'cancelled'
  readonly failure: string | undefined
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number } | undefined
  /** What was held back for it in a budget; undefined: nothing was. */
  readonly reservedNanoUsd?: number | undefined
}

/** What is counted of one request. A settled request's event is one. */
export interface RequestFacts {
  /** A UUID; without its hyphens it is the request's trace. */
  readonly predictionId: string
  readonly outcome: 'success' | 'client_error' | 'error' | 'cancelled'
  readonly errorCode: ErrorCode | undefined
  /** Undefined: nobody knows who asked. */
  readonly tenantId: string | undefined
  /** What was asked for. */
  readonly routeId: string | undefined
  readonly stream: boolean
  /** Whether its answer was passed on as it came, and it was told so: see `RequestMetrics.streams`. */
  readonly streaming?: boolean
  /** What the form of a whole answer tells of its quality, where a model gave one. */
  readonly checks?: { readonly score: number; readonly truncated: boolean } | undefined
  /** `none`: it did not reach the cache. */
  readonly cache: 'hit' | 'miss' | 'bypass' | 'none'
  readonly tier: 'memory' | 'kv' | 'redis' | 'supabase' | undefined
  readonly receivedAtMs: number
  readonly totalMs: number
  readonly upstreamMs: number | undefined
  readonly attempts: readonly AttemptFacts[]
}

/** Where amounts go; a `MetricsBuffer` is one. */
export interface Sink {
  count(series: string, amount?: number): void
  observe(series: string, value: number, bounds: readonly number[]): void
  sketch(series: string, value: number): void
  gauge(series: string, value: number): void
  exemplar(series: string, value: number, traceIdOf: () => string): void
}
