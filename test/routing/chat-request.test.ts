import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { checkChatRequest, isPlain, schema } from '../../src/routing/chat-request.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${seed}`)

const PLAIN = { model: 'm', messages: [{ role: 'user', content: 'hello' }] }

describe('the short way past the schema', () => {
  it('is taken by what nearly every client sends', () => {
    expect(isPlain(PLAIN)).toBe(true)
    expect(
      isPlain({ ...PLAIN, temperature: 0.7, max_tokens: 512, seed: -1, stream: true, user: 'someone' }),
    ).toBe(true)
  })

  it('lets nothing pass that the schema would not', () => {
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.double({ noNaN: true }),
      fc.constantFrom(-1, 0, 1, 2, 2.5, 1e7, 1e7 + 1, 2 ** 53, null, true, '', 'user', 'x'.repeat(257)),
    )
    const mostly = (usual: fc.Arbitrary<unknown>) =>
      fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: odd })
    const text = mostly(fc.string())
    const number = mostly(fc.integer({ min: 1, max: 2 }))
    const message = fc.record(
      { role: mostly(fc.constantFrom('user', 'system', 'tool')), content: text },
      { requiredKeys: ['role', 'content'] },
    )
    const body = fc.record(
      {
        model: mostly(fc.constantFrom('m', 'x'.repeat(256))),
        messages: mostly(fc.array(mostly(message), { minLength: 1, maxLength: 4 })),
        stream: mostly(fc.boolean()),
        temperature: number,
        max_tokens: number,
        max_completion_tokens: number,
        seed: number,
        user: text,
        n: odd,
        unknown: odd,
      },
      { requiredKeys: ['model', 'messages'] },
    )
    let passed = 0
    fc.assert(
      fc.property(
        fc.oneof(
          body,
          body.map((fields) => ({ ...PLAIN, ...fields })),
        ),
        (value) => {
          if (!isPlain(value as JsonObject)) return
          passed += 1
          expect(schema.safeParse(value).success).toBe(true)
        },
      ),
      { seed, numRuns: 20_000 },
    )
    expect(passed).toBeGreaterThan(100)
  })

  it('does not change what is said of a body that is wrong', () => {
    expect(() => checkChatRequest({ ...PLAIN, temperature: 3 })).toThrow(/"temperature" is too large/)
    expect(() => checkChatRequest({ ...PLAIN, messages: [] })).toThrow(/"messages" is too small/)
  })
})
