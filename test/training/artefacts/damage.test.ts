import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../scripts/seeded-random.ts'
import { TooLargeError, utf8 } from '../../../src/core/bytes.ts'
import type { JsonValue } from '../../../src/core/json.ts'
import { DamagedArtefactError } from '../../../src/training/artefacts/damaged.ts'
import { artefactJson, faultOf } from '../../../src/training/artefacts/judge.ts'
import type { Shelf } from '../../../src/training/artefacts/shelf.ts'
import { artefactStore } from '../../../src/training/artefacts/store.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${seed}`)

function memoryShelf(): Shelf & { readonly held: Map<string, Uint8Array<ArrayBuffer>> } {
  const held = new Map<string, Uint8Array<ArrayBuffer>>()
  return {
    held,
    place: 'memory',
    read: async (name, maxBytes) => {
      const bytes = held.get(name)
      if (bytes && bytes.byteLength > maxBytes) throw new TooLargeError('too large')
      return bytes
    },
    has: async (name) => held.has(name),
    create: async (name, bytes) => !held.has(name) && held.set(name, bytes) !== undefined,
    replace: async (name, bytes) => void held.set(name, bytes),
    listing: async () => ({ objects: [...held.keys()], folders: [] }),
  }
}

describe('an artefact', () => {
  it('is not loaded after any of 5,000 changes of its bytes or of its checksum', async () => {
    const random = seededRandom(seed)
    const below = (limit: number) => Math.floor(random() * limit)
    const shelf = memoryShelf()
    const store = artefactStore(shelf)
    const name = 'models/quality-2026-11-21.json'
    await store.upload(name, { weights: Array.from({ length: 50 }, () => random()), name: 'quality' })
    let served = 0
    for (let i = 0; i < 5_000; i++) {
      const part = i % 2 === 0 ? name : `${name}.sha256`
      const sound = shelf.held.get(part) ?? new Uint8Array()
      const at = below(sound.length)
      const changed = [
        () => sound.map((byte, index) => (index === at ? byte ^ (1 << below(8)) : byte)),
        () => sound.slice(0, at),
        () => utf8(`${Buffer.from(sound)}${Buffer.from(sound)}`),
        () => utf8(`${Buffer.from(sound.slice(0, at))}0${Buffer.from(sound.slice(at))}`),
      ][below(4)]?.()
      if (!changed || Buffer.from(changed).equals(sound)) continue
      shelf.held.set(part, changed)
      await store.loadJSON(name).then(
        () => {
          served += 1
        },
        (error) => expect(error, `seed ${seed}`).toBeInstanceOf(DamagedArtefactError),
      )
      shelf.held.set(part, sound)
    }
    expect(served, `seed ${seed}`).toBe(0)
    expect(await store.loadJSON(name)).toMatchObject({ name: 'quality' })
  })
})

describe('the judge', () => {
  it('lets every plain value pass, unchanged', () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: 'medium' }), (value) => {
        const json = JSON.stringify(value)
        fc.pre(!json.includes('"__proto__"') && !json.includes('"constructor"') && json.isWellFormed())
        expect(artefactJson('x', utf8(json))).toEqual(JSON.parse(json))
      }),
      { seed, numRuns: 2_000 },
    )
  })

  it('finds __proto__ wherever it lies', () => {
    const path = fc.array(fc.oneof(fc.constant('list'), fc.constant('object')), { maxLength: 20 })
    fc.assert(
      fc.property(path, fc.jsonValue(), (steps, inner) => {
        let json = `{"a":1,"__proto__":${JSON.stringify(inner)}}`
        for (const step of steps) json = step === 'list' ? `[0,${json}]` : `{"k":${json}}`
        expect(() => artefactJson('x', utf8(json))).toThrow('has the key __proto__')
        expect(Object.hasOwn(Object.prototype, 'a')).toBe(false)
      }),
      { seed, numRuns: 1_000 },
    )
  })

  it('counts depth and keys, and ends early and without a deep stack', () => {
    const nested = (depth: number) => artefactJson('x', utf8('['.repeat(depth) + ']'.repeat(depth)))
    expect(nested(64)).toBeDefined()
    expect(() => nested(65)).toThrow('deeper than 64')
    expect(() => nested(1_000_000)).toThrow('deeper than 64')
    const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))
    expect(faultOf({ a: keys(9) }, { maxDepth: 64, maxKeys: 10 })).toBeUndefined()
    expect(faultOf({ a: keys(10) }, { maxDepth: 64, maxKeys: 10 })).toBe('has more than 10 keys')
  })

  it.each<[unknown, RegExp]>([
    [[Number.POSITIVE_INFINITY], /number/],
    [{ a: undefined }, /undefined/],
    [[10n], /bigint/],
    [() => 1, /function/],
    [{ '\ud800': 1 }, /Unicode/],
    ['\udc00', /Unicode/],
  ])('refuses what JSON cannot carry: %o', (value, fault) => {
    expect(faultOf(value as JsonValue)).toMatch(fault)
  })
})
