import { type Clock, type WaitUntil, withDeadline } from '../core/clock.ts'
import { isInForce, NOTHING_OFF, nextEndMs, type Switch, type SwitchedOff, switchedOff } from './switch.ts'

/** What was off when the store said so. */
export interface SwitchRecord {
  readonly switches: readonly Switch[]
  readonly verifiedAtMs: number
}

/** A shared, possibly stale copy of the record. One that cannot be trusted is `undefined`. */
export interface SwitchCopies {
  get(): Promise<SwitchRecord | undefined>
  put(record: SwitchRecord): Promise<void>
}

export interface SwitchBoardOptions {
  readonly clock: Clock
  /** The truth: what is off. */
  readonly list: () => Promise<readonly Switch[]>
  readonly copies: SwitchCopies
}

/** From when on a newer record is read behind a request; and from when on a request waits for it. */
const RENEW_MS = 15_000
const BELIEVED_MS = 25_000
/** How old a shared copy may be, counted from when the store confirmed it. With the above and a slow store: 90 s. */
const FRESH_MS = 60_000
/** How long a request waits at most. */
const WAIT_MS = 500
const COPY_DEADLINE_MS = 100
const STORE_DEADLINE_MS = 2_000
const RETRY_MS = 5_000

/**
 * What is off, in isolate memory: isolate, then the shared copy, then the store, of which requests see none but the
 * first. While no store answers the last known stays; where nothing is known, everything is on.
 */
export class SwitchBoard {
  readonly #options: SwitchBoardOptions
  #off: SwitchedOff = NOTHING_OFF
  #record: SwitchRecord | undefined
  /** No sooner than this does a request have to do anything. */
  #dueMs = 0
  #loadedAtMs = 0
  #retryAtMs = 0
  #nextEndMs = Number.POSITIVE_INFINITY
  /** Whether the latest try came to nothing: then nobody waits for the next. */
  #isFailing = false
  /** What was read before something was changed here may not know of it. */
  #changedMs = Number.NEGATIVE_INFINITY

  constructor(options: SwitchBoardOptions) {
    this.#options = options
  }

  get off(): SwitchedOff {
    return this.#off
  }

  /** Those in force, as far as they are known here. */
  get switches(): readonly Switch[] {
    const nowMs = this.#options.clock.now()
    return this.#record?.switches.filter((each) => isInForce(each, nowMs)) ?? []
  }

  /** @returns what a request has to wait for; undefined, nearly always, where it need not. Never rejects. */
  renew(waitUntil: WaitUntil): Promise<void> | undefined {
    const nowMs = this.#options.clock.now()
    return nowMs < this.#dueMs ? undefined : this.#renew(nowMs, waitUntil)
  }

  /** The record was changed through this isolate: it is in force here at once, in others within 90 s. */
  async changed(record: SwitchRecord): Promise<void> {
    const { clock, copies } = this.#options
    this.#changedMs = record.verifiedAtMs
    this.#take(record, clock.now())
    // Without it others ask the store a little later.
    await withDeadline(clock, STORE_DEADLINE_MS, copies.put(record)).catch(() => {})
  }

  #renew(nowMs: number, waitUntil: WaitUntil): Promise<void> | undefined {
    if (nowMs >= this.#nextEndMs) this.#show(nowMs)
    const mustWait = nowMs >= this.#loadedAtMs + BELIEVED_MS && !this.#isFailing
    if (nowMs < this.#retryAtMs && !mustWait) {
      this.#plan()
      return undefined
    }
    // Whoever else comes meanwhile need not read it too, unless what there is has become too old.
    this.#retryAtMs = nowMs + RETRY_MS
    this.#plan()
    const loading = this.#load(nowMs, waitUntil)
    waitUntil(loading)
    if (!mustWait) return undefined
    return withDeadline(this.#options.clock, WAIT_MS, loading).catch(() => {
      this.#isFailing = true
      this.#plan()
    })
  }

  async #load(nowMs: number, waitUntil: WaitUntil): Promise<void> {
    const { clock, copies, list } = this.#options
    const copy = await withDeadline(clock, COPY_DEADLINE_MS, copies.get()).catch(() => undefined)
    const newer = copy && this.#isNewer(copy) ? copy : undefined
    if (newer && nowMs - newer.verifiedAtMs < FRESH_MS) return this.#take(newer, clock.now())
    try {
      const switches = await withDeadline(clock, STORE_DEADLINE_MS, list())
      const record = { switches, verifiedAtMs: nowMs }
      if (!this.#isNewer(record)) return
      this.#take(record, nowMs)
      waitUntil(copies.put(record).catch(() => {}))
    } catch {
      if (newer && this.#isNewer(newer)) this.#take(newer, nowMs)
      this.#isFailing = true
      this.#retryAtMs = clock.now() + RETRY_MS
      this.#plan()
    }
  }

  #isNewer({ verifiedAtMs }: SwitchRecord): boolean {
    return verifiedAtMs >= this.#changedMs && verifiedAtMs >= (this.#record?.verifiedAtMs ?? 0)
  }

  #take(record: SwitchRecord, nowMs: number): void {
    this.#record = record
    this.#loadedAtMs = nowMs
    this.#retryAtMs = nowMs + RENEW_MS
    this.#isFailing = false
    this.#show(nowMs)
    this.#plan()
  }

  #show(nowMs: number): void {
    const { switches = [] } = this.#record ?? {}
    this.#off = switchedOff(switches, nowMs)
    this.#nextEndMs = nextEndMs(switches, nowMs)
  }

  #plan(): void {
    const waitsFromMs = this.#isFailing ? this.#retryAtMs : this.#loadedAtMs + BELIEVED_MS
    this.#dueMs = Math.min(this.#nextEndMs, this.#retryAtMs, waitsFromMs)
  }
}
