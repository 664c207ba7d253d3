const WINDOW_MS = 60_000

/** What came within one second. */
export interface SecondCount {
  readonly second: number
  readonly count: number
  /** When the last of it came: all of it counts until a minute after that. */
  readonly lastMs: number
}

/**
 * What came within the last minute, at any moment: a sliding window, in which no sixty seconds ever hold more than was let
 * in. It remembers a number a second, each for a minute from the last that it counted.
 */
export class MinuteCount {
  /** Oldest first. */
  readonly #seconds = new Map<number, SecondCount>()
  #total = 0
  #latest: SecondCount | undefined
  #dropped: number | undefined

  /** @param known what an earlier one had counted, oldest first */
  constructor(known: readonly SecondCount[] = []) {
    for (const each of known) {
      this.#seconds.set(each.second, each)
      this.#total += each.count
      this.#latest = each
    }
  }

  /** @returns the second as it is now */
  add(count: number, nowMs: number): SecondCount {
    // A clock that was set back must not set the order back.
    const lastMs = Math.max(nowMs, this.#latest?.lastMs ?? 0)
    const second = Math.floor(lastMs / 1_000)
    const changed = { second, count: (this.#seconds.get(second)?.count ?? 0) + count, lastMs }
    this.#seconds.set(second, changed)
    this.#latest = changed
    this.#total += count
    return changed
  }

  /** Takes back what was counted then. @returns the second as it is now; undefined where it counts no more */
  takeBack(count: number, atMs: number): SecondCount | undefined {
    const known = this.#seconds.get(Math.floor(atMs / 1_000))
    if (!known) return undefined
    const changed = { ...known, count: Math.max(0, known.count - count) }
    this.#seconds.set(known.second, changed)
    this.#total -= known.count - changed.count
    return changed
  }

  /** Forgets what counts no more. @returns the last second that went, also before; told once */
  drop(nowMs: number): number | undefined {
    this.#forget(nowMs)
    const dropped = this.#dropped
    this.#dropped = undefined
    return dropped
  }

  used(nowMs: number): number {
    this.#forget(nowMs)
    return this.#total
  }

  /** Until no more than so many are used, should nothing come in between; 0 = now. */
  waitMs(atMost: number, nowMs: number): number {
    let used = this.used(nowMs)
    let waitMs = 0
    for (const { count, lastMs } of this.#seconds.values()) {
      if (used <= atMost) break
      used -= count
      waitMs = lastMs + WINDOW_MS - nowMs
    }
    return waitMs
  }

  /** Until nothing is used any more. */
  resetMs(nowMs: number): number {
    return Math.max(0, (this.#latest?.lastMs ?? Number.NEGATIVE_INFINITY) + WINDOW_MS - nowMs)
  }

  #forget(nowMs: number): void {
    for (const { second, count, lastMs } of this.#seconds.values()) {
      if (lastMs + WINDOW_MS > nowMs) break
      this.#seconds.delete(second)
      this.#total -= count
      this.#dropped = second
    }
  }
}
