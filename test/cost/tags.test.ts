import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../src/core/errors.ts'
import type { JsonValue } from '../../src/core/json.ts'
import { MAX_TAGS, TAG_KEY, TAG_VALUE, tagsOf } from '../../src/cost/tags.ts'

const many = (count: number) => Array.from({ length: count }, (_, i) => [`k${i}`, `v${i}`] as const)

describe('tags of the header', () => {
  it.each([
    ['team=search,feature=autocomplete', { team: 'search', feature: 'autocomplete' }],
    [' team=search , env=eu/west:1 ', { team: 'search', env: 'eu/west:1' }],
    ['constructor=x', { constructor: 'x' }],
    [
      many(MAX_TAGS)
        .map((pair) => pair.join('='))
        .join(),
      Object.fromEntries(many(MAX_TAGS)),
    ],
    [`${'k'.repeat(32)}=${'v'.repeat(64)}`, { ['k'.repeat(32)]: 'v'.repeat(64) }],
  ])('%s', (header, tags) => {
    expect(tagsOf(header, {})).toEqual(tags)
  })

  it.each([
    '',
    'team',
    'team=',
    '=search',
    'team=search,',
    'team=a,team=b',
    'team=two words',
    'team=ann@example.com',
    'team==x',
    'team=-x',
    'te am=x',
    '1st=x',
    '__proto__=x',
    'tëam=x',
    `${'k'.repeat(33)}=x`,
    `team=${'v'.repeat(65)}`,
    many(MAX_TAGS + 1)
      .map((pair) => pair.join('='))
      .join(),
  ])('%s is refused, by the name of the header', (header) => {
    const tried = () => tagsOf(header, {})
    expect(tried).toThrow(GatewayError)
    expect(tried).toThrow(
      expect.objectContaining({ code: 'invalid_header', param: 'x-beast-tags', status: 400 }),
    )
  })

  it('count alone where there are any', () => {
    expect(tagsOf('team=search', { metadata: { team: 'ads', feature: 'x' } })).toEqual({ team: 'search' })
  })
})

describe('tags of metadata', () => {
  it('are what fits of it, and never an error', () => {
    const metadata = { team: 'search', 'no key': 'x', mail: 'ann@example.com', n: 7, long: 'v'.repeat(65) }
    expect(tagsOf(null, { metadata })).toEqual({ team: 'search' })
    expect(Object.keys(tagsOf(null, { metadata: Object.fromEntries(many(16)) }))).toHaveLength(MAX_TAGS)
    const others: JsonValue[] = [null, 7, [], {}, { metadata: null }, { metadata: 'x' }, { metadata: ['x'] }]
    for (const body of others) expect(tagsOf(null, body)).toEqual({})
  })

  it('are within bounds, whatever was sent', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (metadata) => {
        const tags = tagsOf(null, { metadata: metadata as JsonValue })
        expect(Object.keys(tags).length).toBeLessThanOrEqual(MAX_TAGS)
        for (const [key, value] of Object.entries(tags))
          expect([TAG_KEY.test(key), TAG_VALUE.test(value)]).toEqual([true, true])
      }),
    )
  })
})
