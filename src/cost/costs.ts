/** What costs can be counted by, beside `tag:NAME`. */
export const DIMENSIONS = ['tenant', 'key', 'user', 'tag', 'model', 'task', 'mode', 'day', 'hour'] as const

/** Sums of requests and of hits. Money is text in US dollars with nine decimals, exact to the billionth. */
export interface CostSums {
  /** That reached a provider. */
  readonly requests: number
  /** To providers, that may be charged for. */
  readonly calls: number
  readonly cost_usd: string
  /** Without a known price: they count as nothing. */
  readonly unpriced_calls: number
  /** Whose tokens are our guess. */
  readonly estimated_calls: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cache_hits: number
  readonly saved_by_cache_usd: string
}

export interface CostLine extends CostSums {
  /** Null: not known, none, or all the `others`. */
  readonly value: string | null
  /** How many further values are added up here; mostly 0. */
  readonly others: number
}

/** What requests would have cost on the model that they are compared with. */
export interface BaselineSums {
  readonly model: string
  readonly requests: number
  readonly cost_usd: string
  readonly baseline_usd: string
  readonly saved_usd: string
}

/** Costs of whole days of a time zone, all of one moment. */
export interface Costs {
  /** Null = all of them. */
  readonly tenant: string | null
  readonly time_zone: string
  readonly first_day: string
  readonly last_day: string
  readonly starts_at: string
  readonly ends_at: string
  /** By dimension; `total` is always there, but for days without costs or hits. */
  readonly sums: Readonly<Record<string, readonly CostLine[]>>
  /** As many days before, for as long as these have lasted. */
  readonly before: { readonly starts_at: string; readonly ends_at: string; readonly cost_usd: string }
  readonly baselines: readonly BaselineSums[]
}

export interface CostQuestion {
  /** Undefined = all tenants together, in UTC. */
  readonly tenantId: string | undefined
  /** `2026-11-21`, in the tenant's time zone; of the current month when not given. */
  readonly firstDay: string | undefined
  readonly lastDay: string | undefined
  readonly dimensions: readonly string[]
  /** Values of each dimension; the others are added up. */
  readonly top: number
}

/** A day or month that has begun, in the tenant's time zone. */
export interface BegunPeriod {
  readonly ends_at: string
  readonly spent_usd: string
}

/** Spend in slots of time, of which the last one has just ended. */
export interface SpendHistory {
  readonly slots: number
  /** Pairs of a slot's number and dollars, in order; slots without spend are left out. */
  readonly spent: readonly (readonly [number, number])[]
  readonly day: BegunPeriod
  readonly month: BegunPeriod
}

export interface CostStore {
  /** @returns undefined where it is asked for no days, or for too many */
  costs(question: CostQuestion): Promise<Costs | undefined>
  history(tenantId: string | undefined, days: number, slotMinutes: number): Promise<SpendHistory>
  /** @returns false where the database knows no such zone */
  setTimeZone(tenantId: string, zone: string): Promise<boolean>
}

const NOTHING: CostSums = {
  requests: 0,
  calls: 0,
  cost_usd: '0.000000000',
  unpriced_calls: 0,
  estimated_calls: 0,
  input_tokens: 0,
  output_tokens: 0,
  cache_hits: 0,
  saved_by_cache_usd: '0.000000000',
}

export function totalsOf({ sums }: Costs): CostSums {
  const [line] = sums.total ?? []
  if (!line) return NOTHING
  const { value, others, ...totals } = line
  return totals
}

/** Costs as they are told: totals, breakdowns, and what was saved. */
export function costReport(costs: Costs) {
  const { tenant, time_zone, first_day, last_day, starts_at, ends_at, sums, before, baselines } = costs
  const totals = totalsOf(costs)
  const { total, ...breakdowns } = sums
  const was = Number(before.cost_usd)
  return {
    tenant,
    time_zone,
    from: first_day,
    to: last_day,
    starts_at,
    ends_at,
    totals,
    breakdowns,
    trend: { before, change: was > 0 ? Number(totals.cost_usd) / was - 1 : null },
    savings: {
      cache: { hits: totals.cache_hits, saved_usd: totals.saved_by_cache_usd },
      // Nothing is compared unless the operator named a model.
      ...(baselines.length > 0 && { routing: baselines }),
    },
  }
}

const ZONE = /^[A-Za-z_]+(\/[A-Za-z0-9_+-]+){0,2}$/

/** Whether it is a name of IANA's. Offsets are none: they know no summer. */
export function isTimeZone(name: string): boolean {
  if (name.length > 64 || !ZONE.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
