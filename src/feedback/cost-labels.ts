import type { LedgerAttemptRow } from '../cost/ledger.ts'
import { OTHER } from '../metrics/catalogue.ts'
import type { RouteNames } from '../metrics/route-names.ts'

/** What metrics call those whose costs they count. */
export interface CostLabelling {
  /** Of requests for this; 0 = not known. */
  modeOf(routeId: string | undefined): number
  tenantOf(tenantId: string): string
  routeOf(routeId: string): RouteNames
}

/** What goes along with a request, so that whoever prices it counts it under the names that the gateway has. */
export interface CostLabels {
  readonly tenant: string
  /** Of its calls, in their order. */
  readonly calls: readonly RouteNames[]
}

/** A row of the ledger by the labels that it is counted under. */
export interface CountedAs {
  readonly tenant: string
  readonly mode: number
  readonly shares: readonly (RouteNames & { readonly usd: number })[]
}

const UNKNOWN: RouteNames = { provider: OTHER, model: OTHER }

export const labelsOf = (
  labelling: CostLabelling,
  tenantId: string,
  attempts: readonly { readonly routeId: string }[],
): CostLabels => ({
  tenant: labelling.tenantOf(tenantId),
  calls: attempts.map(({ routeId }) => labelling.routeOf(routeId)),
})

/** @param labels undefined where nobody told how the request ended: it is counted without its names */
export const countedAs = (
  mode: number | null,
  labels: CostLabels | undefined,
  attempts: readonly LedgerAttemptRow[],
): CountedAs => ({
  tenant: labels?.tenant || OTHER,
  mode: mode ?? 0,
  shares: attempts.map(({ attempt, cost_usd }) => ({
    ...(labels?.calls[attempt - 1] ?? UNKNOWN),
    usd: cost_usd,
  })),
})
