/**
 * Money inside: billionths of a US dollar, whole. A number and not a bigint, because it goes through JSON, queues and
 * SQLite, none of which carry a bigint; 2^53 of them are nine million dollars, more than any one sum here.
 */
export type NanoUsd = number

const NANO = 1e9

/**
 * To the nearest billionth. What is too large for a sum stays at the largest there is, and is not lost.
 * @throws RangeError where `usd` is negative or no number: neither may pass as free
 */
export const toNanoUsd = (usd: number): NanoUsd => whole(usd, Math.round)

/** As `toNanoUsd`, but never less than `usd`: for bounds. */
export const toNanoUsdUp = (usd: number): NanoUsd => whole(usd, Math.ceil)

export const toUsd = (nano: NanoUsd): number => nano / NANO

export function addNanoUsd(...sums: readonly NanoUsd[]): NanoUsd {
  let total = 0
  for (const sum of sums) total += sum
  return Math.min(total, Number.MAX_SAFE_INTEGER)
}

function whole(usd: number, round: (value: number) => number): NanoUsd {
  if (!(usd >= 0)) throw new RangeError('a sum of money must be a number of at least 0')
  return Math.min(round(usd * NANO), Number.MAX_SAFE_INTEGER)
}
