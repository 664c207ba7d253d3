import type { NanoUsd } from './nano-usd.ts'

export const PERIODS = ['day', 'month'] as const
export type BudgetPeriod = (typeof PERIODS)[number]

/** What may be spent within each day or month, of UTC. */
export interface Budget {
  /** Whose spending counts: one key's, or all of the tenant's where it is null. */
  readonly keyId: string | null
  readonly period: BudgetPeriod
  readonly limitNanoUsd: NanoUsd
  /** A hard one is never passed; of a soft one it is only said that it was. */
  readonly isHard: boolean
}

/** How far a budget is used. */
export interface BudgetState extends Budget {
  readonly spentNanoUsd: NanoUsd
  /** For calls that are under way, each at the most it may cost. */
  readonly reservedNanoUsd: NanoUsd
  /** When it begins anew, milliseconds since the epoch. */
  readonly resetsAtMs: number
}

/** `2026-11-21`, or `2026-11`. */
export const periodName = (period: BudgetPeriod, atMs: number): string =>
  new Date(atMs).toISOString().slice(0, period === 'day' ? 10 : 7)

export function periodEndMs(period: BudgetPeriod, atMs: number): number {
  const at = new Date(atMs)
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()]
  return period === 'day' ? Date.UTC(year, month, at.getUTCDate() + 1) : Date.UTC(year, month + 1)
}
