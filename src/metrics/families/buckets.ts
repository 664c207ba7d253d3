/**
 * Seconds that somebody waits. Thresholds of alerts are bounds here, and the bounds go past the highest of them (30):
 * a quantile read from buckets never exceeds the last finite one.
 */
export const WAIT_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120,
] as const

/** Seconds that something has been stored. */
export const AGE_SECONDS = [60, 300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400] as const

/** Parts of one, finer where answers should be. */
export const RATIO = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1] as const
