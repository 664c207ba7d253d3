import type { Batch, BatchAnswer } from './batch.ts'
import { NONE, OTHER, seriesName } from './catalogue.ts'
import { MODES } from './families/values.ts'
import { regionOf, shardName } from './shard-name.ts'

/** Dollars under the labels that they are counted by. */
export interface CostCount {
  /** Null where it was saved. */
  readonly tenant: string | null
  /** 0 = not known. */
  readonly mode: number
  readonly provider: string | null
  readonly model: string | null
  readonly spentUsd: number
  readonly savedUsd: number
}

/** What was booked anew, as the ledger's store hands it out. */
export interface CostBatch {
  /** Of the store, for as long as its numbers rise. */
  readonly teller: string
  /** Rising; the same until it is told. */
  readonly batch: number
  readonly counts: readonly CostCount[]
}

export interface CostTelling {
  readonly now: () => number
  /** @param told the batch that need not be told again */
  readonly next: (told: number | undefined) => Promise<CostBatch | undefined>
  /** Resolves once the shard has the batch in durable storage. */
  readonly take: (shard: string, batch: Batch) => Promise<BatchAnswer>
}

/** Of what a shard takes, what comes from the store. It is remembered for good: a batch of it may come again at any time. */
const TELLER = 'ledger '
export const isTeller = (isolate: string): boolean => isolate.startsWith(TELLER)
const isolateOf = (teller: string): string => `${TELLER}${teller}`
/** Always the same: another one would not know what was told. */
export const shardOfTeller = (teller: string): string => shardName(regionOf(undefined), isolateOf(teller))

/** Of one go; what is left is told by the next. */
const MAX_BATCHES = 20

/**
 * Tells a shard all that was booked. Whatever breaks off, what was told comes again under its number, which the shard
 * drops, and what was not is still there.
 */
export async function tellCosts({ now, next, take }: CostTelling): Promise<void> {
  let told: number | undefined
  for (let tried = 0; tried < MAX_BATCHES; tried++) {
    const costs = await next(told)
    if (!costs) return
    await take(shardOfTeller(costs.teller), toBatch(costs, now()))
    told = costs.batch
  }
}

/** As an isolate would send it; gathered now, because a batch that looks old may be dropped. */
export function toBatch({ teller, batch, counts }: CostBatch, nowMs: number): Batch {
  const counters: Record<string, number> = {}
  const add = (series: string, usd: number) => {
    counters[series] = (counters[series] ?? 0) + usd
  }
  for (const { tenant, mode, provider, model, spentUsd, savedUsd } of counts) {
    const modeLabel = MODES[mode - 1] ?? NONE
    if (tenant === null) {
      add(seriesName('cost_saved_usd_total', { mode: modeLabel, reason: 'cache' }), savedUsd)
      continue
    }
    const names = { provider: provider ?? OTHER, model: model ?? OTHER }
    add(seriesName('cost_usd_total', { type: 'llm', mode: modeLabel, ...names }), spentUsd)
    add(seriesName('tenant_cost_usd_total', { tenant }), spentUsd)
  }
  return {
    isolate: isolateOf(teller),
    seq: batch,
    startedAtMs: nowMs,
    added: { counters, histograms: {}, gauges: {} },
    sketches: {},
  }
}
