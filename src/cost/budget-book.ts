import {
  type Budget,
  type BudgetPeriod,
  type BudgetState,
  PERIODS,
  periodEndMs,
  periodName,
} from './budget.ts'
import type { ProviderCall } from './ledger.ts'
import type { NanoUsd } from './nano-usd.ts'

/** Which model a call goes to, as far as its row in the ledger wants it should nothing more be heard of it. */
export type CalledModel = Pick<ProviderCall, 'route' | 'provider' | 'model' | 'endpoint' | 'price'>

/** Money held back for one call to a provider, at the most it may cost. */
export interface Reservation {
  readonly predictionId: string
  /** The call's place among those of its request, from 0. */
  readonly attempt: number
  readonly keyId: string
  readonly nanoUsd: NanoUsd
  readonly atMs: number
  readonly call: CalledModel
}

/** What a key spent on one day; `key` is empty for the whole tenant. */
export interface DaySpend {
  readonly key: string
  /** `2026-11-21` */
  readonly day: string
  readonly nanoUsd: NanoUsd
}

/** Durable storage of one tenant's book. Synchronous, so that nothing comes between judging and writing. */
export interface BudgetShelf {
  budgets(): readonly Budget[]
  setBudgets(budgets: readonly Budget[]): void
  spends(): readonly DaySpend[]
  setSpend(spend: DaySpend): void
  removeSpendsBefore(day: string): void
  reservations(): readonly Reservation[]
  addReservation(reservation: Reservation): void
  removeReservations(predictionId: string): void
  clear(): void
}

export type Verdict =
  | { readonly kind: 'reserved' }
  /** Nobody watches: nothing was written. */
  | { readonly kind: 'unwatched' }
  | { readonly kind: 'exceeded'; readonly budget: BudgetState }

/** What a call came to: undefined = sent, and nobody knows what it used; then its worst case counts. */
export type AttemptCost = NanoUsd | undefined

const TENANT = ''
const DAY_MS = 24 * 60 * 60_000
/** This month and the one before it. */
const KEPT_DAYS = 62

/**
 * One tenant's money: what was spent on each day, and what calls under way may still cost. Whoever would pass a hard
 * budget even in the worst case of all that is under way is turned away, so no order of events can pass it.
 */
export class BudgetBook {
  readonly #shelf: BudgetShelf
  readonly #onSpent: (states: readonly BudgetState[], atMs: number) => void
  #budgets: readonly Budget[]
  /** By day and by month, as what is reserved. */
  readonly #spends = new Map<string, NanoUsd>()
  readonly #reserved = new Map<string, NanoUsd>()
  readonly #reservations = new Map<string, Reservation[]>()

