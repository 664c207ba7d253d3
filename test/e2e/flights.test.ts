import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FlightsStack, type GatewayName, startFlights } from '../support/flights-stack.ts'
import { question, streamed } from '../support/routing-gateway.ts'
import {
  answer,
  type Behaviour,
  blackHole,
  dataOf,
  events,
  once,
  stream,
  streamInTwo,
  well,
  words,
} from '../support/upstream-faults.ts'

// Several isolates of the gateway and the directory between them, on raw workerd: who asks, who waits, who leaves.

let stack: FlightsStack
beforeAll(async () => {
  stack = await startFlights()
})
afterAll(() => stack?.close())

const seen = () => stack.upstream.seen.length
const KINDS: [string, (more?: object) => object][] = [
  ['plain answers', question],
  ['streams', streamed],
]

interface Got {
  readonly status: number
  readonly cacheStatus: string
  readonly text: string
}

async function read(answering: Promise<Response>): Promise<Got> {
  const response = await answering
  const cacheStatus = response.headers.get('cache-status') ?? ''
  return { status: response.status, cacheStatus, text: await response.text() }
}
const ask = (body: object, at?: GatewayName) => read(stack.ask(body, at))
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))
const isCollapsed = ({ cacheStatus }: Got) => /; collapsed(?!=)/.test(cacheStatus)
const followers = (count: number) =>
  expect.poll(async () => (await stack.load()).followers, { interval: 20, timeout: 20_000 }).toBe(count)
const nothingLeft = () =>
  expect
    .poll(() => stack.load(), { interval: 50, timeout: 8_000 })
    .toEqual({ flights: 0, followers: 0, length: 0 })

/** A promise in our hands. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { promise, open: () => resolve() }
}

/** Asks once, and lets others join that. */
async function led(body: object, count: number, at: (index: number) => GatewayName = () => 'main') {
  const first = ask(body)
  await expect.poll(seen, { interval: 5 }).toBe(1)
  const others = times(count, (i) => ask(body, at(i)))
  await followers(count)
  return { first, others }
}
const both = (index: number): GatewayName => (index % 2 ? 'other' : 'main')

describe('row 9: requests that are alike, at once, on cold caches', () => {
  it.each(KINDS)('1,000 cause one call to the provider, and all are answered: %s', async (_kind, make) => {
    const before = (await stack.events()).length
    const release = gate()
    stack.upstream.set(once(release.promise, well('one two three')))
    const body = make()
    const started = performance.now()
    const all = times(1_000, () => ask(body))
    await followers(999)
    const joinedMs = performance.now() - started
    release.open()
    const got = await Promise.all(all)
    console.log(
      `row 9: 999 followed within ${joinedMs.toFixed(0)} ms, all were answered after ${(performance.now() - started).toFixed(0)} ms`,
    )
    expect(seen()).toBe(1)
    expect(got.filter(({ status }) => status !== 200)).toEqual([])
    expect(new Set(got.map(({ text }) => text)).size).toBe(1)
    expect(got[0]?.text).toContain('three')
    expect(got.filter(isCollapsed)).toHaveLength(999)
    const recorded = (await stack.events()).slice(before)
    expect(recorded).toHaveLength(1_000)
    const [leader, ...more] = recorded.filter(({ attempts }) => attempts.length > 0)
    expect(more).toEqual([])
    for (const event of recorded) {
      expect(event).toMatchObject({ outcome: 'success', cache: 'miss' })
      if (event !== leader) expect(event.origin?.predictionId).toBe(leader?.predictionId)
    }
    await nothingLeft()
    expect(await ask(body)).toMatchObject({ cacheStatus: expect.stringContaining('hit') })
  })

  it.each(KINDS)('share in several isolates, too: %s', async (_kind, make) => {
    const release = gate()
    stack.upstream.set(once(release.promise, well('far and near')))
    const { first, others } = await led(make(), 60, both)
    release.open()
    const texts = (await Promise.all([first, ...others])).map(({ text }) => text)
    expect(new Set(texts).size).toBe(1)
    expect(texts[0]).toContain('near')
    expect(seen()).toBe(1)
  })

  it('of two tenants never share', async () => {
    const release = gate()
    stack.upstream.set(once(release.promise, well('mine')))
    const body = question()
    const mine = ask(body)
    const theirs = ask(body, 'rival')
    await expect.poll(seen).toBe(2)
    release.open()
    for (const got of await Promise.all([mine, theirs])) {
      expect(got.status).toBe(200)
      expect(got.cacheStatus).not.toContain('collapsed')
    }
  })

  it.each(['no-store', 'no-cache'])(
    'each ask for themselves with Cache-Control: %s',
    async (cacheControl) => {
      stack.upstream.set(well('fresh'))
      const body = question()
      const all = times(10, () => read(stack.ask(body, 'main', { 'cache-control': cacheControl })))
      expect((await Promise.all(all)).filter(isCollapsed)).toEqual([])
      expect(seen()).toBe(10)
    },
  )
})

