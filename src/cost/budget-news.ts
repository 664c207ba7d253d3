import { fullJitterMs } from '../feedback/parcels.ts'
import type { BudgetNews } from './budget-thresholds.ts'

/** Durable storage of what is still to be told. Synchronous. */
export interface NewsShelf {
  /** The same again changes nothing while it waits. */
  addNews(news: BudgetNews): void
  /** Some, the oldest first. */
  news(limit: number): readonly BudgetNews[]
  removeNews(ids: readonly string[]): void
}

export interface NewsOptions {
  readonly shelf: NewsShelf
  readonly now: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Resolves once it lies in other durable hands. */
  readonly send: (news: readonly BudgetNews[]) => Promise<void>
}

const LOT = 20
const RETRY_BASE_MS = 1_000
const RETRY_CAP_MS = 5 * 60_000

/** Keeps what is to be told until others hold it. At least once: whoever receives it knows it by its id. */
export class NewsCourier {
  readonly #options: NewsOptions
  #failures = 0
  #nextMs: number

  constructor(options: NewsOptions) {
    this.#options = options
    this.#nextMs = options.shelf.news(1).length > 0 ? options.now() : Number.POSITIVE_INFINITY
  }

  /** When to call `deliver`; infinite while nothing waits. */
  get nextMs(): number {
    return this.#nextMs
  }

  add(news: BudgetNews): void {
    this.#options.shelf.addNews(news)
    // Where sending fails, what is new waits with the rest.
    if (this.#failures === 0) this.#nextMs = Math.min(this.#nextMs, this.#options.now())
  }

  /** Sends what waits, if it is time to. Never rejects: what could not be sent stays, for later. */
  async deliver(): Promise<void> {
    const { shelf, send, now, random } = this.#options
    if (this.#nextMs > now()) return
    this.#nextMs = Number.POSITIVE_INFINITY
    try {
      for (let lot = shelf.news(LOT); lot.length > 0; lot = shelf.news(LOT)) {
        await send(lot)
        shelf.removeNews(lot.map(({ id }) => id))
      }
      this.#failures = 0
    } catch {
      this.#nextMs = now() + fullJitterMs(this.#failures++, RETRY_BASE_MS, RETRY_CAP_MS, random)
    }
  }
}
