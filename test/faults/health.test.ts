import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { fakeClock } from '../support/fake-clock.ts'
import {
  type Asked,
  ask,
  question,
  type RoutingGateway,
  results,
  routingGateway,
  streamed,
} from '../support/routing-gateway.ts'
import { inOrder, providerAt, type RoutingOptions } from '../support/routing-services.ts'
import {
  answer,
  type Behaviour,
  blackHole,
  once,
  startUpstream,
  stream,
  type UpstreamFaults,
  well,
} from '../support/upstream-faults.ts'

let a: UpstreamFaults
let b: UpstreamFaults

beforeAll(async () => {
  ;[a, b] = await Promise.all([startUpstream(), startUpstream()])
})
afterAll(() => Promise.all([a?.close(), b?.close()]))

const both = (more: Partial<RoutingOptions> = {}): RoutingGateway =>
  routingGateway({
    providers: [providerAt('first', a.url), providerAt('second', b.url)],
    aliases: [inOrder('m', 'first:m', 'second:m')],
    ...more,
  })
const KEYS = ['key-one-0123456789', 'key-two-0123456789'] as const
const keyOf = (asked: { headers: { authorization?: string | undefined } }): string =>
  (asked.headers.authorization ?? '').replace('Bearer ', '')
/** Refuses the first key so, and serves the second. */
const refusing =
  (refusal: Behaviour): Behaviour =>
  (exchange) =>
    keyOf(exchange.seen) === KEYS[0] ? refusal(exchange) : well('served')(exchange)
const twoKeys = (more: Partial<RoutingOptions> = {}, weights = [1, 1]): RoutingGateway =>
  routingGateway({ providers: [providerAt('p', a.url, { keys: KEYS, weights })], ...more })
const attempted = (asked: readonly Asked[]): number =>
  asked.reduce((sum, { event }) => sum + event.attempts.length, 0)

describe('two keys of one provider', () => {
  it.each([
    ['401', answer(401, '{}')],
    ['402', answer(402, '{}')],
    ['403', answer(403, '{}')],
    ['404', answer(404, '{}')],
    ['429', answer(429, '{}', { 'retry-after': '60' })],
  ])(
    'one of them refused with %s is left aside, and the provider is not blamed',
    async (_status, refusal) => {
      const clock = fakeClock()
      const gateway = twoKeys({ clock, random: seededRandom(3) })
      a.set(refusing(refusal))
      const asked: Asked[] = []
      for (let i = 0; i < 40; i++) {
        asked.push(await ask(gateway, question()))
        await clock.advance(50)
      }
      expect(asked.every(({ status }) => status === 200)).toBe(true)
      // The breaker needs five outcomes to open, and what says when to come back is believed at once.
      expect(attempted(asked.slice(0, 20)) - 20).toBeLessThanOrEqual(5)
      expect(attempted(asked.slice(20)) - 20).toBe(0)
      expect(a.seen.slice(-20).every((seen) => keyOf(seen) === KEYS[1])).toBe(true)

      a.set(well('served again'))
      await clock.advance(60_000)
      for (let i = 0; i < 40; i++) expect((await ask(gateway, question())).status).toBe(200)
      expect(
        a.seen.some((seen) => keyOf(seen) === KEYS[0]),
        'used again',
      ).toBe(true)
    },
  )

  it('a model that one may not use leaves the key open for the others', async () => {
    const provider = { ...providerAt('p', a.url), models: ['m', 'forbidden'] }
    const gateway = routingGateway({ providers: [provider], clock: fakeClock() })
    a.set((exchange) =>
      JSON.parse(exchange.seen.body).model === 'm' ? well('served')(exchange) : answer(403, '{}')(exchange),
    )
    for (let i = 0; i < 30; i++)
      expect((await ask(gateway, question({ model: 'p:forbidden' }))).status).not.toBe(200)
    expect((await ask(gateway, question())).status).toBe(200)
  })

  it.each([
    [1, 1],
    [3, 1],
    [1, 9],
  ])('share the load as %i to %i', async (...weights) => {
    const count = 300
    const seed = 11
    const gateway = twoKeys({ random: seededRandom(seed) }, weights)
    a.set(well('served'))
    for (let i = 0; i < count; i++) await ask(gateway, question())
    const total = weights.reduce((sum, weight) => sum + weight)
    const chiSquare = KEYS.map((key, index) => {
      const wanted = (count * (weights[index] ?? 0)) / total
      return (a.seen.filter((seen) => keyOf(seen) === key).length - wanted) ** 2 / wanted
    }).reduce((sum, part) => sum + part)
    console.log(`${weights.join(' to ')}: chi-square ${chiSquare.toFixed(2)}, seed ${seed}`)
    // One degree of freedom, one draw in a thousand.
    expect(chiSquare).toBeLessThan(10.83)
  })
})

