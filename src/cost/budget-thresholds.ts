import { type BudgetPeriod, type BudgetState, periodName } from './budget.ts'
import type { NanoUsd } from './nano-usd.ts'

/** In percent of the limit. */
export const THRESHOLDS = [50, 80, 100] as const
export type Threshold = (typeof THRESHOLDS)[number]

/** A threshold that was reached: what is to be told of it. */
export interface BudgetNews {
  /** Of this budget, period and threshold; the same however often it is told. */
  readonly id: string
  /** The tenant's name; empty where the account has not heard it yet. */
  readonly tenant: string
  readonly keyId: string | null
  readonly period: BudgetPeriod
  /** `2026-11-21`, or `2026-11` */
  readonly periodName: string
  readonly percent: Threshold
  readonly isHard: boolean
  readonly limitNanoUsd: NanoUsd
  readonly spentNanoUsd: NanoUsd
  readonly resetsAtMs: number
  readonly atMs: number
}

/** The highest threshold that was told of a budget in a period. */
export interface Told {
  /** Empty for the whole tenant. */
  readonly key: string
  readonly periodName: string
  readonly percent: Threshold | 0
  /** What the limit was then. */
  readonly limitNanoUsd: NanoUsd
  /** How often it was raised so far that something may be told again. */
  readonly round: number
}

/** Durable storage of what was told. Synchronous, so that it is written in one step with what was spent. */
export interface ToldShelf {
  told(): readonly Told[]
  /** In the place of the one of the same key and period. */
  setTold(told: Told): void
  removeToldBefore(periodName: string): void
  tenant(): string
  setTenant(name: string): void
}

export interface ThresholdOptions {
  readonly shelf: ToldShelf
  /** Different for every tenant, and for ever the same. */
  readonly owner: string
  readonly now: () => number
  readonly tell: (news: BudgetNews) => void
}

/** From here on a hard budget that has no room for a request counts as used up. */
const NEARLY: Threshold = 80
const KEPT_MS = 62 * 24 * 60 * 60_000

/** Knows of each budget which thresholds were told in a period, so that each is told once. */
export class BudgetThresholds {
  readonly #options: ThresholdOptions
  readonly #told = new Map<string, Told>()
  #tenant: string

  constructor(options: ThresholdOptions) {
    this.#options = options
    this.#tenant = options.shelf.tenant()
    for (const told of options.shelf.told()) this.#told.set(placeOf(told.periodName, told.key), told)
  }

  /** Something was spent in the period of `atMs`: each threshold that was crossed is told. */
  spent(states: readonly BudgetState[], atMs: number): void {
    for (const state of states) {
      const reached = reachedBy(state)
      if (reached === 0) continue
      const told = this.#toldOf(state, atMs)
      if (reached > told.percent)
        this.#tell(
          state,
          told,
          THRESHOLDS.filter((each) => each > told.percent && each <= reached),
        )
    }
  }

  /**
   * Budgets were set: of what is spent already the highest threshold is told. Those that a raised limit has left
   * behind may be told again, once they are crossed again.
   */
  changed(states: readonly BudgetState[], tenant: string): void {
    const { shelf, now } = this.#options
    if (tenant !== '' && tenant !== this.#tenant) {
      this.#tenant = tenant
      shelf.setTenant(tenant)
    }
    for (const state of states) {
      const [reached, told] = [reachedBy(state), this.#toldOf(state, now())]
      if (reached > told.percent) this.#tell(state, told, [reached as Threshold])
      else if (reached < told.percent && state.limitNanoUsd > told.limitNanoUsd)
        this.#keep({ ...told, percent: reached, limitNanoUsd: state.limitNanoUsd, round: told.round + 1 })
    }
  }

  /**
   * A hard budget had no room for a call. Such a one is never spent to the last: where no call under way could make room
   * either, and not much is left, it counts as used up.
   */
  refused(state: BudgetState, nanoUsd: NanoUsd, atMs: number): void {
    if (reachedBy(state) < NEARLY || state.spentNanoUsd + nanoUsd <= state.limitNanoUsd) return
    const told = this.#toldOf(state, atMs)
    if (told.percent < 100) this.#tell(state, told, [100])
  }

  clear(): void {
    this.#told.clear()
    this.#tenant = ''
  }

  #tell(state: BudgetState, told: Told, percents: readonly Threshold[]): void {
    const { owner, now, tell } = this.#options
    const { key, round } = told
    for (const percent of percents)
      tell({
        id: [owner, key || 'tenant', told.periodName, percent, ...(round > 0 ? [round] : [])].join(' '),
        tenant: this.#tenant,
        keyId: state.keyId,
        period: state.period,
        periodName: told.periodName,
        percent,
        isHard: state.isHard,
        limitNanoUsd: state.limitNanoUsd,
        spentNanoUsd: state.spentNanoUsd,
        resetsAtMs: state.resetsAtMs,
        atMs: now(),
      })
    this.#keep({ ...told, percent: percents.at(-1) ?? 0, limitNanoUsd: state.limitNanoUsd })
  }

  #toldOf({ keyId, period, limitNanoUsd }: BudgetState, atMs: number): Told {
    const [key, name] = [keyId ?? '', periodName(period, atMs)]
    return this.#told.get(placeOf(name, key)) ?? { key, periodName: name, percent: 0, limitNanoUsd, round: 0 }
  }

  #keep(told: Told): void {
    const { shelf, now } = this.#options
    const place = placeOf(told.periodName, told.key)
    const isNew = !this.#told.has(place)
    this.#told.set(place, told)
    shelf.setTold(told)
    if (!isNew) return
    const oldest = periodName('day', now() - KEPT_MS)
    shelf.removeToldBefore(oldest)
    for (const [known, { periodName: name }] of this.#told) if (name < oldest) this.#told.delete(known)
  }
}

const placeOf = (name: string, key: string): string => `${name} ${key}`

/** Whoever sets a limit of nothing knows that it is reached. */
function reachedBy({ spentNanoUsd, limitNanoUsd }: BudgetState): Threshold | 0 {
  if (limitNanoUsd === 0) return 0
  // Not divided: a seventh of a billionth would be missing at 100 %.
  return THRESHOLDS.findLast((percent) => spentNanoUsd * 100 >= limitNanoUsd * percent) ?? 0
}
