import { describe, expect, it } from 'vitest'
import { tokenAsk } from '../../src/cost/token-estimate.ts'

const said = (content: unknown, more: object = {}) =>
  tokenAsk({ model: 'm', messages: [{ role: 'user', content }], ...more } as never)

describe('the estimate of a request’s tokens', () => {
  it('counts text, each script by its own measure', () => {
    expect(said('a'.repeat(400)).inputTokens).toBeGreaterThan(99)
    expect(said('a'.repeat(400)).inputTokens).toBeLessThan(110)
    expect(said('文'.repeat(100)).inputTokens).toBeGreaterThan(99)
  })

  it('takes a picture for a picture, not for its bytes', () => {
    const url = `data:image/png;base64,${'A'.repeat(1_000_000)}`
    expect(said([{ type: 'image_url', image_url: { url } }]).inputTokens).toBeLessThan(2_000)
  })

  it('counts tools, and what stands beside the messages for nothing', () => {
    const tools = [{ type: 'function', function: { name: 'f', description: 'd'.repeat(4_000) } }]
    expect(said('a', { tools }).inputTokens).toBeGreaterThan(1_000)
    expect(said('a', { metadata: { note: 'x'.repeat(4_000) } }).inputTokens).toBeLessThan(10)
  })

  it('knows the larger of the two maxima, and the choices', () => {
    expect(said('a', { max_tokens: 5, max_completion_tokens: 9, n: 3 })).toMatchObject({
      maxTokens: 9,
      choices: 3,
    })
    expect(said('a', { max_tokens: null })).toMatchObject({ maxTokens: undefined, choices: 1 })
  })
})
