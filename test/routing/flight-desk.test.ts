import { describe, expect, it } from 'vitest'
import { FlightDesk, type Place } from '../../src/routing/flight-desk.ts'
import type { FlightEnd, SharedFailure } from '../../src/routing/flight-words.ts'
import { fakeClock } from '../support/fake-clock.ts'

const end: FlightEnd = {
  origin: { predictionId: 'p', model: 'first:m', pricedAs: { provider: 'first', model: 'm' } },
}
const failure: SharedFailure = {
  code: 'upstream_failed',
  message: 'The provider failed.',
  tip: 'Try again.',
  param: undefined,
  retryAfterSeconds: undefined,
  context: undefined,
  mayRetry: true,
}
const LIMITS = { flightLength: 10, totalLength: 16 }

function bench(limits = LIMITS) {
  const clock = fakeClock()
  const desk = new FlightDesk(clock, limits)
  const told: string[] = []
  const join = (name: string, slot = 'slot', again = false) =>
    desk.join(slot, again, (isFollowed) => void told.push(`${name} ${isFollowed}`))
  const seat = (name: string, role: 'lead' | 'follow', slot?: string, again?: boolean): Place => {
    const joined = join(name, slot, again)
    expect(joined.role).toBe(role)
    if (!('seat' in joined)) throw new Error('no seat')
    return joined.seat
  }
  return { clock, desk, told, join, seat }
}

describe('a flight', () => {
  it('has one leader, who is told when others follow and when nobody does any more', async () => {
    const { seat, told, desk } = bench()
    seat('a', 'lead')
    const b = seat('b', 'follow')
    const c = seat('c', 'follow')
    expect(told).toEqual(['a true'])
    b.leave()
    expect(told).toEqual(['a true'])
    c.leave()
    expect(told).toEqual(['a true', 'a false'])
    expect(desk.load).toEqual({ flights: 1, followers: 0, length: 0 })
  })

  it('lets each follower hear all of it, in order, whenever it came', async () => {
    const { seat, desk } = bench()
    const a = seat('a', 'lead')
    const b = seat('b', 'follow')
    const waiting = b.next()
    a.say('on')
    expect(await waiting).toEqual({ kind: 'text', text: 'on' })
    a.say('e ')
    a.say('two')
    const c = seat('c', 'follow')
    expect(await c.next()).toEqual({ kind: 'text', text: 'one two' })
    expect(await b.next()).toEqual({ kind: 'text', text: 'e two' })
    a.end(end)
    const d = seat('d', 'follow')
    a.leave()
    for (const follower of [b, c]) expect(await follower.next()).toEqual({ kind: 'over', end })
    expect(await d.next()).toEqual({ kind: 'text', text: 'one two' })
    expect(await d.next()).toEqual({ kind: 'over', end })
    for (const gone of [a, b, c, d]) gone.leave()
    expect(desk.load).toEqual({ flights: 0, followers: 0, length: 0 })
  })

  it('of which nothing was handed over sends those who wait to the cache', async () => {
    const { seat } = bench()
    const a = seat('a', 'lead')
    const b = seat('b', 'follow')
    const waiting = b.next()
    a.leave()
    expect(await waiting).toEqual({ kind: 'landed' })
  })

  it('that is over sends who comes late to the cache once, and for two seconds', async () => {
    const { seat, join, clock } = bench()
    seat('a', 'lead').leave()
    expect(join('b').role).toBe('landed')
    const b = seat('b', 'lead', 'slot', true)
    expect(join('c', 'other').role).toBe('lead')
    await clock.advance(1_000)
    b.leave()
    await clock.advance(1_500)
    expect(join('d').role).toBe('landed')
    await clock.advance(501)
    expect(join('d').role).toBe('lead')
  })
})

