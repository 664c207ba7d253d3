import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { guessTokens, judgeUsage, laterReport, reconcile, UNITS, withoutParts } from '../../src/cost/usage.ts'

const ESTIMATE = { input_tokens: 40, output_tokens: 7 }

describe('judging what a provider counted', () => {
  it('believes a count that makes sense, and only the units it knows', () => {
    const said = { input_tokens: 12, output_tokens: 0, cache_read_tokens: 5, audio_seconds: 0.25, moons: 3 }
    expect(judgeUsage(said, ESTIMATE)).toEqual({
      counts: { input_tokens: 12, output_tokens: 0, cache_read_tokens: 5, audio_seconds: 0.25 },
      faults: {},
      estimated: false,
    })
  })

  it.each([
    ['absent', undefined],
    ['negative', -1],
    ['not_a_number', Number.NaN],
    ['not_a_number', '12'],
    ['implausible', 1e12],
    ['implausible', Number.POSITIVE_INFINITY],
  ])('puts our estimate in place of a total that is %s, and says so', (fault, value) => {
    const said = value === undefined ? { output_tokens: 3 } : { input_tokens: value, output_tokens: 3 }
    expect(judgeUsage(said, ESTIMATE)).toEqual({
      counts: { input_tokens: 40, output_tokens: 3 },
      faults: { input_tokens: fault },
      estimated: true,
    })
  })

  it('estimates both totals where an answer tells nothing', () => {
    expect(judgeUsage(undefined, ESTIMATE)).toEqual({
      counts: ESTIMATE,
      faults: { input_tokens: 'absent', output_tokens: 'absent' },
      estimated: true,
    })
  })

  it('leaves out a part that makes no sense, so that it is priced as the rest of its total', () => {
    const { counts, faults, estimated } = judgeUsage({
      input_tokens: 9,
      output_tokens: 2,
      cache_read_tokens: -4,
    })
    expect(counts).toEqual({ input_tokens: 9, output_tokens: 2 })
    expect(faults).toEqual({ cache_read_tokens: 'negative' })
    expect(estimated).toBe(false)
  })

  it('misses no output where there is none to expect, as with embeddings', () => {
    expect(judgeUsage({ input_tokens: 9 }, { input_tokens: 10 }).faults).toEqual({})
  })

  it('rounds a broken token up', () => {
    expect(judgeUsage({ input_tokens: 1.2 })).toMatchObject({
      counts: { input_tokens: 2 },
      faults: { input_tokens: 'fraction' },
    })
  })

  it('is finite, whole and not negative whatever is said', () => {
    const anything = fc.dictionary(
      fc.constantFrom(...UNITS),
      fc.oneof(fc.double(), fc.string(), fc.constant(null)),
    )
    fc.assert(
      fc.property(anything, fc.double(), (said, guess) => {
        const { counts } = judgeUsage(said, { input_tokens: guess, output_tokens: guess })
        for (const [unit, count] of Object.entries(counts)) {
          expect(count).toBeGreaterThanOrEqual(0)
          expect(Number.isFinite(count)).toBe(true)
          if (!unit.endsWith('_seconds')) expect(Number.isSafeInteger(count)).toBe(true)
        }
      }),
    )
  })
})

describe('reports of a stream', () => {
  it('adds up to the last word on each unit', () => {
    const start = { input_tokens: 25, cache_read_tokens: 10, output_tokens: 1 }
    expect(laterReport(start, { output_tokens: 15 })).toEqual({ ...start, output_tokens: 15 })
  })

  it('gives back nothing that was used', () => {
    expect(laterReport({ output_tokens: 15 }, { output_tokens: 0 })).toEqual({ output_tokens: 15 })
  })
})

describe('usage that contradicts itself', () => {
  it('is mended the dearer way', () => {
    expect(
      reconcile({ input_tokens: 5, cache_read_tokens: 80, output_tokens: 1, output_reasoning_tokens: 9 }),
    ).toEqual({ input_tokens: 80, cache_read_tokens: 80, output_tokens: 9, output_reasoning_tokens: 9 })
  })

  it('can be reduced to its totals, keeping what is no token', () => {
    expect(withoutParts({ input_tokens: 5, cache_read_tokens: 80, web_searches: 2 })).toEqual({
      input_tokens: 5,
      web_searches: 2,
    })
  })
})

it('guesses a token for four bytes', () => {
  expect([0, 1, 4, 5].map(guessTokens)).toEqual([0, 1, 1, 2])
})
