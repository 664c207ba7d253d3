import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { UpstreamError } from '../../src/providers/failures.ts'
import type { ChatAnswer, ChatCall } from '../../src/routing/chat.ts'
import { LEASE_MS, MEMORY_MS } from '../../src/routing/idempotency.ts'
import { GRACE_MS, MAX_KEPT_BYTES } from '../../src/routing/once.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { answered, onceBench, TARGET } from '../support/idempotency.ts'
import { chatBody, tenant } from '../support/slots.ts'

const acme = tenant('acme')
const body = chatBody('canary-4711')

/** A story that counts how often it is told, and ends when it is told to. */
function spender(text: string | (() => ChatAnswer['body']) = '{"an":"answer"}') {
  const go = Promise.withResolvers<void>()
  const told = { count: 0 }
  const story = async (call: ChatCall): Promise<ChatAnswer> => {
    told.count += 1
    const note = call.settlement.attempt(TARGET)
    const giveUp = new Promise<never>((_, reject) => {
      call.signal().addEventListener('abort', () => reject(new Error('aborted')), { once: true })
    })
    giveUp.catch(() => note.end('cancelled'))
    await Promise.race([go.promise, giveUp])
    note.end('answered')
    call.settlement.settle('success')
    return typeof text === 'string' ? answered(text) : answered(text(), 'sse')
  }
  return { story, told, finish: () => go.resolve() }
}

/** Digests and seals take a moment of real time, whatever the clock says. */
const until = (seen: () => boolean) => expect.poll(seen, { interval: 1 }).toBe(true)
const calls = (bench: { state: { calls: string[] } }, call: string) =>
  bench.state.calls.filter((each) => each === call).length
const textOf = (answer: ChatAnswer) => new Response(answer.body).text()
const failing = (kind: 'failed' | 'rejected' | 'rate_limited') => {
  const told = { count: 0 }
  const story = async (call: ChatCall): Promise<ChatAnswer> => {
    told.count += 1
    const error = new UpstreamError(kind, { provider: 'sim', model: 'sim:model', host: 'sim' })
    call.settlement.attempt(TARGET).fail(error)
    throw error
  }
  return { story, told }
}

describe('a key sent again', () => {
  it('gets the same body, at once and later, from one telling; one event spent, the others are replays', async () => {
    const bench = onceBench(fakeClock())
    const { story, told, finish } = spender()
    const sent = Array.from({ length: 50 }, () => bench.send(acme, 'k', body, story))
    await until(() => told.count === 1 && calls(bench, 'wait') === 49)
    finish()
    const answers = await Promise.all(sent.map(({ answer }) => answer))
    const later = bench.send(acme, 'k', body, story)
    expect(await later.answer).toMatchObject({ body: '{"an":"answer"}', kind: 'json', replayedStatus: 200 })
    expect(told.count).toBe(1)
    expect(new Set(answers.map((answer) => answer.body))).toEqual(new Set(['{"an":"answer"}']))
    const events = [...sent, later].flatMap(({ events }) => events)
    expect(events).toHaveLength(51)
    expect(events.filter(({ replayed }) => !replayed)).toMatchObject([{ attempts: [{ result: 'answered' }] }])
    const replays = events.filter(({ replayed }) => replayed)
    expect(replays).toHaveLength(50)
    for (const event of replays)
      expect(event).toMatchObject({ tenantId: 'acme', outcome: 'success', attempts: [], cache: 'none' })
  })

  it('with another body, model or form of answer is a conflict; what cannot change an answer may differ', async () => {
    const bench = onceBench(fakeClock())
    const { story, told, finish } = spender()
    finish()
    await bench.send(acme, 'k', body, story).answer
    for (const other of [chatBody('else'), { ...body, model: 'other' }, { ...body, stream: true }]) {
      const error = await bench.send(acme, 'k', other, story).answer.catch((error) => error)
      expect(error).toMatchObject({ code: 'idempotency_conflict', status: 409, mayRetry: false })
    }
    const reordered = { messages: body.messages ?? null, metadata: { attempt: '2' }, model: 'sim-small' }
    expect(await bench.send(acme, 'k', reordered, story).answer).toMatchObject({ replayedStatus: 200 })
    expect(told.count).toBe(1)
  })

  it('by another tenant is another key', async () => {
    const bench = onceBench(fakeClock())
    const [one, other] = [spender('one'), spender('other')]
    one.finish()
    other.finish()
    await bench.send(acme, 'k', body, one.story).answer
    const answer = await bench.send(tenant('rival'), 'k', body, other.story).answer
    expect(answer).toMatchObject({ body: 'other' })
    expect(other.told.count).toBe(1)
  })

  it('is told to come again while the first is still at work after 25 s, and gets it after that', async () => {
    const clock = fakeClock()
    const bench = onceBench(clock)
    const { story, told, finish } = spender()
    const first = bench.send(acme, 'k', body, story)
    await until(() => told.count === 1)
    const impatient = bench.send(acme, 'k', body, story).answer.catch((error) => error)
    await until(() => calls(bench, 'wait') === 1)
    await clock.advance(25_000)
    expect(await impatient).toMatchObject({ code: 'idempotency_running', retryAfterSeconds: 5 })
    // Far beyond one lease: its owner says that it lives.
    await clock.advance(5 * LEASE_MS)
    const patient = bench.send(acme, 'k', body, story)
    await until(() => calls(bench, 'wait') === 2)
    finish()
    expect((await patient.answer).body).toBe((await first.answer).body)
    expect(told.count).toBe(1)
  })

  it('is new again after 24 hours', async () => {
    const clock = fakeClock()
    const bench = onceBench(clock)
    const { story, told, finish } = spender()
    finish()
    await bench.send(acme, 'k', body, story).answer
    await clock.advance(MEMORY_MS - 1)
    await bench.send(acme, 'k', body, story).answer
    expect(told.count).toBe(1)
    await clock.advance(1)
    await bench.send(acme, 'k', chatBody('else'), story).answer
    expect(told.count).toBe(2)
  })

  it.each(['', 'two words', 'ä', 'x'.repeat(256), 'tab\there'])('is refused as %j', async (key) => {
    const { story, told } = spender()
    const error = await onceBench(fakeClock())
      .send(acme, key, body, story)
      .answer.catch((error) => error)
    expect(error).toMatchObject({ code: 'invalid_header', param: 'Idempotency-Key' })
    expect(told.count).toBe(0)
  })
})

