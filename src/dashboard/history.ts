import * as z from 'zod/mini'
import { figuresOf, type Told } from './history-panels.ts'
import type { Figures } from './messages.ts'
import type { LongMinutes, LongView } from './view.ts'

/** What panels showed over a longer time, from what the database summed up. */
export interface History {
  readonly minutes: LongMinutes
  /** When it was asked for. */
  readonly atMs: number
  /** All that was stored by then is counted; null: nothing was ever summed up. */
  readonly summedToMs: number | null
  readonly stepSeconds: number
  /** The ends of the steps that `points` are of, seconds since the epoch; the last one is not over. */
  readonly times: readonly number[]
  readonly choices: Readonly<Record<string, readonly string[]>>
  readonly figures: Figures
}

/** Totals are kept by the hour, so a step is whole hours. */
export const STEP_SECONDS: Readonly<Record<LongMinutes, number>> = {
  1440: 3_600,
  10080: 7_200,
  43200: 21_600,
}

const HOUR_S = 3_600

/** From a full hour on, so that no total is cut. Seconds since the epoch. */
export const beginOf = ({ minutes }: LongView, nowMs: number): number =>
  Math.floor(nowMs / 1_000 / HOUR_S) * HOUR_S - minutes * 60

// Postgres' numeric may come as text.
const number = z.coerce.number()
const orZero = z.pipe(
  z.nullable(number),
  z.transform((value) => value ?? 0),
)
const orNull = z.nullable(number)
const at = z.nullable(z.string())

const told = z.object({
  summed_to: z.nullable(z.string()),
  requests: z.array(
    z.object({
      at,
      requests: orZero,
      successes: orZero,
      errors: orZero,
      cancelled: orZero,
      hits: orZero,
      misses: orZero,
    }),
  ),
  latency: z.array(z.object({ at, mean_ms: orNull, p95_ms: orNull, p99_ms: orNull })),
  costs: z.array(
    z.object({
      at,
      asked: orZero,
      cached: orZero,
      input_tokens: orZero,
      output_tokens: orZero,
      cost_usd: orZero,
      saved_by_cache_usd: orZero,
      saved_by_routing_usd: orZero,
    }),
  ),
  modes: z.array(
    z.object({ mode: number, requests: number, hits: number, misses: number, bypasses: number }),
  ),
  mode_costs: z.array(z.object({ mode: number, cost_usd: number })),
  tenants: z.array(z.object({ tenant: z.string(), requests: number })),
  tenant_costs: z.array(z.object({ tenant: z.string(), cost_usd: number })),
  scores: z.array(z.object({ at, at_most: number, ratings: number, score: number })),
  troubles: z.array(z.object({ at, kind: z.string(), type: z.string(), requests: number })),
  choices: z.record(z.string(), z.array(z.string())),
})

/** @param answer of the database's function `dashboard_history` */
export function historyOf(answer: unknown, view: LongView, nowMs: number): History {
  const { summed_to, choices, ...rows } = told.parse(answer)
  const summedMs = Date.parse(summed_to ?? '')
  const stepSeconds = STEP_SECONDS[view.minutes]
  const fromS = beginOf(view, nowMs)
  const summedToMs = Number.isNaN(summedMs) ? null : Math.min(summedMs, nowMs)
  const endS = Math.max(fromS, (summedToMs ?? nowMs) / 1_000)
  const count = Math.floor((endS - fromS) / stepSeconds) + 1
  const steps: Told['steps'] = Array.from({ length: count }, (_, i) => {
    const startS = fromS + i * stepSeconds
    return { startS, seconds: Math.min(startS + stepSeconds, endS) - startS }
  }).filter(({ seconds }) => seconds > 0)
  return {
    minutes: view.minutes,
    atMs: nowMs,
    summedToMs,
    stepSeconds,
    times: steps.map(({ startS, seconds }) => startS + seconds),
    choices,
    figures: figuresOf({ ...rows, steps, seconds: endS - fromS }),
  }
}

export type Rows = Omit<z.infer<typeof told>, 'summed_to' | 'choices'>
