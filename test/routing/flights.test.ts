import { describe, expect, it } from 'vitest'
import type { Fetch } from '../../src/providers/fetch.ts'
import { fakeClock, settled } from '../support/fake-clock.ts'
import { memoryFlights } from '../support/flights.ts'
import { question, routingGateway, streamed } from '../support/routing-gateway.ts'
import { inOrder, providerAt, type RoutingOptions } from '../support/routing-services.ts'
import { completion, dataOf, events } from '../support/upstream-faults.ts'

const encoder = new TextEncoder()

/** A provider whose every answer is in our hands. */
function provider() {
  interface Call {
    readonly signal: AbortSignal
    answer(status: number, text: string): void
    /** A stream, to be written to. */
    stream(): ReadableStreamDefaultController<Uint8Array>
  }
  const calls: Call[] = []
  const fetch: Fetch = (_url, init) =>
    new Promise((resolve, reject) => {
      const signal = init?.signal as AbortSignal
      signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
      calls.push({
        signal,
        answer: (status, text) =>
          resolve(new Response(text, { status, headers: { 'content-type': 'application/json' } })),
        stream: () => {
          let written: ReadableStreamDefaultController<Uint8Array> | undefined
          const body = new ReadableStream<Uint8Array>({
            start: (controller) => {
              written = controller
              signal.addEventListener('abort', () => controller.error(new Error('aborted')))
            },
          })
          resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
          return written as unknown as ReadableStreamDefaultController<Uint8Array>
        },
      })
    })
  return { calls, fetch }
}

function bench(more: Partial<RoutingOptions> = {}, before?: () => Promise<void>) {
  const clock = fakeClock()
  const { calls, fetch } = provider()
  const { flights, load, die } = memoryFlights(clock, before)
  const minute = 60_000
  const gateway = routingGateway({
    providers: [providerAt('first', 'https://provider.example/v1')],
    aliases: [inOrder('m', 'first:m')],
    limits: { answerMs: minute, connectMs: minute, firstTokenMs: minute, idleMs: minute },
    clock,
    fetch,
    flights,
    ...more,
  })
  /** What the provider was asked, once it was asked so often. */
  const call = async (index: number) => {
    await expect.poll(() => calls.length, { interval: 1 }).toBe(index + 1)
    const made = calls[index]
    if (!made) throw new Error('no call')
    return made
  }
  const followed = (count: number) => expect.poll(() => load().followers, { interval: 1 }).toBe(count)
  return { clock, calls, call, die, gateway, followed }
}
const text = async (answering: Promise<Response>) => (await answering).text()
const write = (to: ReadableStreamDefaultController<Uint8Array>, ...said: readonly string[]) => {
  for (const event of said) to.enqueue(encoder.encode(event))
}

describe('money', () => {
  it('is asked for by the leader alone; a key that may not spend costs the others nothing', async () => {
    const verdict = Promise.withResolvers<void>()
    let asked = 0
    const { gateway, call, calls, followed } = bench({
      accounts: {
        maySpend: async () => {
          asked += 1
          if (asked > 1) return { kind: 'allowed', isWatched: false, isHard: false }
          await verdict.promise
          return { kind: 'revoked' }
        },
      },
    })
    const body = question()
    const first = gateway.chat(body)
    await expect.poll(() => asked).toBe(1)
    const others = [gateway.chat(body), gateway.chat(body), gateway.chat(body)]
    await followed(3)
    verdict.resolve()
    expect((await first).status).toBe(401)
    ;(await call(0)).answer(200, completion('paid by the second'))
    for (const other of others) expect(await text(other)).toContain('paid by the second')
    expect([asked, calls.length]).toEqual([2, 1])
    await gateway.settled()
    const followers = gateway.events.filter(
      ({ attempts, outcome }) => outcome === 'success' && !attempts.length,
    )
    expect(followers).toHaveLength(2)
    for (const event of followers) {
      expect(event).toMatchObject({ cache: 'miss', origin: { model: 'first:m', usage: { inputTokens: 3 } } })
      expect(event.upstreamMs).toBeDefined()
    }
  })
})

describe('limits', () => {
  it('count whoever follows where it waits, and send it away beyond', async () => {
    const { gateway, call, calls, followed } = bench({ keyLimits: { requestsPerMinute: 1 } })
    const body = question({ max_tokens: 100 })
    // The account counts it, and here it has no limits.
    const leader = gateway.chat(body)
    const one = await call(0)
    const follower = gateway.chat(body)
    await followed(1)
    const refused = await gateway.chat(body)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
    await followed(1)
    one.answer(200, completion('for two'))
    for (const answering of [leader, follower]) expect(await text(answering)).toContain('for two')
    expect(calls).toHaveLength(1)
  })

  it('that may cut an answer keep it to its own key, unless the request names a maximum', async () => {
    const { gateway, call, calls, followed } = bench({ keyLimits: { maxTokens: 50 } })
    const body = question()
    const alone = [gateway.chat(body), gateway.chat(body)]
    await expect.poll(() => calls.length).toBe(2)
    for (const each of calls) each.answer(200, completion('cut'))
    for (const answering of alone) expect(await text(answering)).toContain('cut')
    const named = question({ max_tokens: 20 })
    const leader = gateway.chat(named)
    const one = await call(2)
    const follower = gateway.chat(named)
    await followed(1)
    one.answer(200, completion('shared'))
    for (const answering of [leader, follower]) expect(await text(answering)).toContain('shared')
  })
})

