import { seriesName } from './catalogue.ts'
import { MINUTE_MS } from './rings.ts'

/** Tiers of the cache that cannot say what they hold. */
export type StoreTier = 'kv' | 'redis' | 'supabase'

export interface Held {
  readonly entries: number
  readonly bytes: number
}

/** By the minute in which it ends, numbered since the epoch. */
export type HeldByMinute = Readonly<Record<string, Held>>
export type StockData = Readonly<Partial<Record<StoreTier, HeldByMinute>>>

/**
 * What stores hold, as their own writes and removals add up. An entry is taken in with the minute in which it ends, and
 * with that minute it is gone: nobody has to say so. What is let go before its time is taken out of the same minute.
 */
export class Stock {
  readonly #tiers = new Map<StoreTier, Map<number, Held>>()

  constructor(data?: StockData) {
    if (data) this.merge(data)
  }

  /** @param entries below 0: they were let go */
  add(tier: StoreTier, entries: number, bytes: number, endsAtMs: number): void {
    this.#add(tier, Math.ceil(endsAtMs / MINUTE_MS), entries, bytes)
  }

  /** @param sign -1 takes it out */
  merge(data: StockData, sign: 1 | -1 = 1): void {
    for (const [tier, minutes] of Object.entries(data) as [StoreTier, HeldByMinute][]) {
      if (!this.#tiers.has(tier)) this.#tiers.set(tier, new Map())
      for (const [minute, { entries, bytes }] of Object.entries(minutes))
        this.#add(tier, Number(minute), sign * entries, sign * bytes)
    }
  }

  get isEmpty(): boolean {
    return this.#tiers.size === 0
  }

  /** What has not ended yet. A tier that once held something stays in it. */
  data(nowMs: number): StockData {
    this.#forgetEnded(nowMs)
    return Object.fromEntries([...this.#tiers].map(([tier, minutes]) => [tier, Object.fromEntries(minutes)]))
  }

  /** The gauges `cache_entries` and `cache_bytes` of those tiers that ever held something. */
  gauges(nowMs: number): Record<string, number> {
    this.#forgetEnded(nowMs)
    const gauges: Record<string, number> = {}
    for (const [tier, minutes] of this.#tiers) {
      const { entries, bytes } = [...minutes.values()].reduce(sumOf, NOTHING)
      gauges[seriesName('cache_entries', { tier })] = Math.max(0, entries)
      gauges[seriesName('cache_bytes', { tier })] = Math.max(0, bytes)
    }
    return gauges
  }

  #add(tier: StoreTier, minute: number, entries: number, bytes: number): void {
    let minutes = this.#tiers.get(tier)
    if (!minutes) {
      minutes = new Map()
      this.#tiers.set(tier, minutes)
    }
    minutes.set(minute, sumOf(minutes.get(minute) ?? NOTHING, { entries, bytes }))
  }

  #forgetEnded(nowMs: number): void {
    for (const minutes of this.#tiers.values())
      for (const minute of minutes.keys()) if (minute * MINUTE_MS <= nowMs) minutes.delete(minute)
  }
}

const NOTHING: Held = { entries: 0, bytes: 0 }
const sumOf = (a: Held, b: Held): Held => ({ entries: a.entries + b.entries, bytes: a.bytes + b.bytes })
