/** Time, handed in so that tests can hold it. */
export interface Clock {
  /** Milliseconds since the epoch. On Cloudflare it moves only with I/O. */
  now(): number
  /** Calls `fn` once after `ms`; the answer cancels it. */
  after(ms: number, fn: () => void): () => void
}

/** Keeps a promise alive past the answer, as `ExecutionContext.waitUntil` does. */
export type WaitUntil = (promise: Promise<unknown>) => void

export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/**
 * Bounds one wait after the other, all of one request, with a single timer: arming one for each wait was
 * measured to cost a twentieth of a whole miss. Waits must not overlap.
 */
export class Watch {
  readonly #clock: Clock
  #cancelTimer: (() => void) | undefined
  #timerDueMs = 0
  #dueMs = Number.POSITIVE_INFINITY
  #waitMs = 0
  /** Of the latest wait; a promise that is settled already takes no notice. */
  #reject: ((reason: DeadlineError) => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Settles as `work` does, or rejects with a `DeadlineError` once `ms` have passed; `work` itself goes on.
   * @param ms milliseconds, > 0
   */
  within<T>(ms: number, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject
      this.#waitMs = ms
      this.#dueMs = this.#clock.now() + ms
      if (!this.#cancelTimer || this.#timerDueMs > this.#dueMs) this.#arm(ms)
      work.then(resolve, reject)
    })
  }

  /** Ends the timer. The watch may be used again. */
  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #arm(ms: number): void {
    this.#cancelTimer?.()
    this.#timerDueMs = this.#clock.now() + ms
    this.#cancelTimer = this.#clock.after(ms, () => {
      this.#cancelTimer = undefined
      // The wait that the timer was set for may be over, and another one on.
      const restMs = this.#dueMs - this.#clock.now()
      if (restMs > 0) this.#arm(restMs)
      else this.#reject?.(new DeadlineError(`nothing within ${this.#waitMs} ms`))
    })
  }
}

/** A single bounded wait; see `Watch`. */
export function withDeadline<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T> {
  const watch = new Watch(clock)
  return watch.within(ms, work).finally(() => watch.stop())
}
