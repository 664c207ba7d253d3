import { DAY_MS, HOUR_MS } from '../../src/warming/calendar.ts'
import {
  advance,
  newPatterns,
  type Observation,
  observe,
  type TenantPatterns,
} from '../../src/warming/patterns.ts'

/** A Monday, 00:00 UTC. */
export const MONDAY_MS = Date.UTC(2026, 0, 5)

export const at = (day: number, hour: number): number => MONDAY_MS + day * DAY_MS + hour * HOUR_MS

export const seen = (promptHash: string, atMs: number, more: Partial<Observation> = {}): Observation => ({
  tenant: 'acme',
  promptHash,
  atMs,
  hit: false,
  costUsd: 0.002,
  latencyMs: 2_000,
  ...more,
})

/** When each prompt of a small office comes; `undefined` where it does not come that day. */
export const OFFICE: Readonly<Record<string, (day: number) => readonly number[]>> = {
  daily: () => [9, 11, 15],
  monday: (day) => (day % 7 === 0 ? [9, 10] : []),
  weekend: (day) => (day % 7 >= 5 ? [10, 12, 20] : []),
  evening: () => [21],
  given_up: (day) => (day < 21 ? [9, 10, 14] : []),
  new: (day) => (day >= 33 ? [9, 10, 14] : []),
  once: (day) => (day === 3 ? [9] : []),
}

/** What is known after so many days of the office and of some passers-by, at the start of the next day. */
export function afterDays(days: number, prompts = OFFICE): TenantPatterns {
  const known = newPatterns('acme')
  for (let day = 0; day < days; day++) {
    const today = Object.entries(prompts).flatMap(([name, hours]) =>
      hours(day).map((hour) => ({ name, hour })),
    )
    for (let n = 0; n < 5; n++) today.push({ name: `passer-by ${day} ${n}`, hour: 8 + n })
    for (const { name, hour } of today.sort((a, b) => a.hour - b.hour))
      observe(known, seen(name, at(day, hour)))
  }
  advance(known, at(days, 0))
  return known
}
