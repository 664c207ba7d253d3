import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonical } from '../../src/core/canonical.ts'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { chatBody, ORIGIN, slotMaker, slotOf, tenant } from '../support/slots.ts'

const NONE: ReadonlySet<string> = new Set()
const of = (value: JsonValue) => canonical(value, NONE)

/** The value with the keys of every object in another order. */
function shuffled(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(shuffled)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, part]) => [key, shuffled(part)]),
  )
}

describe('the canonical form', () => {
  it('is one for one value, whatever the order of its keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => of(shuffled(value as JsonValue)) === of(value as JsonValue)),
    )
  })

  it('differs for different values', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const same = JSON.stringify(sorted(a as JsonValue)) === JSON.stringify(sorted(b as JsonValue))
        return (of(a as JsonValue) === of(b as JsonValue)) === same
      }),
    )
  })

  it.each<[JsonValue, JsonValue]>([
    [['a', 'b'], ['ab']],
    [['a:b'], ['a', 'b']],
    [{ a: 'b' }, { a: { b: '' } }],
    [[null], ['null']],
    [[1], ['1']],
    [[[], []], [[[]]]],
    [{ 1: 'a', b: 'c' }, { b: 'c' }],
    ['s3:abc', 'abc'],
    [true, 't'],
  ])('tells %j from %j', (a, b) => expect(of(a)).not.toBe(of(b)))

  it('takes -0 for 0, as the text sent upstream does', () => expect(of([-0])).toBe(of([0])))
})

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return ['list', ...value.map(sorted)]
  if (Object.is(value, -0)) return 0
  if (typeof value !== 'object' || value === null) return value
  return Object.keys(value)
    .sort()
    .map((key) => [key, sorted(value[key] as JsonValue)]) as JsonValue
}

describe('the exact key', () => {
  const owner = tenant('t1')
  const id = async (body: JsonObject, as = owner, route?: { id: string; revision: string }) =>
    (await slotOf(as, body, route)).id

  it('holds every field but the short list', async () => {
    const base = chatBody('x', { temperature: 0 })
    const first = await id(base)
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1 }), fc.jsonValue(), async (name, value) => {
        fc.pre(!(name in base) && !['metadata', 'prompt_cache_key', 'prompt_cache_retention'].includes(name))
        return (await id({ ...base, [name]: value as JsonValue })) !== first
      }),
    )
    for (const left of ['metadata', 'prompt_cache_key', 'prompt_cache_retention'])
      expect(await id({ ...base, [left]: 'x' })).toBe(first)
    const changes: JsonObject[] = [
      { temperature: 1 },
      { messages: [] },
      { stream: true },
      { tools: [] },
      { seed: 1 },
      { n: 2 },
    ]
    for (const changed of changes) {
      expect(await id({ ...base, ...changed })).not.toBe(first)
    }
  })

  it('belongs to one tenant, epoch, route and revision', async () => {
    const body = chatBody('x')
    const ids = await Promise.all([
      id(body),
      id(body, tenant('t2')),
      id(body, tenant('t1', { epoch: 2 })),
      id(body, owner, { id: 'simulated:sim-large', revision: '1' }),
      id(body, owner, { id: 'simulated:sim-small', revision: '2' }),
      id(body, tenant('t1:a'), { id: 'b', revision: '1' }),
      id(body, tenant('t1'), { id: 'a:b', revision: '1' }),
    ])
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.every((key) => /^[\w-]{43}$/.test(key))).toBe(true)
  })

  it('holds the user unless the tenant opts out', async () => {
    const shared = tenant('t1', { cacheByUser: false })
    expect(await id(chatBody('x', { user: 'a' }))).not.toBe(await id(chatBody('x', { user: 'b' })))
    expect(await id(chatBody('x', { user: 'a' }), shared)).toBe(
      await id(chatBody('x', { user: 'b' }), shared),
    )
  })

  it('judges what it leaves out, too', () => {
    const body = chatBody('x', { metadata: { broken: '\ud800' } })
    expect(() => slotMaker.canonical(owner, body)).toThrow(/surrogate/)
  })

  it('opens a sealed entry for nobody else', async () => {
    const entry = { kind: 'json' as const, body: '{}', origin: ORIGIN, storedAtMs: 1, expiresAtMs: 2 }
    const sealed = await (await slotOf(owner, chatBody('x'))).seal(entry)
    expect(await (await slotOf(owner, chatBody('x'))).open(sealed)).toEqual(entry)
    for (const stranger of [tenant('t2'), tenant('t1', { epoch: 2 })]) {
      await expect((await slotOf(stranger, chatBody('x'))).open(sealed)).rejects.toThrow()
    }
    const [version, kind, stored, , text] = sealed.split('.')
    await expect(
      (await slotOf(owner, chatBody('x'))).open(`${version}.${kind}.${stored}.9999.${text}`),
    ).rejects.toThrow()
    await expect(
      (await slotOf(owner, chatBody('x'))).open(`${version}.sse.${stored}.2.${text}`),
    ).rejects.toThrow()
  })
})
