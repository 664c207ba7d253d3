import type { Flight, LimitShelf, OwnedSecond } from '../../src/tenants/limit-book.ts'
import type { OwnedLimits, TokenAsk } from '../../src/tenants/limits.ts'

/** Storage that outlives its book. */
export function memoryLimitShelf(): LimitShelf & { readonly rows: () => number } {
  let limits: readonly OwnedLimits[] = []
  const seconds = new Map<string, OwnedSecond>()
  const flights = new Map<string, Flight>()
  return {
    limits: () => limits,
    setLimits: (wanted) => {
      limits = wanted
    },
    seconds: () => [...seconds.values()].sort((a, b) => a.second - b.second),
    setSecond: (second) => void seconds.set(`${second.owner} ${second.kind} ${second.second}`, second),
    removeSeconds: (owner, kind, through = Number.POSITIVE_INFINITY) => {
      for (const [place, { owner: of, kind: by, second }] of seconds)
        if (of === owner && by === kind && second <= through) seconds.delete(place)
    },
    flights: () => [...flights.values()].sort((a, b) => a.atMs - b.atMs),
    addFlight: (flight) => void flights.set(flight.predictionId, flight),
    removeFlight: (predictionId) => void flights.delete(predictionId),
    clear: () => {
      limits = []
      seconds.clear()
      flights.clear()
    },
    rows: () => seconds.size + flights.size,
  }
}

export const needs = (inputTokens: number, maxTokens?: number, choices = 1): TokenAsk => ({
  inputTokens,
  maxTokens,
  choices,
})
