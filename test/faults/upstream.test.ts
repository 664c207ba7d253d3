import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { fakeClock } from '../support/fake-clock.ts'
import {
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
  blackHole,
  completion,
  events,
  reset,
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
afterEach(() => {
  a.set(blackHole)
  b.set(blackHole)
})

/** A gateway that asks the first provider, then the second. */
const both = (more: Partial<RoutingOptions> = {}): RoutingGateway =>
  routingGateway({
    providers: [providerAt('first', a.url), providerAt('second', b.url)],
    aliases: [inOrder('m', 'first:m', 'second:m')],
    ...more,
  })
const alone = (more: Partial<RoutingOptions> = {}): RoutingGateway =>
  routingGateway({ providers: [providerAt('first', a.url)], ...more })

const GRACE_MS = 250
const SHORT = { answerMs: 200, connectMs: 200, firstTokenMs: 200, idleMs: 200 }
const forms = [
  ['a plain answer', question],
  ['a stream', streamed],
] as const
const limited = (retryAfter: string) => answer(429, '{}', { 'retry-after': retryAfter })

describe('row 11: 429 with Retry-After', () => {
  it('falls back at once, and leaves the first alone until the time it named', async () => {
    const clock = fakeClock()
    const gateway = both({ clock })
    a.set(limited('7'))
    b.set(well('from the second'))
    expect(results(await ask(gateway, question()))).toEqual(['first failed rate_limited', 'second answered'])
    a.set(well('from the first'))
    for (let second = 0; second < 6; second++) {
      await clock.advance(1_000)
      expect(results(await ask(gateway, question()))).toEqual(['second answered'])
    }
    await clock.advance(999)
    expect(results(await ask(gateway, question()))).toEqual(['second answered'])
    expect(a.seen).toHaveLength(0)
    await clock.advance(1)
    expect(results(await ask(gateway, question()))).toEqual(['first answered'])
  })

  it.each(['1', 'a date'])(
    "waits where there is no other, by the provider's own clock (%s)",
    async (form) => {
      // A date has whole seconds: named is the next one but one, between one and two seconds from now.
      const named = form === 'a date' ? Math.ceil(Date.now() / 1_000) * 1_000 + 1_000 : undefined
      a.inTurn(limited(named ? new Date(named).toUTCString() : form), well('at last'))
      const asked = await ask(alone(), question())
      expect([asked.status, results(asked)]).toEqual([200, ['first failed rate_limited', 'first answered']])
      const [first, second] = a.seen
      const secondAtMs = performance.timeOrigin + (second?.atMs ?? 0)
      // Timers may fire a millisecond early.
      if (named) expect(secondAtMs).toBeGreaterThanOrEqual(named - 2)
      else expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(998)
    },
  )

  it.each(['6', '3600'])('hands a longer one (%s s) on to the caller', async (seconds) => {
    a.set(limited(seconds))
    const gateway = alone()
    const asked = await ask(gateway, question())
    expect([asked.status, asked.error?.code, asked.headers.get('retry-after')]).toEqual([
      429,
      'upstream_rate_limited',
      seconds,
    ])
    expect(asked.headers.get('x-should-retry')).toBeNull()
    expect(a.seen).toHaveLength(1)
    const next = await ask(gateway, question())
    expect([next.status, next.error?.code]).toEqual([503, 'model_unavailable'])
    expect(Number(next.headers.get('retry-after'))).toBeGreaterThan(Number(seconds) - 2)
    expect(a.seen, 'not asked early').toHaveLength(1)
  })

  it('believes no time that no limit can mean', async () => {
    const clock = fakeClock()
    a.set(limited('Fri, 31 Dec 2999 23:59:59 GMT'))
    const gateway = alone({ clock })
    expect((await ask(gateway, question())).status).toBe(429)
    a.set(well('again'))
    await clock.advance(86_400_000)
    expect((await ask(gateway, question())).status).toBe(200)
  })
})

describe('row 12: a provider that fails for a minute', () => {
  it.each(forms)('costs next to no attempts, and is used again once it is back (%s)', async (_form, body) => {
    const clock = fakeClock()
    const gateway = both({ clock })
    b.set(well('from the second'))
    a.set(answer(500, '{}'))
    const during = []
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 5; i++) during.push(await ask(gateway, body()))
      await clock.advance(1_000)
    }
    const attempts = during.reduce((sum, { event }) => sum + event.attempts.length, 0) / during.length
    console.log(`row 12: ${attempts.toFixed(3)} attempts a request`)
    expect(attempts).toBeLessThanOrEqual(1.2)
    expect(during.filter(({ status }) => status === 200).length / during.length).toBeGreaterThanOrEqual(0.99)

    a.set(well('from the first'))
    await clock.advance(30_000)
    const after = []
    for (let i = 0; i < 20; i++) after.push(await ask(gateway, body()))
    expect(after.every(({ status }) => status === 200)).toBe(true)
    expect(results(after.at(-1) as (typeof after)[number])).toEqual(['first answered'])
  })

  it('keeps to the figure at one request a second', async () => {
    const clock = fakeClock()
    const gateway = both({ clock })
    b.set(well('from the second'))
    a.set(answer(502, '{}'))
    let attempts = 0
    for (let second = 0; second < 60; second++) {
      const asked = await ask(gateway, question())
      expect(asked.status).toBe(200)
      attempts += asked.event.attempts.length
      await clock.advance(1_000)
    }
    console.log(`row 12: ${(attempts / 60).toFixed(3)} attempts a request at 1/s`)
    expect(attempts / 60).toBeLessThanOrEqual(1.2)
  })
})