  /** @param onSpent how the budgets stand that count what was just spent, in the period of `atMs` */
  constructor(
    shelf: BudgetShelf,
    onSpent: (states: readonly BudgetState[], atMs: number) => void = () => {},
  ) {
    this.#shelf = shelf
    this.#onSpent = onSpent
    this.#budgets = shelf.budgets()
    for (const { key, day, nanoUsd } of shelf.spends()) add(this.#spends, key, day, nanoUsd)
    for (const reservation of shelf.reservations()) this.#note(reservation)
  }

  /** Whether there is any budget, so that every call has to be reserved. */
  get isWatching(): boolean {
    return this.#budgets.length > 0
  }

  /** Whether a hard budget counts what this key spends. */
  isHard(keyId: string): boolean {
    return this.#budgets.some((budget) => budget.isHard && counts(budget, keyId))
  }

  /** Whether anything is held back for the request. */
  holds(predictionId: string): boolean {
    return this.#reservations.has(predictionId)
  }

  /**
   * @param known what was spent so far this month according to the ledger; counts where it is more than the book knows,
   *   because nobody watched
   */
  setBudgets(budgets: readonly Budget[], known: readonly DaySpend[]): void {
    const watched = this.isWatching
    this.#budgets = budgets
    this.#shelf.setBudgets(budgets)
    if (watched) return
    for (const spend of known)
      if (spend.nanoUsd > (this.#spends.get(place(spend.key, spend.day)) ?? 0)) this.#setSpend(spend)
  }

  /**
   * Holds back the most that a call may cost, unless a hard budget is in the way. For the place of a call that was not sent
   * in the end, the later word counts.
   */
  reserve(reservation: Reservation): Verdict {
    if (!this.isWatching) return { kind: 'unwatched' }
    const { predictionId, attempt, keyId, nanoUsd, atMs } = reservation
    this.#withdraw(predictionId, attempt)
    for (const budget of this.#budgets) {
      if (!budget.isHard || !counts(budget, keyId)) continue
      const state = this.#stateOf(budget, atMs)
      if (state.spentNanoUsd + state.reservedNanoUsd + nanoUsd > budget.limitNanoUsd)
        return { kind: 'exceeded', budget: state }
    }
    this.#shelf.addReservation(reservation)
    this.#note(reservation)
    return { kind: 'reserved' }
  }

  /**
   * A request is over: what its calls cost counts, in the period in which each was reserved, and what was held back is
   * free again. Only the first word counts.
   * @param costs by the place of the call
   * @returns what was charged
   */
  settle(predictionId: string, costs: readonly AttemptCost[]): NanoUsd {
    const held = this.#reservations.get(predictionId)
    if (!held) return 0
    let charged = 0
    const places = new Map(held.map((reservation) => [reservation.attempt, reservation]))
    // A place that is not named was never sent; one where nothing is held went out without asking.
    for (const [attempt, cost] of costs.entries()) {
      const { keyId, atMs, nanoUsd } = places.get(attempt) ?? { ...(held[0] as Reservation), nanoUsd: 0 }
      charged += cost ?? nanoUsd
      this.#spend(keyId, atMs, cost ?? nanoUsd)
    }
    this.#release(predictionId, held)
    return charged
  }

  /** Counts what was not reserved, because nobody watched when it was sent. */
  charge(keyId: string, atMs: number, nanoUsd: NanoUsd): void {
    if (this.isWatching) this.#spend(keyId, atMs, nanoUsd)
  }

  /**
   * Requests that were never settled are charged at their worst case.
   * @param beforeMs when they reserved first
   * @returns what was charged, request by request, in the order of its calls
   */
  expire(beforeMs: number): readonly (readonly Reservation[])[] {
    const expired = [...this.#reservations.values()]
      .filter((held) => held.some(({ atMs }) => atMs < beforeMs))
      .map((held) => held.toSorted((a, b) => a.attempt - b.attempt))
    for (const held of expired) {
      const [{ predictionId }, last] = [held[0] as Reservation, held.at(-1) as Reservation]
      this.settle(
        predictionId,
        Array.from({ length: last.attempt + 1 }, () => undefined),
      )
    }
    return expired
  }

  /** All of it is forgotten, budgets too. */
  clear(): void {
    this.#shelf.clear()
    this.#budgets = []
    for (const known of [this.#spends, this.#reserved, this.#reservations]) known.clear()
  }

  /** When the first of those under way was reserved; undefined while none is. */
  get oldestMs(): number | undefined {
    let oldest: number | undefined
    for (const held of this.#reservations.values())
      for (const { atMs } of held) if (oldest === undefined || atMs < oldest) oldest = atMs
    return oldest
  }

  states(nowMs: number): readonly BudgetState[] {
    return this.#budgets.map((budget) => this.#stateOf(budget, nowMs))
  }

  #stateOf(budget: Budget, atMs: number): BudgetState {
    const during = place(budget.keyId ?? TENANT, periodName(budget.period, atMs))
    return {
      ...budget,
      spentNanoUsd: this.#spends.get(during) ?? 0,
      reservedNanoUsd: this.#reserved.get(during) ?? 0,
      resetsAtMs: periodEndMs(budget.period, atMs),
    }
  }

  #note(reservation: Reservation): void {
    const { predictionId, keyId, atMs, nanoUsd } = reservation
    const held = this.#reservations.get(predictionId)
    if (held) held.push(reservation)
    else this.#reservations.set(predictionId, [reservation])
    this.#hold(keyId, atMs, nanoUsd)
  }

  #withdraw(predictionId: string, attempt: number): void {
    const held = this.#reservations.get(predictionId)
    if (!held?.some((known) => known.attempt === attempt)) return
    this.#release(predictionId, held)
    for (const other of held) {
      if (other.attempt === attempt) continue
      this.#shelf.addReservation(other)
      this.#note(other)
    }
  }

  #release(predictionId: string, held: readonly Reservation[]): void {
    this.#shelf.removeReservations(predictionId)
    this.#reservations.delete(predictionId)
    for (const { keyId, atMs, nanoUsd } of held) this.#hold(keyId, atMs, -nanoUsd)
  }

  #hold(keyId: string, atMs: number, nanoUsd: NanoUsd): void {
    for (const key of [TENANT, keyId]) add(this.#reserved, key, periodName('day', atMs), nanoUsd)
  }

  #spend(keyId: string, atMs: number, nanoUsd: NanoUsd): void {
    if (nanoUsd === 0) return
    const day = periodName('day', atMs)
    for (const key of [TENANT, keyId])
      this.#setSpend({ key, day, nanoUsd: (this.#spends.get(place(key, day)) ?? 0) + nanoUsd })
    const counting = this.#budgets.filter((budget) => counts(budget, keyId))
    this.#onSpent(
      counting.map((budget) => this.#stateOf(budget, atMs)),
      atMs,
    )
  }

  #setSpend(spend: DaySpend): void {
    const isNewDay = !this.#spends.has(place(TENANT, spend.day))
    const before = this.#spends.get(place(spend.key, spend.day)) ?? 0
    add(this.#spends, spend.key, spend.day, spend.nanoUsd - before)
    this.#shelf.setSpend(spend)
    if (isNewDay) this.#forgetBefore(periodName('day', Date.parse(spend.day) - KEPT_DAYS * DAY_MS))
  }

  /** Of a month that was begun to be forgotten the sum goes as well: nobody asks for it any more. */
  #forgetBefore(day: string): void {
    this.#shelf.removeSpendsBefore(day)
    for (const known of this.#spends.keys()) if (known.slice(0, DAY_LENGTH) < day) this.#spends.delete(known)
  }
}

const counts = ({ keyId }: Budget, spender: string): boolean => keyId === null || keyId === spender
const DAY_LENGTH = '2026-11-21'.length
const MONTH_LENGTH = '2026-11'.length
const place = (key: string, day: string): string => `${day} ${key}`

/** To its day and to its month. What comes to nothing is not kept. */
function add(sums: Map<string, NanoUsd>, key: string, day: string, nanoUsd: NanoUsd): void {
  for (const name of [day, day.slice(0, MONTH_LENGTH)]) {
    const sum = (sums.get(place(key, name)) ?? 0) + nanoUsd
    if (sum === 0) sums.delete(place(key, name))
    else sums.set(place(key, name), sum)
  }
}

export const isPeriod = (value: unknown): value is BudgetPeriod => PERIODS.some((period) => period === value)
