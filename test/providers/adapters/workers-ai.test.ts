import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { adapterFor } from '../../../src/providers/adapters.ts'
import { context, eventText, expected, fixture, sayings, translate } from '../../support/provider-fixtures.ts'

const events = (...list: JsonValue[]) => list.map((data) => eventText({ data })).join('')

describe('workers-ai', () => {
  const ai = adapterFor('workers-ai')

  it('opens what the REST API wraps', () => {
    const { answer } = fixture('workers-ai', 'wrapped')
    const completion = ai.answer(JSON.stringify(answer), context)
    const { message, finish, usage } = expected.plain as (typeof expected)[string]
    expect(sayings(completion?.body ?? '')).toEqual([{ message, finish }])
    expect(completion?.verdict.usage).toEqual(usage)
    for (const failed of [{ success: false }, { errors: [{ code: 1 }] }])
      expect(ai.answer(JSON.stringify({ ...answer, ...failed }), context)).toBeUndefined()
  })

  it('leaves an answer of our own format as it is, and completes one that lacks its frame', () => {
    const whole = JSON.stringify(fixture('workers-ai', 'refusal').answer)
    expect(ai.answer(whole, context)?.body).toBe(whole)
    const { choices } = fixture('workers-ai', 'thinking').answer as JsonObject
    const body = JSON.parse(ai.answer(JSON.stringify({ choices }), context)?.body ?? '')
    expect(body).toMatchObject({ id: `chatcmpl-${context.requestId}`, object: 'chat.completion', choices })
  })

  it('takes an end without any part for no answer', () => {
    const stream = ai.stream(context)
    expect(stream.take({ raw: 'data: [DONE]\n\n', data: '[DONE]' })).toBeUndefined()
    expect(stream.done).toBe(false)
  })

  it('keeps a last count beside chunks of our own format to itself', () => {
    const [role, text, end] = fixture('workers-ai', 'length').events?.map(eventText) ?? []
    const usage = { prompt_tokens: 1, completion_tokens: 2 }
    const stream = `${role}${text}${end}${events({ response: '', usage }, '[DONE]')}`
    expect(translate('workers-ai', stream)).toBe(`${role}${text}${end}data: [DONE]\n\n`)
  })
})
