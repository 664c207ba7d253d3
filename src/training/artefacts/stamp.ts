/** A moment in a name: 2026-11-21, 20261121T101500Z, 2026-11-21T10-15-00-123Z; or milliseconds since the epoch. */
const STAMP =
  /(?<!\d)(?:(\d{4})-?(\d\d)-?(\d\d)(?:[T_-]?(\d\d)[-.]?(\d\d)[-.]?(\d\d)(?:[-.]?(\d{3}))?)?|(\d{13}))(?!\d)Z?/g

interface Stamp {
  readonly ms: number
  readonly at: number
  readonly length: number
}

/** The last one counts: `model-of-2025-01-01-made-2026-01-01.json` was made in 2026. */
function lastStamp(name: string): Stamp | undefined {
  let last: Stamp | undefined
  const from = name.lastIndexOf('/') + 1
  for (const match of name.slice(from).matchAll(STAMP)) {
    const ms = match[8] === undefined ? utc(match.slice(1, 8)) : Number(match[8])
    if (ms !== undefined) last = { ms, at: from + match.index, length: match[0].length }
  }
  return last
}

/** @returns milliseconds since the epoch, read as UTC; undefined without a stamp */
export const stampOf = (name: string): number | undefined => lastStamp(name)?.ms

/** The name without its stamp: what all versions of one thing share. */
export function unstamped(name: string): string {
  const stamp = lastStamp(name)
  if (!stamp) return name
  const before = name.slice(0, stamp.at).replace(/[-_.]$/, '')
  return before + name.slice(stamp.at + stamp.length)
}

/** @example stamped('models/quality.json', Date.UTC(2026, 10, 21)) // 'models/quality-20261121T000000000Z.json' */
export function stamped(name: string, ms: number): string {
  const stamp = new Date(ms).toISOString().replace(/[-:.]/g, '')
  return name.replace(/(\.json)?$/, `-${stamp}.json`)
}

/** Newest first; what has no stamp comes last. The name decides between equals, so that the order is always the same. */
export function byNewest(a: string, b: string): number {
  const [aMs = Number.NEGATIVE_INFINITY, bMs = Number.NEGATIVE_INFINITY] = [stampOf(a), stampOf(b)]
  if (aMs !== bMs) return aMs > bMs ? -1 : 1
  return a > b ? -1 : a < b ? 1 : 0
}

function utc(parts: readonly (string | undefined)[]): number | undefined {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, milli = 0] = parts.map((part) =>
    part === undefined ? undefined : Number(part),
  )
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, milli)
  const date = new Date(ms)
  // Date.UTC takes the 31st of February for the 3rd of March.
  const real =
    year >= 1970 &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second < 60
  return real ? ms : undefined
}
