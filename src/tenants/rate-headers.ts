import type { RateKind, RateState } from './limits.ts'

const KINDS: readonly RateKind[] = ['requests', 'tokens']

/** What is left, in the headers that OpenAI's clients know. Where both a key and its tenant have a limit, the nearer one. */
export function rateHeaders(rates: readonly RateState[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const kind of KINDS) {
    const [nearest] = rates
      .filter((rate) => rate.kind === kind)
      .sort((a, b) => a.remaining - b.remaining || b.resetMs - a.resetMs)
    if (!nearest) continue
    headers[`x-ratelimit-limit-${kind}`] = String(nearest.limit)
    headers[`x-ratelimit-remaining-${kind}`] = String(nearest.remaining)
    headers[`x-ratelimit-reset-${kind}`] = duration(nearest.resetMs)
  }
  return headers
}

/** As OpenAI writes it: `20ms`, `8.64s`, `1m0s`. */
export function duration(ms: number): string {
  if (ms > 0 && ms < 1_000) return `${Math.ceil(ms)}ms`
  const minutes = Math.floor(ms / 60_000)
  const seconds = `${(ms - minutes * 60_000) / 1_000}s`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}
