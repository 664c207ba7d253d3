import type { Clock } from '../src/core/clock.ts'

/** The platform's clock; values only, so it may be shared by requests. */
export const workerClock: Clock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  },
}
