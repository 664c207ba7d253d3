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
 * Settles as `work` does, or rejects with a `DeadlineError` once `ms` have passed; `work` itself goes on.
 * @param ms milliseconds, > 0
 */
export function withDeadline<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(new DeadlineError(`nothing within ${ms} ms`)))
    work.then(resolve, reject).finally(cancel)
  })
}
