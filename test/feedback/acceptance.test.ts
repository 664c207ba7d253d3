import { beforeEach, describe, expect, it } from 'vitest'
import { uuidv7 } from '../../src/core/ids.ts'
import { FeedbackDesk } from '../../src/feedback/acceptance.ts'
import type { OutboxRecord } from '../../src/feedback/outbox.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'

const TENANT = '0a000000-0000-4000-8000-00000000000a'
const rater = { tenantId: TENANT, name: 'key' }

let clock: FakeClock
let held: OutboxRecord[]
let fails: boolean
let desk: FeedbackDesk

beforeEach(() => {
  clock = fakeClock()
  held = []
  fails = false
  desk = new FeedbackDesk(clock.now, {
    add: async (tenantId, records) => {
      expect(tenantId).toBe(TENANT)
      if (fails) throw new Error('the store is away')
      held.push(...records)
    },
  })
})

const body = (more: object = {}) => ({
  prediction_id: uuidv7(clock.now()),
  source: 'user',
  thumbs: 'up',
  ...more,
})
const thrown = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('taking ratings in', () => {
  it('acknowledges what is held, and nothing else', async () => {
    const receipt = await desk.accept(rater, body())
    expect(held).toMatchObject([{ kind: 'feedback', row: { id: receipt.id, tenant_id: TENANT } }])
    fails = true
    for (const work of [desk.accept(rater, body()), desk.acceptBatch(rater, { items: [body()] })])
      expect(await thrown(work)).toMatchObject({ code: 'store_unavailable', retryAfterSeconds: 5 })
    expect(held).toHaveLength(1)
  })

  it('knows the later of two in the same millisecond', async () => {
    const same = body()
    await desk.acceptBatch(rater, { items: Array.from({ length: 12 }, () => same) })
    await desk.accept(rater, same)
    const times = held.map(({ row }) => ('received_at' in row ? row.received_at : ''))
    expect(times).toEqual([...new Set(times)].sort())
    expect(times[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    expect(Date.parse(times.at(-1) ?? '')).toBe(clock.now())
  })

  it('judges each item of a batch by itself', async () => {
    const id = '11111111-1111-4111-8111-111111111111'
    const named = body({ id })
    const items = [named, body({ rating: 6 }), 'x', body(), named, { ...body(), prediction_id: 'x' }]
    const answer = await desk.acceptBatch(rater, { items })
    expect(answer.accepted.map(({ index }) => index)).toEqual([0, 3, 4])
    expect(answer.accepted[0]?.id).toBe(answer.accepted[2]?.id)
    expect(answer.refused).toMatchObject([
      { index: 1, code: 'invalid_feedback', param: 'rating' },
      { index: 2, code: 'invalid_feedback', param: null },
      { index: 5, code: 'invalid_feedback', param: 'prediction_id' },
    ])
    expect(held).toHaveLength(2)
  })

  it('refuses a batch of which nothing is good, and what is none', async () => {
    expect(await thrown(desk.acceptBatch(rater, { items: [body({ rating: 9 }), 1] }))).toMatchObject({
      code: 'invalid_feedback',
      param: 'items[0].rating',
    })
    const hundred = (n: number) => ({ items: Array.from({ length: n }, () => body()) })
    for (const wrong of [
      [],
      {},
      { items: [] },
      { items: {} },
      null,
      hundred(101),
      { ...hundred(1), more: 1 },
    ])
      expect(await thrown(desk.acceptBatch(rater, wrong))).toMatchObject({
        code: 'invalid_feedback',
        param: 'items',
      })
    expect((await desk.acceptBatch(rater, hundred(100))).accepted).toHaveLength(100)
  })

  it('lets a token rate its own prediction as its reader, and nothing else', async () => {
    const own = body()
    const grant = {
      tenantId: TENANT,
      predictionId: own.prediction_id,
      source: 'user',
      expiresAtS: 0,
    } as const
    const reader = { ...rater, grant }
    await desk.accept(reader, own)
    expect(await thrown(desk.accept(reader, body()))).toMatchObject({
      code: 'invalid_feedback',
      param: 'prediction_id',
    })
    expect(await thrown(desk.accept(reader, { ...own, source: 'bot' }))).toMatchObject({
      code: 'invalid_feedback',
      param: 'source',
    })
    expect(held).toHaveLength(1)
  })
})

describe('the bounds', () => {
  it('end repeated ratings of one prediction, for this source and tenant only', async () => {
    const same = body()
    for (let i = 0; i < 50; i++) await desk.accept(rater, same)
    const error = await thrown(desk.accept(rater, same))
    expect(error).toMatchObject({
      code: 'too_many_ratings',
      status: 429,
      param: 'prediction_id',
      retryAfterSeconds: 600,
    })
    await desk.accept(rater, { ...same, source: 'bot' })
    await desk.accept(rater, body())
    await clock.advance(600_000)
    await desk.accept(rater, same)
    expect(held).toHaveLength(53)
  })

  it('let no key add without end, and hold up no other', async () => {
    let accepted = 0
    let refusal: unknown
    for (let batch = 0; batch < 200; batch++) {
      const items = Array.from({ length: 100 }, () => body())
      const answer = await desk.acceptBatch(rater, { items }).catch((error: unknown) => {
        refusal = error
      })
      accepted += answer?.accepted.length ?? 0
    }
    expect(accepted).toBe(1_000)
    expect(refusal).toMatchObject({ code: 'too_many_ratings', retryAfterSeconds: 1 })
    await desk.accept({ ...rater, name: 'another key' }, body())
    await clock.advance(1_000)
    expect(
      (await desk.acceptBatch(rater, { items: Array.from({ length: 100 }, () => body()) })).accepted,
    ).toHaveLength(20)
  })
})
