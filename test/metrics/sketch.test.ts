import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import {
  LARGEST,
  MAX_BUCKETS,
  RELATIVE_ACCURACY,
  Sketch,
  SMALLEST,
  sketchOf,
} from '../../src/metrics/sketch.ts'

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${SEED}`)

const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

const DISTRIBUTIONS: Readonly<Record<string, (random: () => number) => number>> = {
  uniform: (random) => random(),
  exponential: (random) => -Math.log(1 - random()) / 3,
  'log-normal': (random) => Math.exp(normal(random) * 1.5 - 2),
  'heavy tail': (random) => 0.05 / (1 - random()) ** (1 / 1.1),
  'two humps': (random) => Math.abs(random() < 0.8 ? 0.002 + normal(random) * 2e-4 : 4 + normal(random)),
  'few values, zero among them': (random) => [0, 0.25, 1, 30][Math.floor(random() * 4)] ?? 0,
  'twelve magnitudes': (random) => 10 ** (random() * 12 - 5),
}
const QUANTILES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]

const sketch = (values: readonly number[]): Sketch => {
  const made = new Sketch()
  for (const value of values) made.add(value)
  return made
}
const trueQuantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
/** Rounding of the logarithm, far below what is promised. */
const ROUNDING = 1e-9

describe('a sketch', () => {
  it.each(Object.keys(DISTRIBUTIONS))('is 1 %% off at most, at ten quantiles: %s', (name) => {
    const random = seededRandom(SEED)
    const values = Array.from({ length: 20_000 }, () => DISTRIBUTIONS[name]?.(random) ?? Number.NaN)
    const sorted = [...values].sort((a, b) => a - b)
    const made = sketch(values)
    for (const q of QUANTILES) {
      const truth = trueQuantile(sorted, q)
      const off = Math.abs((made.quantile(q) ?? Number.NaN) - truth)
      expect(off, `${q}: ${truth}`).toBeLessThanOrEqual(truth * (RELATIVE_ACCURACY + ROUNDING))
    }
  })

  const amount = fc.oneof(
    fc.constant(0),
    fc.double({ min: SMALLEST, max: LARGEST, noNaN: true }),
    fc.integer({ min: 0, max: 120 }),
  )

  it('is 1 % off at most for any amounts, few as they may be', () => {
    fc.assert(
      fc.property(
        fc.array(amount, { minLength: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const truth = trueQuantile(
            [...values].sort((a, b) => a - b),
            q,
          )
          const off = Math.abs((sketch(values).quantile(q) ?? Number.NaN) - truth)
          expect(off).toBeLessThanOrEqual(truth * (RELATIVE_ACCURACY + ROUNDING))
        },
      ),
      { seed: SEED },
    )
  })

  it('of parts, put together in any order and after JSON, is the sketch of all', () => {
    const part = fc.array(amount, { maxLength: 40 })
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), fc.integer(), (parts, orderSeed) => {
        const random = seededRandom(orderSeed)
        const datas = parts.map((values) => sketch(values).toData())
        const shuffled = [...datas].map((data) => ({ data, at: random() })).sort((a, b) => a.at - b.at)
        const merged = sketchOf(
          ...shuffled.map(({ data }) => JSON.parse(JSON.stringify(structuredClone(data)))),
        )
        expect(merged.toData()).toEqual(sketch(parts.flat()).toData())
        expect(merged.count).toBe(parts.flat().length)
      }),
      { seed: SEED },
    )
  })

  it('takes no more memory for more values', () => {
    const random = seededRandom(SEED)
    const made = sketch(Array.from({ length: 200_000 }, () => 10 ** (random() * 40 - 20)))
    const { zeroes, buckets } = made.toData()
    expect(buckets.length / 2).toBeLessThanOrEqual(MAX_BUCKETS)
    expect(MAX_BUCKETS).toBeLessThan(1_800)
    const inBuckets = buckets.reduce((sum, value, i) => sum + (i % 2 ? value : 0), 0)
    expect(zeroes + inBuckets).toBe(200_000)
  })

  it('takes what is too small for zero and what is too large for the largest', () => {
    const made = sketch([SMALLEST / 2, LARGEST * 1e6])
    expect(made.quantile(0)).toBe(0)
    expect(Math.abs((made.quantile(1) ?? 0) / LARGEST - 1)).toBeLessThanOrEqual(RELATIVE_ACCURACY + ROUNDING)
  })

  it.each([Number.NaN, -1, -1e-9, Number.POSITIVE_INFINITY])('refuses %s aloud', (value) => {
    const made = new Sketch()
    expect(() => made.add(value)).toThrow(RangeError)
    expect(made.count).toBe(0)
    expect(made.quantile(0.5)).toBeUndefined()
  })

  it.each([
    { zeroes: -1, buckets: [] },
    { zeroes: 0.5, buckets: [] },
    { zeroes: 0, buckets: [1] },
    { zeroes: 0, buckets: [0, -1] },
    { zeroes: 0, buckets: [0, Number.NaN] },
    { zeroes: 0, buckets: [1e9, 1] },
    { zeroes: 0, buckets: [0.5, 1] },
    { zeroes: 3, buckets: [0, 1, 1, Number.POSITIVE_INFINITY] },
  ])('adds nothing of what is no sketch: %j', (data) => {
    const made = sketch([1])
    expect(() => made.merge(data)).toThrow(RangeError)
    expect(made.toData()).toEqual(sketch([1]).toData())
  })
})
