import { expect, it } from 'vitest'
import type { Verdict } from '../../src/providers/completion.ts'
import { MAX_SAID } from '../../src/providers/said.ts'
import { checkAnswer } from '../../src/routing/answer-checks.ts'
import type { ChatRequest } from '../../src/routing/chat-request.ts'

const asked = (more: object = {}) => ({ model: 'm', messages: [], ...more }) as ChatRequest
const answer = (said: string, more: Partial<Verdict> = {}): Verdict => ({
  complete: true,
  refused: false,
  truncated: false,
  usage: undefined,
  said,
  ...more,
})
const score = (request: ChatRequest, verdict: Verdict) => checkAnswer(request, verdict).score

it.each([
  ['a whole answer', answer('Yes.'), 1],
  ['one that says nothing', answer(' \n'), 2 / 3],
  ['a refusal', answer('I cannot.', { refused: true }), 2 / 3],
  ['one that was cut', answer('Yes, bec', { truncated: true }), 2 / 3],
  ['one that was cut before it began', answer('', { truncated: true }), 1 / 3],
])('%s', (_, verdict, wanted) => {
  expect(score(asked(), verdict)).toBeCloseTo(wanted)
  expect(checkAnswer(asked(), verdict).truncated).toBe(verdict.truncated)
})

const JSON_OBJECT = { response_format: { type: 'json_object' } }
const schema = { type: 'object', required: ['name', 'age'] }
const SCHEMA = { response_format: { type: 'json_schema', json_schema: { name: 'person', schema } } }

it.each([
  [JSON_OBJECT, '{"a":1}', true],
  [JSON_OBJECT, 'Here you are: {"a":1}', false],
  [SCHEMA, '{"name":"Ann","age":3}', true],
  [SCHEMA, '{"name":"Ann"}', false],
  [SCHEMA, '["name","age"]', false],
  [SCHEMA, 'null', false],
  [{ response_format: { type: 'json_schema' } }, '[1]', true],
  [{ response_format: { type: 'json_schema', json_schema: { schema: { required: 'name' } } } }, '{}', true],
  // A field of every object is none of this one.
  [
    { response_format: { type: 'json_schema', json_schema: { schema: { required: ['constructor'] } } } },
    '{}',
    false,
  ],
])('where %j was asked for, %s', (more, said, isGood) => {
  expect(score(asked(more), answer(said))).toBe(isGood ? 1 : 0.75)
})

it('asks for no JSON where none was to come, or not all of it is known', () => {
  const prose = answer('Hello.')
  for (const more of [
    {},
    { response_format: null },
    { response_format: { type: 'text' } },
    { ...JSON_OBJECT, tools: [{ type: 'function' }] },
    { ...JSON_OBJECT, n: 2 },
  ])
    expect(score(asked(more), prose)).toBe(1)
  expect(score(asked(JSON_OBJECT), answer(`{"a":"${'x'.repeat(MAX_SAID)}`.slice(0, MAX_SAID)))).toBe(1)
})