describe.each(forms)('row 13: a connection into a black hole (%s)', (_form, body) => {
  it('ends in 504 at its deadline, and is not asked again', async () => {
    const asked = await ask(alone({ limits: SHORT }), body())
    expect([asked.status, asked.error?.code, asked.error?.fault]).toEqual([
      504,
      'upstream_timeout',
      'provider',
    ])
    expect(asked.ms).toBeGreaterThanOrEqual(198)
    expect(asked.ms).toBeLessThanOrEqual(200 + GRACE_MS)
    expect(asked.headers.get('x-should-retry')).toBe('false')
    expect(a.seen).toHaveLength(1)
  })

  it('has a deadline for each of two', async () => {
    const asked = await ask(both({ limits: SHORT }), body())
    expect([asked.status, results(asked)]).toEqual([504, ['first failed too_slow', 'second failed too_slow']])
    expect(asked.ms).toBeLessThanOrEqual(400 + GRACE_MS)
    await expect
      .poll(() => [...a.seen, ...b.seen].map(({ left }) => left), { timeout: 1_000 })
      .toEqual([true, true])
  })
})

describe('row 14: a head, then silence', () => {
  it.each([
    ['a stream', streamed, 'text/event-stream', ''],
    ['a stream whose role has come', streamed, 'text/event-stream', `: ping\n\n${events.role}`],
    ['a plain answer', question, 'application/json', ''],
    ['half a plain answer', question, 'application/json', completion('half').slice(0, 50)],
  ] as const)('is left for another at the deadline (%s)', async (_form, body, contentType, said) => {
    a.set(stream(said, { after: 'silence', contentType }))
    b.set(well('one clean answer'))
    const gateway = both({ limits: SHORT })
    const asked = await ask(gateway, body())
    expect([asked.status, asked.error]).toEqual([200, undefined])
    expect(results(asked)).toEqual(['first failed too_slow', 'second answered'])
    expect(asked.event.attempts.map(({ mayBeBilled }) => mayBeBilled)).toEqual([true, true])
    expect(asked.ms).toBeLessThanOrEqual(200 + GRACE_MS)
    expect(asked.text.match(/"role":"assistant"/g)).toHaveLength(1)
    expect(gateway.stored).toEqual([])
    await expect.poll(() => a.seen[0]?.left, { timeout: 1_000 }).toBe(true)
  })

  it('gives a plain answer one deadline for its head and the rest', async () => {
    a.set(async (exchange) => {
      await new Promise((resolve) => setTimeout(resolve, 150))
      await stream(completion('half').slice(0, 50), { after: 'silence', contentType: 'application/json' })(
        exchange,
      )
    })
    const asked = await ask(alone({ limits: SHORT }), question())
    expect(asked.status).toBe(504)
    expect(asked.ms).toBeLessThanOrEqual(200 + 100)
  })
})