describe('a leader whose caller left', () => {
  it('goes on for 25 seconds, then the next one asks', async () => {
    const { clock, gateway, call, calls, followed } = bench()
    const body = question()
    const left = new AbortController()
    const first = gateway.chat(body, { signal: left.signal }).catch(() => undefined)
    const one = await call(0)
    const other = gateway.chat(body)
    await followed(1)
    left.abort()
    await clock.advance(24_900)
    expect([one.signal.aborted, calls.length]).toEqual([false, 1])
    await clock.advance(200)
    expect(one.signal.aborted).toBe(true)
    ;(await call(1)).answer(200, completion('asked anew'))
    expect(await text(other)).toContain('asked anew')
    await first
    await gateway.settled()
    expect(gateway.events.map(({ outcome }) => outcome).sort()).toEqual(['cancelled', 'success'])
  })

  it('of a stream leaves those who heard some of it with an error that says so', async () => {
    const { clock, gateway, call, followed } = bench()
    const body = streamed()
    const left = new AbortController()
    const first = gateway.chat(body, { signal: left.signal })
    const upstream = (await call(0)).stream()
    write(upstream, events.role, events.word('some'))
    await first
    const other = gateway.chat(body)
    await followed(1)
    left.abort()
    const answer = await other
    const whole = answer.text()
    await clock.advance(25_100)
    await clock.advance(6_000)
    const said = await whole
    expect(said).toContain('some')
    expect(said).not.toContain('[DONE]')
    expect(JSON.parse(dataOf(said).at(-1) ?? '').error).toMatchObject({
      code: 'upstream_cut_off',
      request_id: answer.headers.get('x-request-id'),
    })
    expect(gateway.stored).toEqual([])
  })
})

describe('who reads slowly', () => {
  it('holds nobody else up, be it the leader', async () => {
    const { gateway, call, followed } = bench()
    const body = streamed()
    const first = gateway.chat(body)
    const upstream = (await call(0)).stream()
    write(upstream, events.role, events.word('begun'))
    // Taken, and not read.
    const unread = await first
    const other = gateway.chat(body)
    await followed(1)
    for (let i = 0; i < 100; i++) {
      write(upstream, events.word(`word${i}`))
      await settled()
    }
    write(upstream, events.finish, events.done)
    const said = await text(other)
    for (const word of ['begun', 'word0', 'word99', '[DONE]']) expect(said).toContain(word)
    // Nothing of it is lost to the slow one.
    expect(await unread.text()).toBe(said)
  })
})

describe('an answer', () => {
  it('that was stored while a request was on its way here is taken from the cache', async () => {
    const late = Promise.withResolvers<void>()
    let joins = 0
    const { gateway, call, calls } = bench({}, async () => {
      joins += 1
      if (joins === 2) await late.promise
    })
    const body = question()
    const first = gateway.chat(body)
    const one = await call(0)
    const second = gateway.chat(body)
    await expect.poll(() => joins).toBe(2)
    one.answer(200, completion('stored'))
    await text(first)
    await settled()
    late.resolve()
    const answer = await second
    expect(answer.headers.get('cache-status')).toContain('beast-memory; hit')
    expect(await answer.text()).toContain('stored')
    expect(calls).toHaveLength(1)
  })

  it('that is too long to be shared is asked for by each', async () => {
    const { gateway, call, calls, followed } = bench()
    const body = question()
    const first = gateway.chat(body)
    const one = await call(0)
    const second = gateway.chat(body)
    await followed(1)
    const long = completion('x'.repeat(1_000_001))
    one.answer(200, long)
    ;(await call(1)).answer(200, long)
    expect((await text(first)).length).toBe((await text(second)).length)
    expect(calls).toHaveLength(2)
  })

  it('to an Idempotency-Key is shared as any other', async () => {
    const { gateway, call, calls, followed } = bench()
    const body = question()
    const all = ['one', 'two', 'three'].map((key) =>
      gateway.chat(body, { headers: { 'idempotency-key': key } }),
    )
    const one = await call(0)
    await followed(2)
    one.answer(200, completion('for all keys'))
    for (const answering of all) expect(await text(answering)).toContain('for all keys')
    expect(calls).toHaveLength(1)
  })
})

describe('a directory that dies', () => {
  it('is joined anew by those who wait: one of them asks', async () => {
    const { gateway, call, calls, die, followed } = bench()
    const body = question()
    const first = gateway.chat(body)
    const one = await call(0)
    const others = [gateway.chat(body), gateway.chat(body), gateway.chat(body)]
    await followed(3)
    die()
    const two = await call(1)
    await followed(2)
    one.answer(200, completion('of the first'))
    two.answer(200, completion('of the second'))
    expect(await text(first)).toContain('of the first')
    for (const other of others) expect(await text(other)).toContain('of the second')
    expect(calls).toHaveLength(2)
  })
})