describe('a failure', () => {
  it.each(['rejected', 'rate_limited'] as const)('that was not billed frees the key: %s', async (kind) => {
    const bench = onceBench(fakeClock())
    const { story, told } = failing(kind)
    const good = spender()
    good.finish()
    await expect(bench.send(acme, 'k', body, story).answer).rejects.toMatchObject({ name: 'GatewayError' })
    expect(await bench.send(acme, 'k', chatBody('corrected'), good.story).answer).toMatchObject({
      kind: 'json',
    })
    expect([told.count, good.told.count]).toEqual([1, 1])
  })

  it('that may have been billed is given again, with the id of the request that spent', async () => {
    const bench = onceBench(fakeClock())
    const { story, told } = failing('failed')
    const first = await bench.send(acme, 'k', body, story).answer.catch((error) => error)
    expect(first).toBeInstanceOf(GatewayError)
    const again = bench.send(acme, 'k', body, story)
    const answer = await again.answer
    expect(answer.replayedStatus).toBe(502)
    expect(JSON.parse(answer.body as string)).toEqual(first.toBody('request-1'))
    expect(again.events).toMatchObject([{ outcome: 'error', errorCode: 'upstream_failed', replayed: true }])
    expect(told.count).toBe(1)
  })
})

describe('a caller who leaves', () => {
  const frames = ['data: {"a":1}\n\n', 'data: {"b":"ä"}\n\n', 'data: [DONE]\n\n']
  /** A stream whose frames come when they are let go. */
  const slowly = () => {
    const gates = frames.map(() => Promise.withResolvers<void>())
    const state = { cancelled: false, sent: 0 }
    const stream = () =>
      new ReadableStream<Uint8Array>({
        pull: async (controller) => {
          const at = state.sent++
          await gates[at]?.promise
          if (state.cancelled) return
          controller.enqueue(utf8(frames[at] ?? ''))
          if (at === frames.length - 1) controller.close()
        },
        cancel: () => {
          state.cancelled = true
        },
      })
    return { stream, state, letGo: (at: number) => gates[at]?.resolve() }
  }

  it.each(['signal', 'cancel'])('in the middle of a stream gets the whole of it again: %s', async (how) => {
    const bench = onceBench(fakeClock())
    const source = slowly()
    const { story, told, finish } = spender(source.stream)
    finish()
    const first = bench.send(acme, 'k', body, story)
    const reader = ((await first.answer).body as ReadableStream<Uint8Array>).getReader()
    source.letGo(0)
    expect((await reader.read()).done).toBe(false)
    if (how === 'signal') first.leave()
    else await reader.cancel()
    const again = bench.send(acme, 'k', body, story)
    await until(() => calls(bench, 'wait') === 1)
    source.letGo(1)
    source.letGo(2)
    expect(await textOf(await again.answer)).toBe(frames.join(''))
    expect((await again.answer).kind).toBe('sse')
    expect(told.count).toBe(1)
  })

  it('is waited for 25 s; what was given up is never spent again', async () => {
    const clock = fakeClock()
    const bench = onceBench(clock)
    const source = slowly()
    const streamed = spender(source.stream)
    streamed.finish()
    const first = bench.send(acme, 'stream', body, streamed.story)
    await first.answer
    const plain = spender()
    const other = bench.send(acme, 'plain', body, plain.story)
    const failed = other.answer.catch((error) => error)
    await until(() => plain.told.count === 1)
    first.leave()
    other.leave()
    await clock.advance(GRACE_MS - 1)
    expect(source.state.cancelled).toBe(false)
    await clock.advance(1)
    await bench.settled()
    expect(source.state.cancelled).toBe(true)
    expect(await failed).toBeInstanceOf(GatewayError)
    for (const [key, { story, told }] of [
      ['stream', streamed],
      ['plain', plain],
    ] as const) {
      const error = await bench.send(acme, key, body, story).answer.catch((error) => error)
      expect(error).toMatchObject({ code: 'conflict', status: 409, mayRetry: false })
      expect(told.count).toBe(1)
    }
  })

  it('before anything was asked frees the key', async () => {
    const bench = onceBench(fakeClock())
    const { story, told, finish } = spender()
    finish()
    const first = bench.send(acme, 'k', body, story)
    first.leave()
    await expect(first.answer).rejects.toMatchObject({ code: 'request_cut_off' })
    expect(first.events).toMatchObject([{ outcome: 'cancelled' }])
    await bench.send(acme, 'k', body, story).answer
    expect(told.count).toBe(1)
  })
})

