import { describe, expect, it } from 'vitest'
import { adapterFor } from '../../../src/providers/adapters.ts'
import { context, fixture, streamText, translate } from '../../support/provider-fixtures.ts'

const user = { role: 'user', content: 'Hello' }

describe('openai', () => {
  const openai = adapterFor('openai')

  it('passes answers and streams on to the letter', () => {
    const answer = ` ${JSON.stringify(fixture('openai', 'plain').answer, null, 3)}\n`
    expect(openai.answer(answer, context)?.body).toBe(answer)
    const stream = `: hi\r\n\r\n${streamText(fixture('openai', 'tools')).replaceAll('\n\n', '\r\n\r\n')}x`
    expect(translate('openai', stream)).toBe(stream.slice(0, -1))
  })

  it('sends what it does not know as it came, under the name of the model', () => {
    const { body } = openai.request({ model: 'auto', messages: [user], odd: { a: [1] } }, 'gpt-x')
    expect(JSON.parse(body)).toEqual({ model: 'gpt-x', messages: [user], odd: { a: [1] } })
  })
})
