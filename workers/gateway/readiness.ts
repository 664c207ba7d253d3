import { type Clock, withDeadline } from '../../src/core/clock.ts'

export type StoreState = 'up' | 'down'

export interface ReadinessReport {
  /** Whether requests can be answered: callers can be told apart, or could be lately. */
  readonly ready: boolean
  readonly stores: Readonly<Record<string, StoreState>>
  readonly checkedAtMs: number
}

const REMEMBERED_MS = 5_000
const DEADLINE_MS = 2_000

/** Asks every store whether it answers, and remembers that for 5 s, so that probes cost the stores nothing. */
export class Readiness {
  readonly #clock: Clock
  readonly #probes: Readonly<Record<string, () => Promise<void>>>
  #last: ReadinessReport | undefined

  constructor(clock: Clock, probes: Readonly<Record<string, () => Promise<void>>>) {
    this.#clock = clock
    this.#probes = probes
  }

  async report(): Promise<ReadinessReport> {
    const now = this.#clock.now()
    if (this.#last && now - this.#last.checkedAtMs < REMEMBERED_MS) return this.#last
    const states = await Promise.all(
      Object.entries(this.#probes).map(async ([name, probe]) => [name, await this.#state(probe)] as const),
    )
    const stores = Object.fromEntries(states)
    // Any tier of the cache may be away. Without the key directory only callers met lately can be told apart.
    this.#last = { ready: stores.supabase === 'up', stores, checkedAtMs: now }
    return this.#last
  }

  async #state(probe: () => Promise<void>): Promise<StoreState> {
    try {
      await withDeadline(this.#clock, DEADLINE_MS, probe())
      return 'up'
    } catch {
      return 'down'
    }
  }
}
