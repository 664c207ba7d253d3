import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { check } from './checker.ts'
import { createWorld, type Step } from './world.ts'

// The same story as with real workers, in made-up time: thousands of them, and each that fails shrinks to its reason.

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
/** Found something once: in the checker itself, or in most of the ways in which the path was broken on purpose. */
const KEPT = [1, 7]

const small = fc.nat(30)
const how = fc.constantFrom('up' as const, 'away' as const, 'silent' as const)
const step = (withQueue: boolean): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('miss' as const), tenant: small }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const), pick: small }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('hits' as const),
        tenant: small,
        count: fc.integer({ min: 1, max: 25 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('rate' as const), pick: small }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('poison' as const), tenant: small }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        ms: fc.constantFrom(1, 300, 1_000, 5_000, 1_000_000),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('record' as const), dies: fc.boolean() }) },
    { weight: 2, arbitrary: fc.constant({ do: 'kill' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'evict' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('database' as const),
        is: fc.oneof(how, fc.constant('no letters' as const)),
      }),
    },
    ...(withQueue
      ? [{ weight: 2, arbitrary: fc.record({ do: fc.constant('queue' as const), is: how }) }]
      : []),
  )

/** @param bounds of what may die with an isolate */
const story = (withQueue: boolean, bounds: { windowMs: number; lostAtOnce: number }) =>
  fc.asyncProperty(
    fc.array(step(withQueue), { maxLength: 60, size: 'max' }),
    fc.nat(),
    async (steps, chance) => {
      const world = createWorld(chance)
      for (const each of steps) await world.perform(each)
      const stored = await world.comeToRest()
      expect(check(world.history, stored, bounds).findings).toEqual([])
      expect(world.left()).toBe(0)
    },
  )

describe('whatever happens, what was acknowledged is stored once', () => {
  // One unsent lot, of the last second.
  const whole = story(false, { windowMs: 1_000, lostAtOnce: 50 })
  // Hits that no queue took are lost with their isolate, however old they are.
  const withoutQueue = story(true, { windowMs: Number.POSITIVE_INFINITY, lostAtOnce: 10_000 })

  it(`with a sound queue (seed ${seed})`, () => fc.assert(whole, { seed, numRuns: 200 }), 60_000)
  it(
    `with a queue that is away, or does not answer (seed ${seed})`,
    () => fc.assert(withoutQueue, { seed, numRuns: 200 }),
    60_000,
  )
  it.each(KEPT)(
    'as with seed %i',
    async (kept) => {
      await fc.assert(whole, { seed: kept, numRuns: 50 })
      await fc.assert(withoutQueue, { seed: kept, numRuns: 50 })
    },
    60_000,
  )
})
