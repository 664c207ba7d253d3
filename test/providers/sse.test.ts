import { describe, expect, it } from 'vitest'
import { judgeCompletion, StreamJudge } from '../../src/providers/completion.ts'
import { MAX_EVENT_LENGTH, SseReader, sseEvent } from '../../src/providers/sse.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** Reads the text in pieces of every size, and expects the same events each time. */
function dataOf(text: string): (string | undefined)[] {
  const whole = bytes(text)
  const readIn = (size: number) => {
    const reader = new SseReader()
    const data: (string | undefined)[] = []
    for (let at = 0; at < whole.length; at += size)
      data.push(...reader.push(whole.subarray(at, at + size)).map((event) => event.data))
    return data
  }
  const first = readIn(whole.length)
  for (let size = 1; size < whole.length; size++)
    expect(readIn(size).filter((data) => data !== undefined)).toEqual(
      first.filter((data) => data !== undefined),
    )
  return first
}

describe('reading an event stream', () => {
  it.each<[string, string, (string | undefined)[]]>([
    ['LF', 'data: a\n\ndata: b\n\n', ['a', 'b']],
    ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\nx', ['a', 'b']],
    ['CR', 'data: a\r\rdata: b\r\rx', ['a', 'b']],
    ['comments', ': ping\n\ndata: a\n\n', [undefined, 'a']],
    ['several data lines', 'data: {"a":\ndata: 1}\n\n', ['{"a":\n1}']],
    ['no space', 'data:a\n\n', ['a']],
    ['other fields', 'event: x\nid: 1\ndata: a\nretry: 5\n\n', ['a']],
    ['characters of several bytes', 'data: ü𝄞\n\n', ['ü𝄞']],
    ['an unfinished end', 'data: a\n\ndata: b', ['a']],
  ])('%s', (_name, text, expected) => expect(dataOf(text)).toEqual(expected))

  it('passes on exactly what came', () => {
    const text = ': hi\r\n\r\ndata: a\n\nevent: x\ndata: b\n\n'
    expect(
      new SseReader()
        .push(bytes(text))
        .map(({ raw }) => raw)
        .join(''),
    ).toBe(text)
  })

  it('holds no endless event', () => {
    expect(() => new SseReader().push(bytes(`data: ${'x'.repeat(MAX_EVENT_LENGTH)}`))).toThrow(RangeError)
  })

  it.each([
    ['one line', 'x'],
    ['many lines', 'data: x\n'],
  ])('is not kept busy by an event in small pieces (%s)', (_name, unit) => {
    const whole = bytes(unit.repeat(900_000 / unit.length))
    const reader = new SseReader()
    const started = performance.now()
    for (let at = 0; at < whole.length; at += 4) reader.push(whole.subarray(at, at + 4))
    expect(reader.push(bytes('\n\n'))).toHaveLength(1)
    // Looking through what is held at each piece took minutes.
    expect(performance.now() - started).toBeLessThan(3_000)
  })

  it('writes events that text cannot break out of', () => {
    const text = sseEvent({ text: '\n\nevent: done\ndata: [DONE]\n\n' })
    expect(dataOf(text)).toHaveLength(1)
  })
})

describe('judging an answer', () => {
  const choice = (more: object = {}) => ({
    index: 0,
    message: { role: 'assistant', content: 'x' },
    finish_reason: 'stop',
    ...more,
  })
  const judge = (value: unknown) => judgeCompletion(JSON.stringify(value))

  it('knows whole, cut and refused ones', () => {
    expect(judge({ choices: [choice()], usage: { prompt_tokens: 1, completion_tokens: 2 } })).toEqual({
      complete: true,
      refused: false,
      truncated: false,
      usage: { inputTokens: 1, outputTokens: 2 },
      said: 'x',
    })
    expect(judge({ choices: [choice({ finish_reason: null })] })?.complete).toBe(false)
    expect(judge({ choices: [choice({ finish_reason: 'content_filter' })] })?.refused).toBe(true)
    expect(judge({ choices: [choice({ message: { refusal: 'no' } })] })?.refused).toBe(true)
    expect(judge({ choices: [choice(), choice({ finish_reason: 'length' })] })).toMatchObject({
      complete: true,
      truncated: true,
    })
    expect(judge({ choices: [choice()], error: null })?.complete).toBe(true)
  })

  it.each([
    {},
    [],
    null,
    'x',
    { choices: [] },
    { choices: [1] },
    { choices: [{}] },
    { error: { message: 'x' }, choices: [choice()] },
  ])('takes %j for no answer', (value) => expect(judge(value)).toBeUndefined())

  it.each([-1, 1.5, Number.NaN, 1e300, '7', null])('believes no token count of %j', (count) => {
    expect(
      judge({ choices: [choice()], usage: { prompt_tokens: count, completion_tokens: 1 } })?.usage,
    ).toBeUndefined()
  })

  it('takes a stream for complete once all choices and the stream are done', () => {
    const stream = new StreamJudge()
    const take = (value: unknown) => stream.take(typeof value === 'string' ? value : JSON.stringify(value))
    expect(
      take({
        choices: [
          { index: 0, delta: {} },
          { index: 1, delta: {} },
        ],
      }),
    ).toBe(true)
    expect(take({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })).toBe(true)
    expect(take('[DONE]')).toBe(true)
    expect(stream.verdict.complete).toBe(false)
    const good = new StreamJudge()
    good.take(JSON.stringify({ choices: [{ index: 0, finish_reason: 'stop' }] }))
    expect(good.verdict.complete).toBe(false)
    good.take('[DONE]')
    expect(good.verdict.complete).toBe(true)
    expect(new StreamJudge().take('{"choices": [oops')).toBe(false)
    expect(new StreamJudge().take('{"error":{"message":"x"}}')).toBe(false)
  })
})
