import { DAY_MS, HOUR_MS } from '../../src/warming/calendar.ts'

/** Nights end at 04:00 UTC, when the traces are quietest. */
const MORNING_MS = 4 * HOUR_MS

/** How long the first request for each prompt after each night took. A prompt never asked before is one, too. */
export interface FirstRequests {
  readonly add: (promptHash: string, atMs: number, tookMs: number) => void
  readonly count: () => number
  readonly mean: () => number
  /** The smallest time that this share of them did not exceed. */
  readonly quantile: (share: number) => number
}

export function firstRequests(): FirstRequests {
  const lastNight = new Map<string, number>()
  const times: number[] = []
  return {
    add: (promptHash, atMs, tookMs) => {
      const night = Math.floor((atMs - MORNING_MS) / DAY_MS)
      if (lastNight.get(promptHash) === night) return
      lastNight.set(promptHash, night)
      times.push(tookMs)
    },
    count: () => times.length,
    mean: () => times.reduce((sum, each) => sum + each, 0) / Math.max(1, times.length),
    quantile: (share) => {
      const sorted = times.toSorted((a, b) => a - b)
      return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
    },
  }
}
