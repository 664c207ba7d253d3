import type { WaitUntil } from '../core/clock.ts'
import { Lru } from '../core/lru.ts'
import { seriesName } from './catalogue.ts'
import type { RequestFacts, Sink } from './request-facts.ts'

/** How far a budget is used, as the tenant's account says. */
export interface BudgetUse {
  readonly limitNanoUsd: number
  readonly spentNanoUsd: number
  /** When it begins anew, milliseconds since the epoch. */
  readonly resetsAtMs: number
}

export interface BudgetUsesOptions {
  readonly now: () => number
  readonly sink: Pick<Sink, 'count'>
  readonly tenantLabel: (tenantId: string) => string
  readonly load: (tenantId: string) => Promise<readonly BudgetUse[]>
}

interface Known {
  readonly tenantId: string
  askAtMs: number
  uses: readonly BudgetUse[]
}

const ASK_MS = 60_000
/** From here on an answer comes with a warning. */
const NEAR = 0.9
const NEAR_WARNING = seriesName('warnings_total', { type: 'budget_near' })
const MAX_TENANTS = { maxEntries: 1_000, maxBytes: 1_000, ownerShare: 1 }

/** How far the budgets are used of those tenants whose requests here had money held back for them. */
export class BudgetUses {
  readonly #options: BudgetUsesOptions
  readonly #held = new Set<Known>()
  readonly #byTenant = new Lru<Known>(MAX_TENANTS, (known) => this.#held.delete(known))

  constructor(options: BudgetUsesOptions) {
    this.#options = options
  }

  /** Counts the warning, and asks the account anew once a minute, behind the answer. */
  settled({ tenantId, attempts, errorCode, outcome }: RequestFacts, waitUntil: WaitUntil): void {
    const isWatched =
      errorCode === 'budget_exceeded' || attempts.some(({ reservedNanoUsd }) => reservedNanoUsd !== undefined)
    if (!isWatched || tenantId === undefined) return
    const known = this.#byTenant.get(tenantId) ?? this.#meet(tenantId)
    const nowMs = this.#options.now()
    if (outcome === 'success' && this.#fullest(known, nowMs) >= NEAR) this.#options.sink.count(NEAR_WARNING)
    if (nowMs < known.askAtMs) return
    known.askAtMs = nowMs + ASK_MS
    waitUntil(this.#load(known))
  }

  /** Of tenants that share a label, the fullest. A budget that has begun anew is not told of before it is asked. */
  gauges(): Record<string, number> {
    const nowMs = this.#options.now()
    const gauges: Record<string, number> = {}
    for (const known of this.#held) {
      const used = this.#fullest(known, nowMs)
      if (used < 0) continue
      const tenant = this.#options.tenantLabel(known.tenantId)
      const series = seriesName('tenant_budget_utilization_ratio', { tenant })
      gauges[series] = Math.max(gauges[series] ?? 0, used)
    }
    return gauges
  }

  #meet(tenantId: string): Known {
    const known: Known = { tenantId, askAtMs: 0, uses: [] }
    this.#byTenant.set(tenantId, known, 1, tenantId)
    this.#held.add(known)
    return known
  }

  /** @returns below 0 where no budget is known */
  #fullest({ uses }: Known, nowMs: number): number {
    const ratios = uses
      .filter(({ resetsAtMs, limitNanoUsd }) => resetsAtMs > nowMs && limitNanoUsd > 0)
      .map(({ spentNanoUsd, limitNanoUsd }) => spentNanoUsd / limitNanoUsd)
    return Math.max(-1, ...ratios)
  }

  async #load(known: Known): Promise<void> {
    try {
      known.uses = await this.#options.load(known.tenantId)
    } catch {
      // What was known stays until its budget begins anew.
    }
  }
}