describe('row 15: a stall in the middle of a stream', () => {
  it('ends in an error event, and is not kept', async () => {
    a.set(stream(events.role + events.word('begun'), { after: 'silence' }))
    const gateway = both({ limits: SHORT })
    const asked = await ask(gateway, streamed())
    expect([asked.status, asked.error?.code]).toEqual([200, 'upstream_timeout'])
    expect(asked.text).toContain('begun')
    expect(results(asked)).toEqual(['first failed too_slow'])
    expect([asked.event.outcome, gateway.stored, b.seen.length]).toEqual(['error', [], 0])
    expect(asked.ms).toBeLessThanOrEqual(200 + 1_000)
    await expect.poll(() => a.seen[0]?.left, { timeout: 1_000 }).toBe(true)
  })
})

describe.each(forms)('row 18: 200 without an answer in it (%s)', (_form, body) => {
  it.each([
    ['a page', '<!doctype html><title>Welcome</title>', 'text/html'],
    ['nothing', '', 'application/json'],
    ['an empty stream', '', 'text/event-stream'],
    ['an error', '{"error":{"message":"prose of the provider","code":"server_error"}}', 'application/json'],
    ['an error in a stream', 'data: {"error":{"message":"prose of the provider"}}\n\n', 'text/event-stream'],
    ['an end alone', 'data: {"choices":[]}\n\n', 'text/event-stream'],
    ['no choices', '{"choices":[]}', 'application/json'],
    ['JSON that is none', '{"choices":', 'application/json'],
  ])('is a failure (%s)', async (_title, text, contentType) => {
    a.set(answer(200, text, { 'content-type': contentType }))
    b.set(well('whole'))
    const gateway = both()
    const asked = await ask(gateway, body())
    expect(asked.error).toBeUndefined()
    expect(results(asked)).toEqual([
      expect.stringMatching(/^first failed bad_(answer|stream)$/),
      'second answered',
    ])
    expect(gateway.stored).toEqual([])
    const lonely = alone()
    const refused = await ask(lonely, body())
    expect(refused.status).toBe(502)
    expect(lonely.stored).toEqual([])
  })
})

describe('row 23: a time-out after the provider took the request', () => {
  it('asks no candidate twice, however often it stands on the list', async () => {
    const gateway = both({ limits: SHORT, aliases: [inOrder('both', 'first:m', 'm', 'first:m')] })
    b.set(blackHole)
    const asked = await ask(gateway, question({ model: 'both' }))
    expect([asked.status, results(asked)]).toEqual([504, ['first failed too_slow', 'second failed too_slow']])
    expect([a.seen.length, b.seen.length]).toEqual([1, 1])
  })

  it('asks no other once a byte is out', async () => {
    a.set(stream(events.role + events.word('out'), { after: 'break' }))
    b.set(well('never asked'))
    const asked = await ask(both(), streamed())
    expect([asked.error?.code, results(asked), b.seen.length]).toEqual([
      'upstream_cut_off',
      ['first failed bad_stream'],
      0,
    ])
  })

  it('asks the same one again only where it was turned away unprocessed', async () => {
    a.set(reset)
    expect((await ask(alone(), question())).status).toBe(502)
    expect(a.seen).toHaveLength(1)
    a.inTurn(answer(503, '{}'), well('then'))
    expect((await ask(alone({ random: () => 0 }), question())).status).toBe(200)
    expect(a.seen).toHaveLength(2)
    a.set(answer(504, '{}'))
    expect((await ask(alone(), question())).status).toBe(504)
    expect(a.seen).toHaveLength(1)
  })
})
