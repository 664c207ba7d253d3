import { CLUES } from './clues.ts'
import { MEMORIES } from './memories.ts'
import { newPatterns, type Pattern, type TenantPatterns } from './patterns.ts'

/** Raised when the stored form changes: patterns of an older form are learnt anew. */
const FORM = 1

/** As JSON text. A prompt takes about 400 bytes. */
export function packPatterns({ patterns, ...known }: TenantPatterns): string {
  return JSON.stringify({ form: FORM, ...known, patterns: [...patterns] }, (_, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value,
  )
}

/** What was packed, or nothing known where the text is damaged, of an older form, or another tenant's. */
export function unpackPatterns(text: string, tenant: string, maxPatterns?: number): TenantPatterns {
  const fresh = newPatterns(tenant, maxPatterns)
  const stored = parsed(text)
  if (!stored || stored.form !== FORM || stored.tenant !== tenant) return fresh
  const { form: _, patterns, ...rest } = stored
  const known = { ...fresh, ...rest, tenant, maxPatterns: fresh.maxPatterns, patterns: new Map(patterns) }
  return isWhole(known) ? known : fresh
}

interface Stored extends Omit<TenantPatterns, 'patterns'> {
  readonly form: number
  readonly patterns: readonly [string, Pattern][]
}

function parsed(text: string): Stored | undefined {
  try {
    const stored: Stored | null = JSON.parse(text)
    return stored && Array.isArray(stored.patterns) ? stored : undefined
  } catch {
    return undefined
  }
}

/** One wrong number would spread through every forecast, so all of them are looked at. */
function isWhole(known: TenantPatterns): boolean {
  const { day, exposure, weekdayExposure, weekdayActive, profile, belief, price, patterns } = known
  return (
    areNumbers([day], 1) &&
    areNumbers(exposure, MEMORIES.length) &&
    areNumbers(weekdayExposure, 7) &&
    areNumbers(weekdayActive, 7) &&
    areNumbers(profile, 168) &&
    areNumbers(belief?.weights, CLUES) &&
    areNumbers(belief?.unsure, CLUES * CLUES) &&
    areNumbers(Object.values(price ?? {}), 3) &&
    [...patterns].every(([promptHash, pattern]) => typeof promptHash === 'string' && isPattern(pattern))
  )
}

function isPattern(pattern: Pattern | null): boolean {
  if (!pattern) return false
  const { total, today, lastMs, firstDay, lastDay, burst, counts, active, weekdays, hours, price } = pattern
  return (
    areNumbers([total, today, lastMs, firstDay, lastDay, burst], 6) &&
    areNumbers(counts, MEMORIES.length) &&
    areNumbers(active, MEMORIES.length) &&
    areNumbers(weekdays, 7) &&
    areNumbers(hours, 24) &&
    areNumbers(Object.values(price ?? {}), 3)
  )
}

const areNumbers = (values: unknown, length: number): boolean =>
  Array.isArray(values) && values.length === length && values.every((value) => Number.isFinite(value))