describe('a leader that goes', () => {
  it('before a word hands over to whoever has waited longest', async () => {
    const { seat, told } = bench()
    const a = seat('a', 'lead')
    const b = seat('b', 'follow')
    const c = seat('c', 'follow')
    const waiting = [b.next(), c.next()] as const
    a.fail(undefined)
    expect(await waiting[0]).toEqual({ kind: 'lead' })
    expect(told).toEqual(['a true', 'b true'])
    b.say('hi')
    expect(await waiting[1]).toEqual({ kind: 'text', text: 'hi' })
    // Its own word counts no more.
    a.say('no')
    b.end(end)
    expect(await c.next()).toEqual({ kind: 'over', end })
  })

  it('in mid-sentence takes the rest with it, and the next one begins anew', async () => {
    const { seat } = bench()
    const a = seat('a', 'lead')
    const b = seat('b', 'follow')
    a.say('half')
    a.leave()
    expect(await b.next()).toEqual({ kind: 'text', text: 'half' })
    expect(await b.next()).toEqual({ kind: 'lost' })
    seat('c', 'lead')
  })

  it('after the last word takes nothing with it', async () => {
    const { seat } = bench()
    const a = seat('a', 'lead')
    const b = seat('b', 'follow')
    a.say('all')
    a.end(end)
    a.leave()
    expect((await b.next()).kind).toBe('text')
    expect(await b.next()).toEqual({ kind: 'over', end })
  })

  it('failing at the provider is followed once; the second failure is everyone’s', async () => {
    const { seat } = bench()
    const a = seat('a', 'lead')
    const [b, c, d] = [seat('b', 'follow'), seat('c', 'follow'), seat('d', 'follow')]
    a.fail(failure)
    expect(await b.next()).toEqual({ kind: 'lead' })
    b.fail(failure)
    for (const follower of [c, d]) expect(await follower.next()).toEqual({ kind: 'failed', failure })
    seat('e', 'lead')
  })

  it('failing for reasons of its own costs the others nothing', async () => {
    const { seat } = bench()
    let leader = seat('a', 'lead')
    const others = ['b', 'c', 'd', 'e'].map((name) => seat(name, 'follow'))
    for (const next of others) {
      leader.fail(undefined)
      expect(await next.next()).toEqual({ kind: 'lead' })
      leader = next
    }
  })
})

describe('memory', () => {
  it('is bounded a flight: nobody joins it any more, and those who read on lose nothing', async () => {
    const { seat, join, desk } = bench()
    const a = seat('a', 'lead')
    const quick = seat('b', 'follow')
    let heard = ''
    for (const text of ['12345', '67890', 'abcde', 'fghij']) {
      const waiting = quick.next()
      a.say(text)
      const got = await waiting
      if (got.kind === 'text') heard += got.text
      expect(desk.load.length).toBeLessThanOrEqual(10)
    }
    expect(heard).toBe('1234567890abcdefghij')
    expect(join('c').role).toBe('alone')
  })

  it('is not held for who reads too slowly: that one is cut off, and told so', async () => {
    const { seat, desk, told } = bench()
    const a = seat('a', 'lead')
    const slow = seat('b', 'follow')
    a.say('12345')
    expect((await slow.next()).kind).toBe('text')
    a.say('67890')
    a.say('abcdefghij')
    expect(await slow.next()).toEqual({ kind: 'lost' })
    expect(told).toEqual(['a true', 'a false'])
    expect(desk.load.length).toBeLessThanOrEqual(10)
  })

  it('is bounded for all flights together', async () => {
    const { seat, join, desk } = bench()
    const a = seat('a', 'lead', 'one')
    seat('b', 'follow', 'one')
    a.say('1234567890')
    const c = seat('c', 'lead', 'two')
    const d = seat('d', 'follow', 'two')
    c.say('123456')
    expect(join('e', 'one').role).toBe('alone')
    c.say('7')
    expect(desk.load.length).toBeLessThanOrEqual(16)
    expect(await d.next()).toEqual({ kind: 'lost' })
    a.end(end)
    a.leave()
    c.leave()
    expect(desk.load.length).toBe(10)
  })
})

it('a wait ends after five seconds, so that a follower that was killed is missed', async () => {
  const { seat, clock } = bench()
  seat('a', 'lead')
  const b = seat('b', 'follow')
  const waiting = b.next()
  await clock.advance(5_000)
  expect(await waiting).toEqual({ kind: 'nothing' })
  const again = b.next()
  b.leave()
  expect(await again).toEqual({ kind: 'lost' })
})
