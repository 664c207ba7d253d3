import { HOUR_MS } from '../../src/warming/calendar.ts'
import { picker, zipfWeights } from './draw.ts'
import { making } from './making.ts'
import { TRACE_START_MS, type Trace } from './trace.ts'

const COUNTED = 10_000
const WARM_UP = 20_000
const HOURS = 24
const PROMPTS = 30
const TENANTS = ['acme', 'rival'] as const
const NEW_SHARE = 0.002

/**
 * A well-known load, as busy by night as by day: 10,000 requests in 24 hours, after 48 hours (20,000 requests) of
 * warm-up. Two tenants ask the same 30 questions, which differ in one number; one request in 500 nobody asked before.
 */
export function steady(seed: number): Trace {
  const made = making('steady', seed)
  const { draw } = made
  const known = TENANTS.flatMap((tenant) =>
    Array.from({ length: PROMPTS }, (_, n) =>
      made.prompt(`What does error ${100 + n} of the device mean?`, undefined, tenant),
    ),
  )
  const pick = picker(TENANTS.flatMap(() => zipfWeights(PROMPTS).map((weight) => weight + 0.05)))
  const stepMs = (HOURS * HOUR_MS) / COUNTED
  for (let n = 0; n < WARM_UP + COUNTED; n++) {
    const isNew = draw.unit() < NEW_SHARE
    const prompt = isNew
      ? made.prompt(`What does error ${100_000 + n} of the device mean?`)
      : known[pick(draw.unit())]
    if (prompt) made.ask(prompt, TRACE_START_MS + (n + draw.unit() * 0.9) * stepMs)
  }
  return made.done(TRACE_START_MS + WARM_UP * stepMs)
}
