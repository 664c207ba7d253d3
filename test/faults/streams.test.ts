import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Watch } from '../../src/core/clock.ts'
import { targetOf } from '../../src/models/provider.ts'
import type { WireFormat } from '../../src/providers/adapter.ts'
import { adapterFor } from '../../src/providers/adapters.ts'
import { SseReader } from '../../src/providers/sse.ts'
import { type RelayOptions, relay } from '../../src/routing/relay.ts'
import { workerClock } from '../../workers/clock.ts'
import { context, fixture, streamText } from '../support/provider-fixtures.ts'
import { ask, type RoutingGateway, results, routingGateway, streamed } from '../support/routing-gateway.ts'
import { inOrder, providerAt } from '../support/routing-services.ts'
import {
  events,
  flood,
  startUpstream,
  stream,
  streamInTwo,
  type UpstreamFaults,
  well,
  words,
} from '../support/upstream-faults.ts'

let a: UpstreamFaults
let b: UpstreamFaults

beforeAll(async () => {
  ;[a, b] = await Promise.all([startUpstream(), startUpstream()])
})
afterAll(() => Promise.all([a?.close(), b?.close()]))

const alone = (format: WireFormat = 'openai'): RoutingGateway =>
  routingGateway({ providers: [providerAt('first', a.url, { format })] })
const both = (format: WireFormat = 'openai'): RoutingGateway =>
  routingGateway({
    providers: [providerAt('first', a.url, { format }), providerAt('second', b.url)],
    aliases: [inOrder('m', 'first:m', 'second:m')],
  })

describe.each(['openai', 'anthropic'] as const)('row 16: a stream in the format %s', (format) => {
  const whole = Buffer.from(streamText(fixture(format, 'plain')))
  const request = () => streamed({ stream_options: { include_usage: true } })

  it('passes whole, and in single bytes', async () => {
    a.set(stream(whole))
    const gateway = alone(format)
    const asked = await ask(gateway, request())
    expect(asked.text).toContain('[DONE]')
    expect(gateway.stored).toHaveLength(1)
    a.set(stream(whole, { piece: 1 }))
    const sliced = await ask(gateway, request())
    const said = ({ text }: typeof asked) => text.replaceAll(/chatcmpl-[0-9a-f-]+|"created":\d+/g, '')
    expect(said(sliced)).toBe(said(asked))
  })

  it('is an error wherever it is cut, and another answers while nothing of it is out', {
    timeout: 60_000,
  }, async () => {
    b.set(well('from the second'))
    const seen = { refused: 0, broken: 0 }
    let begun = false
    for (let at = 0; at < whole.length; at++) {
      const cut = whole.subarray(0, at)
      // The last blank line is all that may lack: `ask` holds the one event against the answer.
      a.set(stream(cut, { after: at % 2 ? 'end' : 'break' }))
      const lonely = alone(format)
      const refused = await ask(lonely, request())
      const code = refused.error?.code
      expect(code, `cut at ${at}`).toBe('upstream_cut_off')
      expect(refused.event.outcome).toBe('error')
      expect(results(refused)).toEqual(['first failed bad_stream'])
      expect([200, 502]).toContain(refused.status)
      // Once a longer piece is enough to begin, every longer one is.
      expect(begun && refused.status !== 200, `cut at ${at}`).toBe(false)
      begun = refused.status === 200

      expect(lonely.stored, 'nothing is kept').toEqual([])
      seen.refused += begun ? 0 : 1
      seen.broken += begun ? 1 : 0
      // Once it has begun, it makes no difference any more whether there is another.
      if (begun && at % 8 > 0) continue

      a.set(stream(cut, { after: at % 2 ? 'break' : 'end' }))
      const gateway = both(format)
      const asked = await ask(gateway, request())
      expect(asked.status).toBe(200)
      expect(asked.error?.code, `cut at ${at}`).toBe(begun ? 'upstream_cut_off' : undefined)
      expect(results(asked)).toEqual(['first failed bad_stream', ...(begun ? [] : ['second answered'])])
      if (!begun) expect(asked.text).toContain('from ')
      expect(gateway.stored, 'nothing is kept').toEqual([])
    }
    console.log(
      `row 16, ${format}: ${whole.length} cuts, ${seen.refused} before the first word, ${seen.broken} after`,
    )
    expect(Math.min(seen.refused, seen.broken)).toBeGreaterThan(50)
  })
})

const LINE = 10_000_000
const word = events.word('word')
const good = words('one ', 'two')

