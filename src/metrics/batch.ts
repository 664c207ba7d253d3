import type { Exemplars } from './exposition.ts'
import type { DayTotals, MinuteSlot } from './rings.ts'
import type { SketchData } from './sketch.ts'
import type { MetricsSnapshot } from './snapshot.ts'
import type { StockData } from './stock.ts'
import type { Window } from './window.ts'

/** What an isolate gathered since its last batch. */
export interface Batch {
  /** Drawn when the isolate starts. */
  readonly isolate: string
  /** 1 for an isolate's first batch, one more for each new one. The next is sent once this one is acknowledged. */
  readonly seq: number
  /** When the first of it was gathered, milliseconds since the epoch. */
  readonly startedAtMs: number
  /** Counters and histograms: what was added. Gauges: as they stand now, true until their lease ends. */
  readonly added: MetricsSnapshot
  readonly sketches: Readonly<Record<string, SketchData>>
  /** What went into the stores of the cache, and what was taken out of them before its time. */
  readonly stock?: StockData
  /** Of each histogram that has one the request with the largest value. */
  readonly exemplars?: Exemplars
}

/** Given once the batch lies in durable storage. */
export interface BatchAnswer {
  /** From one batch to the next, at least. */
  readonly flushMs: number
  /** How long to gather where the last batch is longer ago than that; absent = as long. */
  readonly soonMs?: number
}

/** What one shard takes, calls a second: an object that writes at each call takes 200 to 500. */
export const MAX_CALLS_PER_S = 200
/** What is aimed at: with 200 itself, some seconds of a simulated region had 216. */
const AIM_CALLS_PER_S = 160
/** The least wait, while somebody looks at the figures. */
export const WATCHED_FLUSH_MS = 250
const UNWATCHED_FLUSH_MS = 2_000
const UNWATCHED_SPREAD_MS = 3_000

/**
 * How long an isolate gathers, so that all isolates of a shard together stay under what it takes: with n of them in a
 * region of sixteen shards, n/2,560 s.
 * @param isolates that send to this shard
 * @param random uniform in [0, 1)
 */
export function flushIntervalMs(isolates: number, watched: boolean, random: number): number {
  const leastMs = (isolates * 1_000) / AIM_CALLS_PER_S
  const usualMs = watched ? WATCHED_FLUSH_MS : UNWATCHED_FLUSH_MS + random * UNWATCHED_SPREAD_MS
  return Math.ceil(Math.max(leastMs, usualMs))
}

/** How long an isolate gathers that has sent nothing for a while: no longer than if somebody looked. */
export const soonMs = (isolates: number): number => flushIntervalMs(isolates, true, 0)

/** What a shard tells of itself. */
export interface ShardReport {
  readonly atMs: number
  /** Gauges are those that are still leased. */
  readonly totals: MetricsSnapshot
  readonly day: DayTotals | undefined
  /** The last minute that is over: in it and before it nothing changes any more. */
  readonly throughMinute: number
  /** Of those, the ones after the minute that was asked from. */
  readonly minutes: readonly MinuteSlot[]
  /** How many send to it now. */
  readonly isolates: number
  readonly exemplars: Exemplars
  /** What its isolates' entries in the stores of the cache add up to. */
  readonly stock?: StockData
}

/** The last seconds, of one shard or of all of them. */
export interface Live {
  readonly window: Window
  readonly gauges: Readonly<Record<string, number>>
  readonly isolates: number
}
