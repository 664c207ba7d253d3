/** How many repeats one request earns: a fifth more load at most, however bad it gets. */
const EARNED = 0.2
/** What may be saved up, so that a burst of failures after calm does not become a burst of repeats. */
const SAVED_MOST = 10
/** So that an isolate which has seen little can repeat at all. */
const AT_START = 2

/** Bounds what repeating to the same model and hedging add, over all requests of an isolate. */
export class RetryBudget {
  #left = AT_START

  /** A request has been sent for the first time. */
  earn(): void {
    this.#left = Math.min(SAVED_MOST, this.#left + EARNED)
  }

  /** @returns whether one more call may be made */
  take(): boolean {
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
