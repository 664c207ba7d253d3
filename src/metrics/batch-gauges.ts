type Gauges = Readonly<Record<string, number>>

/** How long a gauge is believed without a new word of its isolate. */
const LEASE_MS = 60_000
/** A workflow may be silent for long while one of its steps is at work. */
const LONG_LEASES_MS: Readonly<Record<string, number>> = { workflows_active: 15 * 60_000 }
/** After so long no gauge of an isolate is believed. */
export const LONGEST_LEASE_MS = Math.max(LEASE_MS, ...Object.values(LONG_LEASES_MS))

/** Of these every isolate tells the same thing; of all others each tells its own part. */
const SAME_FOR_ALL = [
  'build_info',
  'start_time_seconds',
  'probe_success',
  'cache_capacity_entries',
  'telemetry_lag_seconds',
  'tenant_budget_utilization_ratio',
]

const familyOf = (series: string): string => series.split('{', 1)[0] ?? series

/** What is still true of gauges told so long ago. */
export function stillLeased(gauges: Gauges, ageMs: number): Gauges {
  if (ageMs < LEASE_MS) return gauges
  return Object.fromEntries(
    Object.entries(gauges).filter(([series]) => ageMs < (LONG_LEASES_MS[familyOf(series)] ?? LEASE_MS)),
  )
}

/** Adds the parts up; of what is the same for all, the largest. */
export function mergeGauges(parts: Iterable<Gauges>): Record<string, number> {
  const merged = new Map<string, number>()
  for (const part of parts) {
    for (const [series, value] of Object.entries(part)) {
      const known = merged.get(series)
      if (known === undefined) merged.set(series, value)
      else
        merged.set(series, SAME_FOR_ALL.includes(familyOf(series)) ? Math.max(known, value) : known + value)
    }
  }
  return Object.fromEntries(merged)
}
