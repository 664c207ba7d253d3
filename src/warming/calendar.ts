export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
export const HOURS_A_WEEK = 168

/** Whole days since the epoch, UTC. */
export const dayOf = (ms: number): number => Math.floor(ms / DAY_MS)

/** 0 = Monday; the epoch was a Thursday. */
export const weekdayOf = (day: number): number => (((day + 3) % 7) + 7) % 7

/** 0 to 23, UTC */
export const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS) - dayOf(ms) * 24
