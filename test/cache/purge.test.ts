import { describe, expect, it } from 'vitest'
import { cacheControl } from '../../src/cache/control.ts'
import type { CacheEntry } from '../../src/cache/entry.ts'
import { isPurged } from '../../src/cache/purge.ts'
import { chatBody, ORIGIN, slotOf, tenant } from '../support/slots.ts'

const entry: CacheEntry = {
  kind: 'json',
  body: '{}',
  origin: ORIGIN,
  storedAtMs: 2_000,
  askedAtMs: 1_000,
  expiresAtMs: 9_000,
  tags: ['docs', 'v1'],
}
const purged = (marks: Record<string, number>, of = entry) => isPurged(marks, 'slot-id', 'alias:fast', of)

describe('a purged entry', () => {
  it.each(['tag:docs', 'tag:v1', 'slot:slot-id', `model:${ORIGIN.model}`, 'model:alias:fast'])(
    'is one asked for before or when %s was marked',
    (mark) => {
      expect(purged({ [mark]: 999 })).toBe(false)
      expect(purged({ [mark]: 1_000 })).toBe(true)
      expect(purged({ 'tag:foreign': 9_999, [mark]: 1_500 })).toBe(true)
    },
  )

  it('bears the mark itself, not one that is like it', () => {
    for (const mark of ['tag:doc', 'tag:docs2', 'model:docs', 'slot:docs', 'docs', 'tag:', 'model:sim-small'])
      expect(purged({ [mark]: 9_999 }), mark).toBe(false)
    const odd = { ...entry, tags: ['constructor', '__proto__'] }
    expect(purged({ 'tag:docs': 9_999 }, odd)).toBe(false)
  })

  it('goes by when it was stored where nothing else is known', () => {
    const { askedAtMs: _, ...old } = entry
    expect(purged({ 'tag:docs': 1_999 }, old)).toBe(false)
    expect(purged({ 'tag:docs': 2_000 }, old)).toBe(true)
  })

  it('keeps its tags and its time under its seal', async () => {
    const slot = await slotOf(tenant('t1'), chatBody('x'))
    expect(await slot.open(await slot.seal(entry))).toEqual(entry)
    expect(await slot.seal(entry)).not.toContain('docs')
  })
})

describe('x-beast-cache: tag', () => {
  const tagsOf = (beastCache: string) =>
    cacheControl({ cacheControl: undefined, beastCache }, 'all', false).tags

  it('names what is stored', () => {
    expect(tagsOf('ttl=60')).toBeUndefined()
    expect(tagsOf('tag=docs')).toEqual(['docs'])
    expect(tagsOf('tag=docs, ttl=60, TAG="team/v1.2:a_b-c", tag=docs')).toEqual(['docs', 'team/v1.2:a_b-c'])
    expect(tagsOf(Array.from({ length: 8 }, (_, i) => `tag=t${i}`).join())).toHaveLength(8)
  })

  it.each([
    'tag=',
    'tag',
    'tag=-a',
    'tag=a b',
    'tag=a=b',
    'tag=ü',
    'tag=a@b',
    `tag=${'a'.repeat(65)}`,
    'tags=a',
    Array.from({ length: 9 }, (_, i) => `tag=t${i}`).join(),
  ])('refuses %s', (header) => {
    expect(() => tagsOf(header)).toThrow(expect.objectContaining({ code: 'invalid_header' }))
  })
})