describe.each([
  ['a plain answer', question],
  ['a stream', streamed],
] as const)('a hedge (%s)', (_form, body) => {
  it('takes the second answer where the first is slow, and hangs up on the first', async () => {
    a.set(blackHole)
    b.set(well('from the second'))
    const gateway = both({ hedgeAfterMs: 30 })
    const asked = await ask(gateway, body())
    const answeredAt = performance.now()
    expect(results(asked)).toEqual(['first abandoned', 'second answered'])
    expect(asked.event.attempts[0]?.mayBeBilled).toBe(true)
    expect(asked.text.match(/"role":"assistant"/g)).toHaveLength(1)
    expect(gateway.stored, 'no answer of another model under this name').toEqual([])
    await expect.poll(() => a.seen[0]?.left, { timeout: 1_000, interval: 10 }).toBe(true)
    expect((a.seen[0]?.closedAtMs ?? Number.NaN) - answeredAt).toBeLessThan(1_000)
    expect([a.seen.length, b.seen.length]).toEqual([1, 1])
  })

  it('takes the first where that is faster after all, and hangs up on the second', async () => {
    const gate = Promise.withResolvers<void>()
    a.set(once(gate.promise, well('from the first')))
    b.set(async () => gate.resolve())
    const gateway = both({ hedgeAfterMs: 30 })
    const asked = await ask(gateway, body())
    expect(results(asked)).toEqual(['first answered', 'second abandoned'])
    expect(gateway.stored).toHaveLength(1)
    await expect.poll(() => b.seen[0]?.left, { timeout: 1_000, interval: 10 }).toBe(true)
  })

  it('gives one answer where both come at once', async () => {
    const asked: Asked[] = []
    for (let i = 0; i < 20; i++) {
      const gate = Promise.withResolvers<void>()
      a.set(once(gate.promise, well('from the first')))
      b.set((exchange) => {
        gate.resolve()
        return well('from the second')(exchange)
      })
      asked.push(await ask(both({ hedgeAfterMs: 10 }), body()))
    }
    for (const one of asked) {
      expect(
        results(one)
          .map((result) => result.split(' ')[1])
          .sort(),
      ).toEqual(['abandoned', 'answered'])
      expect([...new Set(one.text.match(/(?:from |the |first|second)/g))].length).toBeGreaterThan(0)
      expect(one.text.includes('first') && one.text.includes('second'), one.text).toBe(false)
    }
  })

  it('does not come where the first answers in time, and falls back as ever where it fails', async () => {
    a.set(well('from the first'))
    b.set(well('from the second'))
    const gateway = both({ hedgeAfterMs: 1_000 })
    expect(results(await ask(gateway, body()))).toEqual(['first answered'])
    a.set(answer(500, '{}'))
    expect(results(await ask(gateway, body()))).toEqual(['first failed failed', 'second answered'])
    b.set(answer(500, '{}'))
    const asked = await ask(both({ hedgeAfterMs: 1_000 }), body())
    expect([asked.status, results(asked)]).toEqual([502, ['first failed failed', 'second failed failed']])
  })

  it('fails as one where both fail, and asks neither again', async () => {
    const gate = Promise.withResolvers<void>()
    a.set(once(gate.promise, answer(500, '{}')))
    b.set((exchange) => {
      gate.resolve()
      return answer(503, '{}')(exchange)
    })
    const asked = await ask(both({ hedgeAfterMs: 20 }), body())
    expect([a.seen.length, b.seen.length]).toEqual([1, 1])
    expect(asked.status).toBeGreaterThanOrEqual(502)
    expect(asked.event.attempts.map(({ result }) => result)).toEqual(['failed', 'failed'])
  })
})

