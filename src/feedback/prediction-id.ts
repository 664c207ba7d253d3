const HEX = '[0-9a-fA-F]'
export const UUID = new RegExp(`^${HEX}{8}-${HEX}{4}-${HEX}{4}-${HEX}{4}-${HEX}{12}$`)
export const UUID_V7 = new RegExp(`^${HEX}{8}-${HEX}{4}-7${HEX}{3}-[89abAB]${HEX}{3}-${HEX}{12}$`)

const DAY_MS = 24 * 60 * 60_000
/** The longest that a tenant can have predictions kept (`tenants.retention_days`). */
const RETENTION_MS = 730 * DAY_MS
/** By how much the clock that made the id may be ahead of this one. */
const AHEAD_MS = 5 * 60_000

/** When the id was made, in milliseconds since the epoch. @param id a UUID of version 7 */
export const madeAtMs = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

/** Why no prediction that is still kept can have this id; undefined where one can. */
export function predictionIdProblem(id: string, nowMs: number): string | undefined {
  if (!UUID_V7.test(id)) return 'The prediction id is not one that this gateway makes.'
  const ageMs = nowMs - madeAtMs(id)
  if (ageMs > RETENTION_MS) return 'The prediction is older than predictions are kept.'
  if (ageMs < -AHEAD_MS) return 'The prediction id lies in the future.'
  return undefined
}
