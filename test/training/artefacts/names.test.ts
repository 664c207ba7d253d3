import { posix } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FOLDERS, isName, parseGlob, segmentMatches } from '../../../src/training/artefacts/names.ts'
import { byNewest, stamped, stampOf, unstamped } from '../../../src/training/artefacts/stamp.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${seed}`)

const segment = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,12}$/)
const folder = fc.constantFrom(...FOLDERS)
/** Names, names with something wrong in them, and anything at all. */
const text = fc.oneof(
  fc
    .tuple(folder, fc.array(segment, { minLength: 1, maxLength: 6 }))
    .map(([f, s]) => `${f}/${s.join('/')}.json`),
  fc
    .tuple(
      folder,
      fc.array(fc.constantFrom('..', '.', '/', '\\', '%2e', 'a', '\0', '*', ' ', 'é', '.json'), {
        maxLength: 8,
      }),
    )
    .map(([f, parts]) => `${f}/${parts.join('')}.json`),
  fc.string({ unit: 'binary', maxLength: 40 }),
)

describe('names', () => {
  it('stay in their folder, and mean the same in a path and in an address', () => {
    let accepted = 0
    fc.assert(
      fc.property(text, (name) => {
        if (!isName(name)) return
        accepted += 1
        expect(posix.normalize(name)).toBe(name)
        expect(FOLDERS.some((one) => posix.join('/shelf', name).startsWith(`/shelf/${one}/`))).toBe(true)
        expect(new URL(`https://x.invalid/${name}?q`).pathname).toBe(`/${name}`)
        expect(parseGlob(name)).toEqual(name.split('/'))
      }),
      { seed, numRuns: 20_000 },
    )
    expect(accepted, `seed ${seed}`).toBeGreaterThan(1_000)
  })
})

describe('patterns', () => {
  const letters = (more: readonly string[]) =>
    fc.array(fc.constantFrom('a', 'b', '.', '-', ...more), { maxLength: 10 }).map((parts) => parts.join(''))

  it('match what the same regular expression matches', () => {
    fc.assert(
      fc.property(letters(['*', '?', '*']), letters([]), (pattern, name) => {
        const regex = new RegExp(
          `^${pattern.replaceAll('.', '\\.').replace(/\*+/g, '.*').replaceAll('?', '.')}$`,
        )
        expect(segmentMatches(pattern, name)).toBe(regex.test(name))
      }),
      { seed, numRuns: 20_000 },
    )
  })

  it('take no time, whatever they are', () => {
    const started = performance.now()
    for (let i = 0; i < 100; i++) {
      expect(segmentMatches(`${'a*'.repeat(99)}b`, 'a'.repeat(199))).toBe(false)
      expect(segmentMatches(`${'*?'.repeat(99)}b`, 'a'.repeat(199))).toBe(false)
    }
    expect((performance.now() - started) / 200).toBeLessThan(10)
  })
})

describe('stamps', () => {
  it.each([
    ['models/a-2026-11-21.json', '2026-11-21T00:00:00.000Z'],
    ['models/a-20261121.json', '2026-11-21T00:00:00.000Z'],
    ['models/a-20261121T101500Z.json', '2026-11-21T10:15:00.000Z'],
    ['models/a_2026-11-21T10-15-00-123Z.json', '2026-11-21T10:15:00.123Z'],
    ['models/a.2026-11-21_10.15.00.json', '2026-11-21T10:15:00.000Z'],
    ['models/a-20261121101500.json', '2026-11-21T10:15:00.000Z'],
    ['models/a-1795256100123.json', '2026-11-21T10:15:00.123Z'],
    ['models/2026-11-21-v2.json', '2026-11-21T00:00:00.000Z'],
    ['models/of-2025-01-01-made-2026-11-21.json', '2026-11-21T00:00:00.000Z'],
    ['models/2026-11-21/a.json', undefined],
    ['models/a-2026-02-30.json', undefined],
    ['models/a-20261121T251500Z.json', undefined],
    ['models/a-120261121.json', undefined],
    ['models/a-v12.json', undefined],
  ])('%s is of %s', (name, moment) => {
    const ms = stampOf(name)
    expect(ms === undefined ? undefined : new Date(ms).toISOString()).toBe(moment)
  })

  it('come back as they were put in, and leave the name as it was', () => {
    const moment = fc.integer({ min: 0, max: Date.UTC(2100, 0) })
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z][a-z_-]{0,20}[a-z]$/), moment, moment, (base, a, b) => {
        const [plain, first, second] = [
          `models/${base}.json`,
          stamped(`models/${base}.json`, a),
          stamped(`models/${base}`, b),
        ]
        expect(stampOf(first)).toBe(a)
        expect(unstamped(first)).toBe(plain)
        expect(isName(first)).toBe(true)
        expect(Math.sign(byNewest(first, second))).toBe(Math.sign(b - a))
        expect(byNewest(first, plain)).toBe(-1)
      }),
      { seed, numRuns: 5_000 },
    )
  })

  it('order any names, and always alike', () => {
    const name = fc
      .tuple(
        fc.constantFrom('a', 'b'),
        fc.constantFrom('', '-2026-01-01', '-20260101', '-2025-12-31', '-9999-99-99'),
      )
      .map(([base, stamp]) => `models/${base}${stamp}.json`)
    fc.assert(
      fc.property(fc.array(name, { maxLength: 8 }), (names) => {
        expect(names.toReversed().sort(byNewest)).toEqual(names.toSorted(byNewest))
      }),
      { seed, numRuns: 5_000 },
    )
  })
})
