import { DAY_MS, HOUR_MS } from '../../src/warming/calendar.ts'
import { seededRandom } from '../seeded-random.ts'
import { type Draw, drawFrom } from './draw.ts'
import { TRACE_START_MS, type Trace, type TraceRequest } from './trace.ts'

/** How busy each hour of a day is, 00:00 UTC first: a quiet night, two peaks. */
export const DAY_CURVE = [
  0.02, 0.02, 0.02, 0.02, 0.02, 0.05, 0.3, 0.7, 1.2, 1.6, 1.7, 1.6, 1.2, 1.3, 1.6, 1.7, 1.5, 1.2, 0.9, 0.8,
  0.7, 0.5, 0.3, 0.1,
] as const
const CURVE_SUM = DAY_CURVE.reduce<number>((sum, each) => sum + each, 0)

export interface Prompt {
  readonly tenant: string
  readonly text: string
  readonly meaning: string
  readonly costUsd: number
  readonly latencyMs: number
}

/** Collects the requests of one trace. The same name and seed make the same trace. */
export interface Making {
  readonly draw: Draw
  /** A prompt with its own length of answer, which sets its cost and its time. */
  readonly prompt: (text: string, meaning?: string, tenant?: string) => Prompt
  readonly ask: (prompt: Prompt, atMs: number) => void
  readonly done: (countedFromMs: number) => Trace
}

export function making(name: string, seed: number): Making {
  // Each trace has its own stream: the same seed shall not repeat the same draws in all of them.
  const draw = drawFrom(
    seededRandom([...name].reduce((mixed, letter) => mixed * 31 + letter.charCodeAt(0), seed)),
  )
  const requests: TraceRequest[] = []
  return {
    draw,
    prompt: (text, meaning = text, tenant = 'acme') => {
      const length = Math.exp(0.3 * draw.normal())
      return { tenant, text, meaning, costUsd: 0.002 * length, latencyMs: 500 + 1_300 * length }
    },
    ask: ({ tenant, text, meaning, costUsd, latencyMs }, atMs) => {
      const slowness = Math.exp(0.5 * draw.normal())
      requests.push({
        atMs: Math.floor(atMs),
        tenant,
        prompt: text,
        meaning: `${tenant}: ${meaning}`,
        costUsd,
        latencyMs: Math.round(latencyMs * slowness),
      })
    },
    done: (countedFromMs) => ({
      name,
      countedFromMs,
      requests: requests.filter(({ atMs }) => atMs >= TRACE_START_MS).sort((a, b) => a.atMs - b.atMs),
    }),
  }
}

/** Calls `each` with the hours of so many days: their start, how many requests fall into them, day and hour. */
export function eachHour(
  { draw }: Making,
  days: number,
  requestsADay: number,
  each: (hour: { startMs: number; count: number; day: number; hour: number }) => void,
): void {
  for (let day = 0; day < days; day++) {
    for (let hour = 0; hour < 24; hour++) {
      const count = draw.poisson((requestsADay * (DAY_CURVE[hour] ?? 0)) / CURVE_SUM)
      each({ startMs: TRACE_START_MS + day * DAY_MS + hour * HOUR_MS, count, day, hour })
    }
  }
}