describe('row 17: what the format allows', () => {
  it.each([
    ['CRLF', good.replaceAll('\n', '\r\n')],
    ['CR', `${good.replaceAll('\n', '\r')}: \r`],
    ['a byte order mark', `\ufeff${good}`],
    ['comments', `: hello\n\n${good.replaceAll('data:', ': ping\ndata:')}`],
    ['data in several lines', good.replaceAll(',"object"', ',\ndata: "object"')],
    ['other fields', good.replaceAll('data:', 'id: 1\nretry: 100\nevent: x\ndata:')],
    ['no space after the colon', good.replaceAll('data: ', 'data:')],
    [
      'usage in an event of its own',
      good.replace(events.done, `data: {"choices":[],"usage":null}\n\n${events.done}`),
    ],
    ['text after the end', `${good}data: {"error":{"message":"late"}}\n\n`],
  ])('passes: %s', async (_title, text) => {
    for (const piece of [text.length * 4, 7]) {
      a.set(stream(text, { piece }))
      const gateway = alone()
      const asked = await ask(gateway, streamed())
      expect(asked.event.outcome).toBe('success')
      expect(asked.text).toContain('[DONE]')
      expect(gateway.stored).toHaveLength(1)
    }
  })
})

describe('row 17: what it does not', () => {
  it.each<[string, string | Uint8Array]>([
    ['a line of 10 MB', `data: {"x":"${'x'.repeat(LINE)}"}\n\n`],
    ['10 MB of one event in lines', 'data: x\n'.repeat(LINE / 8)],
    ['no JSON', 'data: {"choices":[}\n\n'],
    ['JSON that is no object', 'data: 7\n\n'],
    ['an error', 'data: {"error":{"message":"prose of the provider"}}\n\n'],
    ['bytes that are no UTF-8', Uint8Array.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0xfe, 10, 10])],
    ['half a character', Uint8Array.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xe2, 0x82, 10, 10])],
  ])('is a failure like a cut: %s', async (_title, bad) => {
    const frame = Buffer.from(bad)
    b.set(well('from the second'))
    const tail = Buffer.from(good)
    a.set(stream(Buffer.concat([Buffer.from(events.role), frame, tail])))
    const gateway = both()
    const before = await ask(gateway, streamed())
    expect([before.error, results(before)]).toEqual([
      undefined,
      ['first failed bad_stream', 'second answered'],
    ])
    const gate = Promise.withResolvers<void>()
    a.set(streamInTwo(events.role + word, gate.promise, Buffer.concat([frame, tail])))
    const after = await ask(gateway, streamed(), { onAnswer: gate.resolve })
    expect([after.error?.code, results(after)]).toEqual(['upstream_cut_off', ['first failed bad_stream']])
    expect(gateway.stored).toEqual([])
  })

  it('holds no more than 1 MB of a line that does not end', async () => {
    const unit = new Uint8Array(16_384).fill(120)
    const { pulled, opened } = counted(unit)
    const { stream: out, ended } = opened()
    const text = await new Response(out).text()
    expect(text).toContain('upstream_cut_off')
    expect((await ended).kind).toBe('broken')
    console.log(`row 17: ${pulled()} bytes of an endless line were taken`)
    expect(pulled()).toBeLessThanOrEqual(1_000_000 + 3 * unit.length)
  })

  it('gives up a stream that only ever says that it will begin', async () => {
    a.set(flood(': ping\n\n'.repeat(500), 5_000_000))
    const asked = await ask(alone(), streamed())
    expect([asked.status, asked.error?.code]).toEqual([502, 'upstream_cut_off'])
    await expect.poll(() => a.seen[0]?.left, { timeout: 1_000 }).toBe(true)
  })
})

/** A relay of these bytes, again and again, that counts how many were taken. */
function counted(unit: Uint8Array) {
  let taken = 0
  const upstream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        taken += unit.length
        controller.enqueue(unit)
      },
    },
    { highWaterMark: 0 },
  )
  const provider = providerAt('p', 'http://127.0.0.1:1/v1')
  const options: RelayOptions = {
    watch: new Watch(workerClock),
    requestId: 'r',
    target: targetOf({ id: 'p:m', revision: '1', provider, model: 'm' }, provider.endpoints[0]),
    idleMs: 2_000,
    keepLength: 1_048_576,
  }
  const opened = () =>
    relay(
      {
        upstream: upstream.getReader(),
        reader: new SseReader(),
        translator: adapterFor('openai').stream(context),
        held: '',
      },
      options,
    )
  return { pulled: () => taken, opened }
}

describe('row 20: a caller who reads slowly', () => {
  it.each([200, 16_384, 65_536])(
    'makes the relay take no more than it needs (reads of %i bytes)',
    async (size) => {
      const unit = Buffer.from(word.repeat(Math.ceil(size / word.length)))
      const { pulled, opened } = counted(unit)
      const { stream: out, leave } = opened()
      const reader = out.getReader()
      let read = 0
      let most = 0
      while (read < 1_000_000) {
        read += (await reader.read()).value?.length ?? 0
        await new Promise((resolve) => setImmediate(resolve))
        most = Math.max(most, pulled() - read)
      }
      leave()
      console.log(`row 20: ${most} bytes ahead of the caller, reads of ${unit.length} bytes`)
      expect(most).toBeLessThanOrEqual(Math.min(262_144, 3 * unit.length))
    },
  )
})