describe('a leader that leaves', () => {
  it.each(KINDS)('is not missed by those who follow: %s', async (_kind, make) => {
    const release = gate()
    stack.upstream.set(once(release.promise, well('to the end')))
    const body = make()
    const leader = await stack.caller(body)
    await expect.poll(seen).toBe(1)
    const others = times(999, (i) => ask(body, both(i)))
    await followers(999)
    leader.resetAndDestroy()
    release.open()
    const got = await Promise.all(others)
    expect(seen()).toBe(1)
    expect(stack.upstream.seen[0]?.left).toBe(false)
    for (const { status, text } of got) expect([status, text.includes('end')]).toEqual([200, true])
  })

  it('in the middle of a stream lets the others hear all of it', async () => {
    const release = gate()
    const rest = [events.word('rest'), events.finish, events.done].join('')
    stack.upstream.set(streamInTwo(events.role + events.word('begun'), release.promise, rest))
    const body = streamed()
    const leader = await stack.caller(body)
    const heard = new Promise((resolve) => leader.once('data', resolve))
    await heard
    const others = times(50, (i) => ask(body, both(i)))
    await followers(50)
    leader.resetAndDestroy()
    release.open()
    for (const { text } of await Promise.all(others)) {
      expect(text).toContain('begun')
      expect(dataOf(text).at(-1)).toBe('[DONE]')
    }
    expect(seen()).toBe(1)
    expect(
      (await stack.events()).find(({ attempts, outcome }) => attempts.length && outcome === 'cancelled'),
    ).toBeUndefined()
  })

  it.each(KINDS)(
    'ends the call within a second where nobody follows, or nobody any more: %s',
    async (_k, make) => {
      for (const count of [0, 3]) {
        stack.upstream.set(blackHole)
        const body = make()
        const leader = await stack.caller(body)
        await expect.poll(seen).toBe(1)
        const others = await Promise.all(times(count, (i) => stack.caller(body, both(i))))
        await followers(count)
        leader.resetAndDestroy()
        for (const other of others) other.resetAndDestroy()
        await expect.poll(() => stack.upstream.seen[0]?.left, { timeout: 1_000, interval: 10 }).toBe(true)
        expect(seen()).toBe(1)
      }
      await nothingLeft()
    },
  )
})

describe('a leader that fails', () => {
  const failing: Behaviour = answer(500, '{"error":{"message":"broken"}}')

  it.each(KINDS)('is followed by one other, and the rest wait for that: %s', async (_kind, make) => {
    const release = gate()
    stack.upstream.inTurn(once(release.promise, failing), well('second try'))
    const { first, others } = await led(make(), 999, both)
    release.open()
    expect((await first).status).toBe(502)
    const got = await Promise.all(others)
    expect(got.filter(({ status }) => status === 200)).toHaveLength(999)
    expect(seen()).toBe(2)
    await nothingLeft()
  })

  it('twice is taken for everyone: no stampede on a provider in trouble', async () => {
    const release = gate()
    stack.upstream.inTurn(once(release.promise, failing), failing)
    const { first, others } = await led(question(), 100, both)
    release.open()
    for (const { status, text } of await Promise.all([first, ...others])) {
      expect(status).toBe(502)
      expect(JSON.parse(text).error).toMatchObject({ code: 'upstream_failed', fault: 'provider' })
    }
    expect(seen()).toBe(2)
    await nothingLeft()
  })
})

