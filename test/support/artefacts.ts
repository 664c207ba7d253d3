import type { Clock } from '../../src/core/clock.ts'

/** Time as it is, for parts that wait for real stores. */
export const realClock: Clock = {
  now: Date.now,
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  },
}
