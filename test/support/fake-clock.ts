import type { Clock } from '../../src/core/clock.ts'

export interface FakeClock extends Clock {
  /** Moves time on, running what falls due in its order. */
  advance(ms: number): Promise<void>
}

export const FAKE_START_MS = 1_800_000_000_000

/** Lets every promise that can settle without time do so. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Time that stands still until it is told to move. */
export function fakeClock(startMs = FAKE_START_MS): FakeClock {
  let now = startMs
  let timers: { readonly dueMs: number; readonly fn: () => void }[] = []
  return {
    now: () => now,
    after: (ms, fn) => {
      const timer = { dueMs: now + ms, fn }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    advance: async (ms) => {
      const end = now + ms
      for (;;) {
        await settled()
        const next = timers.filter(({ dueMs }) => dueMs <= end).sort((a, b) => a.dueMs - b.dueMs)[0]
        if (!next) break
        now = next.dueMs
        timers = timers.filter((timer) => timer !== next)
        next.fn()
      }
      now = end
      await settled()
    },
  }
}