describe('a stream', () => {
  it('reaches followers as fast as its leader', async () => {
    const release = gate()
    stack.upstream.set(once(release.promise, stream(words('a', 'b', 'c'))))
    const body = streamed()
    const firstByte = async (at: GatewayName) => {
      const reader = (await stack.ask(body, at)).body?.getReader()
      await reader?.read()
      const ms = performance.now()
      while (!(await reader?.read())?.done);
      return ms
    }
    const rounds: number[] = []
    const leader = firstByte('main')
    await expect.poll(seen).toBe(1)
    const others = times(40, (i) => firstByte(both(i)))
    await followers(40)
    release.open()
    const leaderMs = await leader
    for (const ms of await Promise.all(others)) rounds.push(ms - leaderMs)
    rounds.sort((x, y) => x - y)
    const at = (share: number) => rounds[Math.floor(share * (rounds.length - 1))] ?? Number.NaN
    console.log(
      `first byte after the leader's, 40 followers, ms: ${[0, 0.5, 0.95, 1].map((share) => at(share).toFixed(1)).join(' ')} (least, median, p95, most)`,
    )
    expect(at(0.5)).toBeLessThan(50)
  })

  it('that is joined late is heard from its beginning', async () => {
    const release = gate()
    const rest = [events.word('end'), events.finish, events.done].join('')
    stack.upstream.set(streamInTwo(events.role + events.word('beginning'), release.promise, rest))
    const body = streamed()
    const first = ask(body)
    await expect.poll(() => stack.upstream.seen[0]?.written ?? 0).toBeGreaterThan(100)
    const late = ask(body, 'other')
    await followers(1)
    await expect.poll(async () => (await stack.load()).length).toBeGreaterThan(100)
    const later = ask(body)
    await followers(2)
    release.open()
    expect((await late).text).toBe((await first).text)
    expect((await later).text).toBe((await first).text)
    expect(seen()).toBe(1)
  })

  it('that is cut is an error to all of them, and is not stored', async () => {
    const before = { events: (await stack.events()).length, stored: await stack.stored() }
    const release = gate()
    stack.upstream.set(async (exchange) => {
      await stream(events.role + events.word('begun'), { after: 'silence' })(exchange)
      await release.promise
      exchange.end()
    })
    const body = streamed()
    const { first, others } = await led(body, 20)
    release.open()
    const ids = new Set<string>()
    for (const { text } of await Promise.all([first, ...others])) {
      expect(text).toContain('begun')
      expect(text).not.toContain('[DONE]')
      const { error } = JSON.parse(dataOf(text).at(-1) ?? '{}')
      expect(error).toMatchObject({ code: 'upstream_cut_off', fault: 'provider' })
      ids.add(error.request_id)
    }
    expect(ids.size).toBe(21)
    const recorded = (await stack.events()).slice(before.events)
    expect(recorded.map(({ outcome, errorCode }) => `${outcome} ${errorCode}`)).toEqual(
      times(21, () => 'error upstream_cut_off'),
    )
    expect(await stack.stored()).toBe(before.stored)
    stack.upstream.set(well('anew'))
    expect((await ask(body)).text).toContain('anew')
    expect(seen()).toBe(1)
  })
})

describe('waiting', () => {
  it('ends at the own deadline, then the follower asks for itself', async () => {
    stack.upstream.inTurn(blackHole, well('by myself'))
    const body = question()
    const leader = await stack.caller(body)
    await expect.poll(seen).toBe(1)
    const started = performance.now()
    const got = await ask(body, 'hasty')
    const ms = performance.now() - started
    console.log(`a follower with a deadline of 400 ms was answered after ${ms.toFixed(0)} ms`)
    expect(got.text).toContain('by myself')
    expect(got.cacheStatus).toContain('collapsed=?0')
    expect(ms).toBeGreaterThanOrEqual(390)
    expect(ms).toBeLessThan(900)
    expect(seen()).toBe(2)
    leader.resetAndDestroy()
    await nothingLeft()
  })

  it.each(['silent', 'broken'] as const)('costs nobody anything where the directory is %s', async (at) => {
    stack.upstream.set(well('without it'))
    const body = question()
    const started = performance.now()
    const got = await Promise.all(times(20, () => ask(body, at)))
    console.log(`directory ${at}: 20 answers after ${(performance.now() - started).toFixed(0)} ms`)
    expect(got.filter(({ status, text }) => status === 200 && text.includes('without it'))).toHaveLength(20)
    // By now it is left alone.
    const again = performance.now()
    await ask(question(), at)
    expect(performance.now() - again).toBeLessThan(45)
  })
})
