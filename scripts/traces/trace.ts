/** One request of a trace. */
export interface TraceRequest {
  readonly atMs: number
  readonly tenant: string
  readonly prompt: string
  /** What the prompt asks for: an answer made for another meaning is a false hit. */
  readonly meaning: string
  /** What the upstream call costs and takes, should it be made. */
  readonly costUsd: number
  readonly latencyMs: number
}

export interface Trace {
  readonly name: string
  /** What is before this moment only fills the cache and the patterns. */
  readonly countedFromMs: number
  /** In the order of time. */
  readonly requests: readonly TraceRequest[]
}

/** A Monday, 00:00 UTC. */
export const TRACE_START_MS = Date.UTC(2026, 0, 5)
