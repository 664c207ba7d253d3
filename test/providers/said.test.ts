import { expect, it } from 'vitest'
import { judgeCompletion, StreamJudge } from '../../src/providers/completion.ts'
import { MAX_SAID } from '../../src/providers/said.ts'

const call = (name: string, args: string, index = 0) => ({ index, function: { name, arguments: args } })
const whole = (...messages: object[]) =>
  judgeCompletion(
    JSON.stringify({ choices: messages.map((message) => ({ message, finish_reason: 'stop' })) }),
  )?.said
const streamed = (...deltas: (readonly [number, object])[]) => {
  const judge = new StreamJudge()
  for (const [index, delta] of deltas) judge.take(JSON.stringify({ choices: [{ index, delta }] }))
  return judge.verdict.said
}

it('is the same of a stream as of the whole answer', () => {
  expect(whole({ role: 'assistant', content: 'Hello, world' })).toBe('Hello, world')
  expect(streamed([0, { role: 'assistant' }], [0, { content: 'Hello,' }], [0, { content: ' world' }])).toBe(
    'Hello, world',
  )
  const calls = whole({ content: null, tool_calls: [call('look', '{"a":1}'), call('see', '{}')] })
  expect(calls).toBe('\nlook {"a":1}\nsee {}')
  const pieces = [
    [0, { tool_calls: [call('look', '{"a"')] }],
    [0, { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }],
    [0, { tool_calls: [call('see', '{}', 1)] }],
  ] as const
  expect(streamed(...pieces)).toBe(calls)
})

it('holds refusals, and each choice by itself', () => {
  expect(whole({ content: '', refusal: 'I will not.' })).toBe('I will not.')
  expect(streamed([0, { content: 'a' }], [1, { content: 'b' }], [0, { content: 'c' }])).toBe('ac\n\nb')
  expect(whole({ content: [{ type: 'text' }] })).toBe('')
})

it('ends at its bound', () => {
  const long = 'x'.repeat(MAX_SAID)
  expect(streamed([0, { content: long }], [0, { content: 'more' }], [0, { content: 'more' }])).toBe(long)
})