describe('an owner of keys that', () => {
  it('cannot be reached refuses the request: nothing is spent', async () => {
    const bench = onceBench(fakeClock())
    const { story, told } = spender()
    bench.state.down = true
    const error = await bench.send(acme, 'k', body, story).answer.catch((error) => error)
    expect(error).toMatchObject({ code: 'store_unavailable', status: 503, retryAfterSeconds: 5 })
    expect(told.count).toBe(0)
  })

  it('is lost meanwhile costs the caller a second at most; the key is free after a lease', async () => {
    const clock = fakeClock()
    const bench = onceBench(clock)
    const { story, told, finish } = spender()
    const first = bench.send(acme, 'k', body, story)
    await until(() => told.count === 1)
    bench.state.down = true
    finish()
    await until(() => calls(bench, 'finish') === 1)
    await clock.advance(1_000)
    expect(await first.answer).toMatchObject({ body: '{"an":"answer"}' })
    await clock.advance(5_000)
    bench.state.down = false
    const early = bench.send(acme, 'k', body, story).answer.catch((error) => error)
    await until(() => calls(bench, 'wait') === 1)
    await clock.advance(25_000)
    expect(await early).toMatchObject({ code: 'idempotency_running' })
    await clock.advance(LEASE_MS)
    await bench.send(acme, 'k', body, story).answer
    expect(told.count).toBe(2)
  })

  it('holds nothing readable, and what does not open is not answered again', async () => {
    const bench = onceBench(fakeClock())
    const { story, told, finish } = spender('{"secret":"canary-4711"}')
    finish()
    await bench.send(acme, 'my-key-4711', body, story).answer
    expect(JSON.stringify([...bench.claims])).not.toContain('4711')
    expect(JSON.stringify([...bench.claims])).not.toContain('acme')
    // A new epoch makes everything unreadable that was stored for the tenant.
    const later = bench.send(tenant('acme', { epoch: 2 }), 'my-key-4711', body, story)
    await expect(later.answer).rejects.toMatchObject({ code: 'conflict' })
    expect(told.count).toBe(1)
  })

  it.each(['json', 'sse'])('keeps up to 1 MB, and what is larger is not spent again: %s', async (kind) => {
    const bench = onceBench(fakeClock())
    // Two bytes a character: what counts is what is stored.
    for (const [characters, fits] of [
      [MAX_KEPT_BYTES / 2, true],
      [MAX_KEPT_BYTES / 2 + 1, false],
    ] as const) {
      const text = 'ä'.repeat(characters)
      const { story, told, finish } = spender(kind === 'json' ? text : () => new Response(text).body ?? '')
      finish()
      const key = `${characters}`
      expect(await textOf(await bench.send(acme, key, body, story).answer)).toBe(text)
      const again = bench.send(acme, key, body, story).answer
      if (fits) expect(await textOf(await again)).toBe(text)
      else await expect(again).rejects.toMatchObject({ code: 'conflict' })
      expect(told.count).toBe(1)
    }
  })
})
