import { HOUR_MS } from './calendar.ts'
import { type Forecast, forecaster } from './forecast.ts'
import type { Pattern, TenantPatterns } from './patterns.ts'
import { expectedPrice } from './price.ts'

/** A prompt that could be asked again, because its sealed request lies beside its entry. */
export interface Candidate {
  readonly promptHash: string
  /** When its entry expires in the tier that keeps longest; in the past where it has none any more. */
  readonly expiresAtMs: number
}

/** What one plan may use. */
export interface WarmingBudget {
  readonly calls: number
  readonly usd: number
  readonly kvWrites: number
}

export interface WarmingTerms {
  readonly nowMs: number
  /** Until the next plan, milliseconds. */
  readonly everyMs: number
  /** How long a warmed entry lives, milliseconds. */
  readonly lifeMs: number
  /** What it is worth that nobody waits a second, dollars. */
  readonly usdPerSecond: number
  readonly budget: WarmingBudget
}

export interface Warming {
  readonly promptHash: string
  /** That someone asks for it between the death of the entry there is and that of the new one. */
  readonly probability: number
  /** Requests that the new entry is expected to answer in that time. */
  readonly expectedRequests: number
  readonly costUsd: number
  /** What is won on average, the cost taken off; see `worth`. */
  readonly worthUsd: number
  /** Two or more requests are expected while KV would keep it: the write pays. */
  readonly toKv: boolean
}

export interface WarmingPlan {
  /** Best first. */
  readonly warmings: readonly Warming[]
  readonly costUsd: number
  readonly kvWrites: number
}

/** How candidates are put in order: the highest score first; `undefined` leaves one out. */
export type Strategy = (pattern: Pattern, outlook: Outlook) => number | undefined

export interface Outlook {
  readonly worthUsd: number
  /** What part it takes of the budget of calls, plus what part of the money. */
  readonly budgetShare: number
}

export const STRATEGIES = {
  none: () => undefined,
  recent: (pattern) => pattern.lastMs,
  frequent: (pattern) => pattern.total,
  /** The most worth for what it takes of the budgets; nothing that is expected to cost more than it is worth. */
  forecast: (_, { worthUsd, budgetShare }) => (worthUsd > 0 ? worthUsd / budgetShare : undefined),
} as const satisfies Record<string, Strategy>

export type StrategyName = keyof typeof STRATEGIES

const KV_LIFE_MS = HOUR_MS
const KV_PAYS_FROM = 2

/**
 * What to warm now, within the budget, from what was seen until now. Left out is what has a living entry until
 * the next plan, and what is not known as a pattern. `known` must have been advanced to this moment.
 */
export function planWarming(
  known: TenantPatterns,
  candidates: Iterable<Candidate>,
  terms: WarmingTerms,
  strategy: Strategy = STRATEGIES.forecast,
): WarmingPlan {
  const { nowMs, budget } = terms
  const expected = forecaster(known, nowMs)
  const ranked: { readonly score: number; readonly warming: Omit<Warming, 'toKv'> }[] = []
  for (const { promptHash, expiresAtMs } of candidates) {
    if (expiresAtMs > nowMs + terms.everyMs) continue
    const pattern = known.patterns.get(promptHash)
    if (!pattern) continue
    const price = expectedPrice(pattern.price, known.price)
    const ahead = expected(pattern, expiresAtMs, nowMs + terms.lifeMs)
    const worthUsd = worth(price, ahead, terms)
    // A call that costs nothing takes nothing of a budget of nothing.
    const usdShare = price.costUsd > 0 ? price.costUsd / budget.usd : 0
    const budgetShare = 1 / budget.calls + usdShare
    const score = strategy(pattern, { worthUsd, budgetShare })
    if (score === undefined) continue
    const { probability, requests: expectedRequests } = ahead
    const { costUsd } = price
    ranked.push({ score, warming: { promptHash, probability, expectedRequests, costUsd, worthUsd } })
  }
  // Equal scores go by the key, so that the same knowledge makes the same plan.
  ranked.sort((a, b) => b.score - a.score || (a.warming.promptHash < b.warming.promptHash ? -1 : 1))
  return withinBudget(
    ranked.map(({ warming }) => warming),
    budget,
    (promptHash) => {
      const pattern = known.patterns.get(promptHash)
      return pattern !== undefined && expected(pattern, nowMs, nowMs + KV_LIFE_MS).requests >= KV_PAYS_FROM
    },
  )
}

/**
 * Expected hits that only warming makes x what each saves x their probability, less the cost of warming. Of all
 * requests that the entry will answer only the first is such a hit: it would have paid for the call and waited
 * for it, and the others would have found its answer.
 */
function worth(
  { costUsd, latencyMs }: { readonly costUsd: number; readonly latencyMs: number },
  { probability }: Forecast,
  { usdPerSecond }: WarmingTerms,
): number {
  const savedUsd = costUsd + (latencyMs / 1_000) * usdPerSecond
  return probability * savedUsd - costUsd
}

function withinBudget(
  ranked: readonly Omit<Warming, 'toKv'>[],
  budget: WarmingBudget,
  paysInKv: (promptHash: string) => boolean,
): WarmingPlan {
  const warmings: Warming[] = []
  let [costUsd, kvWrites] = [0, 0]
  for (const warming of ranked) {
    if (warmings.length + 1 > budget.calls) break
    if (costUsd + warming.costUsd > budget.usd) continue
    const toKv = kvWrites + 1 <= budget.kvWrites && paysInKv(warming.promptHash)
    warmings.push({ ...warming, toKv })
    costUsd += warming.costUsd
    if (toKv) kvWrites += 1
  }
  return { warmings, costUsd, kvWrites }
}