describe('hedging', () => {
  it('stays in the retry budget', { timeout: 60_000 }, async () => {
    const gateway = both({ hedgeAfterMs: 2 })
    a.set(async (exchange) => {
      await new Promise((resolve) => setTimeout(resolve, 8))
      await well('slow')(exchange)
    })
    b.set(blackHole)
    const asked: Asked[] = []
    for (let i = 0; i < 200; i++) asked.push(await ask(gateway, question()))
    expect(asked.every(({ status }) => status === 200)).toBe(true)
    console.log(`hedging: ${attempted(asked)} calls for 200 requests`)
    expect(b.seen.length).toBeLessThanOrEqual(200 * 0.2 + 2)
    expect(b.seen.length).toBeGreaterThan(30)
    // One that was hung up on while it connected may never have arrived.
    expect(attempted(asked)).toBeLessThanOrEqual(200 * 1.2 + 2)
    expect(attempted(asked)).toBeGreaterThanOrEqual(a.seen.length + b.seen.length)
  })
})

describe('a caller who leaves', () => {
  const settle = async (gateway: RoutingGateway, work: Promise<unknown>) => {
    await work
    await gateway.settled()
    expect(gateway.events.map(({ outcome }) => outcome)).toEqual(['cancelled'])
    return gateway.events[0]?.attempts.map(({ endpointId, result }) => `${endpointId} ${result}`)
  }
  const leaving = (gateway: RoutingGateway, body: object) => {
    const caller = new AbortController()
    const work = gateway.chat(body, { signal: caller.signal }).then(
      (response) => response.text().catch(() => ''),
      () => '',
    )
    return { work, leave: () => caller.abort() }
  }

  it.each([
    ['a plain request', question, blackHole],
    ['a stream without a head', streamed, blackHole],
    ['a stream without a word', streamed, stream('', { after: 'silence' })],
    [
      'half a plain answer',
      question,
      stream('{"choices":', { after: 'silence', contentType: 'application/json' }),
    ],
  ] as const)('ends the call to the provider: %s', async (_title, body, behaviour) => {
    a.set(behaviour)
    b.set(well('never asked'))
    const gateway = both()
    const { work, leave } = leaving(gateway, body())
    await expect.poll(() => a.seen.length, { interval: 5 }).toBe(1)
    leave()
    expect(await settle(gateway, work)).toEqual(['first cancelled'])
    await expect.poll(() => a.seen[0]?.left, { timeout: 1_000, interval: 10 }).toBe(true)
    expect(b.seen).toHaveLength(0)
    // Whoever left says nothing about the provider.
    a.set(well('well'))
    for (let i = 0; i < 5; i++) expect(results(await ask(gateway, question()))).toEqual(['first answered'])
  })

  it('ends the call to the second as well', async () => {
    a.set(answer(500, '{}'))
    b.set(blackHole)
    const gateway = both()
    const { work, leave } = leaving(gateway, question())
    await expect.poll(() => b.seen.length, { interval: 5 }).toBe(1)
    leave()
    expect(await settle(gateway, work)).toEqual(['first failed', 'second cancelled'])
    await expect.poll(() => b.seen[0]?.left, { timeout: 1_000, interval: 10 }).toBe(true)
  })

  it('ends both calls of a hedge', async () => {
    a.set(blackHole)
    b.set(blackHole)
    const gateway = both({ hedgeAfterMs: 10 })
    const { work, leave } = leaving(gateway, question())
    await expect.poll(() => b.seen.length, { interval: 5 }).toBe(1)
    leave()
    expect(await settle(gateway, work)).toEqual(['first cancelled', 'second cancelled'])
    await expect
      .poll(() => [a.seen[0]?.left, b.seen[0]?.left], { timeout: 1_000, interval: 10 })
      .toEqual([true, true])
  })

  it('has nobody asked who left before', async () => {
    a.set(well('never asked'))
    b.set(well('never asked'))
    const gateway = both()
    const { work, leave } = leaving(gateway, question())
    leave()
    expect(await settle(gateway, work)).toEqual([])
    expect([a.seen.length, b.seen.length]).toEqual([0, 0])
  })
})
