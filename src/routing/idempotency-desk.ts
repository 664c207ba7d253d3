import type { Clock } from '../core/clock.ts'
import {
  type Asked,
  type Claim,
  type ClaimAnswer,
  finished,
  judge,
  type Outcome,
  ownedBy,
  renewed,
  taken,
} from './idempotency.ts'

/** Where the one record of a key lies. Both at once, so that nothing comes between reading and writing. */
export interface ClaimCell {
  read(): Claim | undefined
  /** `undefined` = free. */
  write(claim: Claim | undefined): void
}

/** Gives one key to one request at a time, and lets the others wait. One desk a key, in one place. */
export class ClaimDesk {
  readonly #clock: Clock
  readonly #cell: ClaimCell
  readonly #waiting = new Set<() => void>()

  constructor(clock: Clock, cell: ClaimCell) {
    this.#clock = clock
    this.#cell = cell
  }

  /** @param waitMs how long to wait for the owner's answer; 0 = not at all */
  async claim(asked: Asked, waitMs: number): Promise<ClaimAnswer> {
    const deadlineMs = this.#clock.now() + waitMs
    for (;;) {
      const nowMs = this.#clock.now()
      const held = this.#cell.read()
      const answer = judge(held, asked, nowMs)
      if (answer.kind === 'yours') this.#cell.write(taken(asked, nowMs))
      if (answer.kind !== 'running' || held?.state !== 'running' || nowMs >= deadlineMs) return answer
      await this.#change(Math.min(deadlineMs, held.leaseEndsMs) - nowMs)
    }
  }

  /** @returns false when the key is no longer this owner's */
  renew(owner: string): boolean {
    const claim = ownedBy(this.#cell.read(), owner)
    if (claim) this.#cell.write(renewed(claim, this.#clock.now()))
    return claim !== undefined
  }

  /** @returns false when the key is no longer this owner's */
  finish(owner: string, outcome: Outcome): boolean {
    const claim = ownedBy(this.#cell.read(), owner)
    if (claim) this.#cell.write(finished(claim, outcome))
    this.#wake()
    return claim !== undefined
  }

  /** Nothing was spent: the next may try, whoever has waited longest first. */
  release(owner: string): void {
    if (ownedBy(this.#cell.read(), owner)) this.#cell.write(undefined)
    this.#wake()
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel()
        this.#waiting.delete(wake)
        resolve()
      }
      const cancel = this.#clock.after(ms, wake)
      this.#waiting.add(wake)
    })
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }
}
