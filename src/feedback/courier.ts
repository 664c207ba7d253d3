import { utf8 } from '../core/bytes.ts'
import type { Parcel, TelemetryMessage } from './outbox.ts'
import { fullJitterMs, inMessages } from './parcels.ts'

/** A parcel and the moment from which it may go; 0 = at once, and it never changes again. */
export interface Shelved extends Parcel {
  readonly dueMs: number
}

/** Durable storage of one tenant's parcels. Synchronous, so that nothing comes between reading and writing. */
export interface Shelf {
  /** @returns false when the id lies there already: it stays as it is */
  put(parcel: Shelved): boolean
  /** Puts the parcel in the place of one that waits. @returns false when none waits under its id */
  replace(parcel: Parcel): boolean
  /** The text that waits under the id for a better word; undefined where there is none. */
  waiting(id: string): string | undefined
  /** Some of those that may go. */
  due(nowMs: number, limit: number): readonly Shelved[]
  /** Exactly these: one that was replaced meanwhile stays. */
  remove(parcels: readonly Shelved[]): void
  count(): number
  /** The earliest `dueMs`; undefined where nothing lies there. */
  firstDueMs(): number | undefined
}

export interface CourierOptions {
  readonly shelf: Shelf
  readonly now: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Resolves once the message lies in other durable hands. */
  readonly send: (message: TelemetryMessage) => Promise<void>
}

/** After so long without a word of its settlement a request counts as abandoned: the longest answer takes less. */
export const ABANDONED_AFTER_MS = 15 * 60_000
/** How long a parcel waits for company. */
export const GATHER_MS = 1_000
/** Parcels of one tenant: beyond it requests go on, and their rows take the way of hits. About 200 MB. */
export const MAX_HELD = 100_000
const LOT = 100
const LOTS_A_ROUND = 20
const RETRY_BASE_MS = 1_000
const RETRY_CAP_MS = 60_000

/** Keeps one tenant's parcels until others hold them. At least once: whoever receives them knows them by their ids. */
export class Courier {
  readonly #options: CourierOptions
  #held: number
  #failures = 0
  #nextMs: number

  constructor(options: CourierOptions) {
    this.#options = options
    this.#held = options.shelf.count()
    this.#nextMs = this.#held > 0 ? options.now() + GATHER_MS : Number.POSITIVE_INFINITY
  }

  /** When to call `deliver`; infinite while nothing lies here. */
  get nextMs(): number {
    return this.#nextMs
  }

  /** What is to go unless a better word of the same id comes in time. */
  expect(parcel: Parcel): void {
    if (this.#held >= MAX_HELD) return
    const dueMs = this.#options.now() + ABANDONED_AFTER_MS
    if (this.#options.shelf.put({ ...parcel, dueMs })) this.#added(dueMs)
  }

  /** What will go should no better word come; undefined where that is not waited for. */
  expected(id: string): string | undefined {
    return this.#options.shelf.waiting(id)
  }

  /** The better word. @returns false when there is no room for it */
  settle(parcel: Parcel): boolean {
    if (this.#options.shelf.replace(parcel)) this.#wake(this.#options.now() + GATHER_MS)
    else return this.add([parcel])
    return true
  }

  /** @returns false when there is no room for all of them; then none was taken */
  add(parcels: readonly Parcel[]): boolean {
    if (this.#held + parcels.length > MAX_HELD) return false
    for (const parcel of parcels)
      if (this.#options.shelf.put({ ...parcel, dueMs: 0 })) this.#added(this.#options.now() + GATHER_MS)
    return true
  }

  /** Sends what is due at its beginning. Never rejects: what could not be sent stays, for later. */
  async deliver(): Promise<void> {
    const { shelf, now, random } = this.#options
    const nowMs = now()
    this.#nextMs = Number.POSITIVE_INFINITY
    try {
      let sentAll = false
      for (let lot = 0; lot < LOTS_A_ROUND && !sentAll; lot++) sentAll = await this.#sendLot(nowMs)
      this.#failures = 0
      const firstDueMs = shelf.firstDueMs()
      if (firstDueMs !== undefined) this.#wake(Math.max(firstDueMs, now()))
    } catch {
      this.#nextMs = now() + fullJitterMs(this.#failures++, RETRY_BASE_MS, RETRY_CAP_MS, random)
    }
    this.#held = shelf.count()
  }

  async #sendLot(nowMs: number): Promise<boolean> {
    const { shelf, send } = this.#options
    const parcels = shelf.due(nowMs, LOT)
    for (const message of inMessages(parcels, ({ text }) => utf8(text).byteLength)) {
      await send({ records: message.map(({ text }) => JSON.parse(text)) })
      shelf.remove(message)
    }
    return parcels.length < LOT
  }

  #added(atMs: number): void {
    this.#held += 1
    this.#wake(atMs)
  }

  #wake(atMs: number): void {
    // Where sending fails, what is new waits with the rest.
    if (this.#failures === 0 || this.#nextMs === Number.POSITIVE_INFINITY)
      this.#nextMs = Math.min(this.#nextMs, atMs)
  }
}
