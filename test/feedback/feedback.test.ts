import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../src/core/errors.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import { type FeedbackRow, readRating, receiptOf, toRow } from '../../src/feedback/feedback.ts'
import { FAKE_START_MS as NOW } from '../support/fake-clock.ts'
import { rating } from '../support/ratings.ts'

const DAY_MS = 86_400_000
const TENANT_A = '0a000000-0000-4000-8000-00000000000a'
const TENANT_B = '0b000000-0000-4000-8000-00000000000b'
const prediction_id = uuidv7(NOW - 1_000)
const base = { prediction_id, source: 'user', thumbs: 'up' }

function refusal(body: unknown): [number, string | undefined] {
  try {
    readRating(body, NOW)
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    expect(error.code).toBe('invalid_feedback')
    expect(error.tip.length).toBeGreaterThan(10)
    return [error.status, error.param]
  }
  throw new Error(`accepted: ${JSON.stringify(body)?.slice(0, 200)}`)
}

describe('a rating', () => {
  it('is taken with any of its values, and in one form', () => {
    expect(readRating({ ...base, prediction_id: prediction_id.toUpperCase() }, NOW)).toEqual(base)
    for (const value of [{ rating: 5 }, { outcome: -0 }, { correction: 'Better.\n\t✓' }, { tags: ['a/b:c'] }])
      expect(readRating({ prediction_id, source: 'bot', ...value }, NOW)).toMatchObject(
        'outcome' in value ? { outcome: 0 } : value,
      )
    expect(readRating({ ...base, tags: ['b', 'a', 'b'] }, NOW).tags).toEqual(['b', 'a'])
    expect(readRating({ ...base, tags: [] }, NOW).tags).toEqual([])
  })

  it('is refused when its prediction id can be none of ours', () => {
    const future = uuidv7(NOW + 6 * 60_000)
    const old = uuidv7(NOW - 731 * DAY_MS)
    const version4 = '3f2b8c1e-9d4a-4c6b-8e2f-1a2b3c4d5e6f'
    const variant = `${prediction_id.slice(0, 19)}c${prediction_id.slice(20)}`
    for (const id of [
      future,
      old,
      version4,
      variant,
      '',
      'x',
      `${prediction_id} `,
      ` ${prediction_id}`,
      7,
      null,
    ])
      expect(refusal({ ...base, prediction_id: id }), String(id)).toEqual([422, 'prediction_id'])
    for (const id of [uuidv7(NOW + 4 * 60_000), uuidv7(NOW - 729 * DAY_MS)])
      expect(readRating({ ...base, prediction_id: id }, NOW).prediction_id).toBe(id)
  })

  it.each<[string | undefined, object]>([
    [undefined, { thumbs: undefined }],
    [undefined, { thumbs: undefined, tags: [] }],
    ['thumbs', { thumbs: 'sideways' }],
    ['thumbs', { thumbs: null }],
    ['thumbs', { thumbs: true }],
    ['source', { source: 'admin' }],
    ['source', { source: undefined }],
    ...[0, 6, 1e6, 4.5, -1, '5', Number.NaN, Number.POSITIVE_INFINITY, null].map(
      (value): [string, object] => ['rating', { rating: value }],
    ),
    ...[1.1e9, -1.1e9, Number.NaN, Number.NEGATIVE_INFINITY, '1', 1e308].map((value): [string, object] => [
      'outcome',
      { outcome: value },
    ]),
    ...['', 'a\0b', '\ud800', 'x'.repeat(262_145), '€'.repeat(87_382), 1, ['x']].map(
      (value): [string, object] => ['correction', { correction: value }],
    ),
    ['tags', { tags: 'a' }],
    ['tags', { tags: Array.from({ length: 21 }, (_, i) => `t${i}`) }],
    ...['', ' a', 'a b', 'ü', '<b>', '=cmd()', 'x'.repeat(65), 'a\n', null, ['a']].map(
      (value): [string, object] => ['tags[0]', { tags: [value] }],
    ),
    ['id', { id: 'mine' }],
    ['tenant_id', { tenant_id: TENANT_B }],
  ])('names what is at fault: %s', (param, change) => {
    expect(refusal({ ...base, ...change })).toEqual([422, param])
  })

  it('has no field by way of a prototype, and is an object', () => {
    expect(
      refusal(JSON.parse(`{"prediction_id":"${prediction_id}","source":"user","__proto__":{"rating":5}}`)),
    ).toEqual([422, '__proto__'])
    for (const body of [null, 7, 'x', [], [base], {}]) expect(refusal(body)[0]).toBe(422)
  })

  it('passes or is refused with 422, whatever is sent', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.object({ key: fc.constantFrom(...Object.keys(base), 'rating') })),
        (body) => {
          try {
            readRating(body, NOW)
          } catch (error) {
            expect(error).toBeInstanceOf(GatewayError)
            expect((error as GatewayError).status).toBe(422)
          }
        },
      ),
    )
  })

  it('passes whole, whatever good values it has', () => {
    fc.assert(
      fc.property(rating(NOW), (body) => {
        const { prediction_id, tags, outcome, ...same } = body
        expect(readRating(body, NOW)).toMatchObject(same)
      }),
    )
  })
})

describe('its row', () => {
  const at = '2027-01-15T08:00:00.000001Z'
  const row = (tenant: string, body: object, receivedAt = at): Promise<FeedbackRow> =>
    toRow(tenant, readRating(body, NOW), receivedAt)

  it('has every column, and a receipt that tells no more than is needed', async () => {
    const made = await row(TENANT_A, base)
    expect(made).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      tenant_id: TENANT_A,
      ...base,
      rating: null,
      outcome: null,
      correction: null,
      tags: null,
      received_at: at,
    })
    const { id } = made
    expect(receiptOf(made)).toEqual({
      id,
      prediction_id,
      source: 'user',
      received_at: at,
      status: 'accepted',
    })
  })

  it('is the same one when it is sent again under an id of the caller, and only then', async () => {
    const id = '11111111-1111-4111-8111-11111111111a'
    const first = await row(TENANT_A, { ...base, id })
    expect(first.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect((await row(TENANT_A, { id: id.toUpperCase(), ...base }, '2027-01-15T09:00:00.000Z')).id).toBe(
      first.id,
    )
    const others = await Promise.all([
      row(TENANT_B, { ...base, id }),
      row(TENANT_A, { ...base, id, thumbs: 'down' }),
      row(TENANT_A, { ...base, id, source: 'bot' }),
      row(TENANT_A, { ...base, id, prediction_id: uuidv7(NOW) }),
      row(TENANT_A, { ...base, id: id.replace('a', 'b') }),
      row(TENANT_A, base),
      row(TENANT_A, base),
    ])
    expect(new Set([first, ...others].map((each) => each.id)).size).toBe(others.length + 1)
  })
})
