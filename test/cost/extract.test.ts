import { extractUsage, type UsageExtractor } from '@pydantic/genai-prices'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readUsage } from '../../src/cost/extract.ts'
import { bundledTable, extractorsOf, usageOf } from '../../src/cost/price-table.ts'
import { TABLE } from './fixtures.ts'

const extractor = (flavour: string): UsageExtractor => {
  const found = TABLE[0]?.extractors?.find((each) => each.api_flavor === flavour)
  if (!found) throw new Error(flavour)
  return found
}

describe('reading usage', () => {
  it('adds up what counts towards one unit, and finds an element by its field', () => {
    const answer = {
      modelVersion: 'm-1',
      meta: {
        usage: {
          fresh: 5,
          cached: 7,
          out: 2,
          details: [
            { modality: 'TEXT', count: 1 },
            { modality: 'AUDIO', count: 4 },
          ],
        },
      },
    }
    expect(readUsage(answer, extractor('default'))).toEqual({
      model: 'm-1',
      said: { input_tokens: 12, cache_read_tokens: 7, input_audio_tokens: 4, output_tokens: 2 },
    })
  })

  it('fits no answer that lacks what the format requires, unless it is one report of a stream', () => {
    const answer = { usage: { completion_tokens: 3 } }
    expect(readUsage(answer, extractor('chat'))).toBeUndefined()
    expect(readUsage(answer, extractor('chat'), true)?.said).toEqual({ output_tokens: 3 })
  })

  it('hands on a count that makes no sense, to be judged', () => {
    const answer = { usage: { prompt_tokens: -5, completion_tokens: 1e12, prompt_tokens_details: null } }
    expect(readUsage(answer, extractor('chat'))?.said).toEqual({ input_tokens: -5, output_tokens: 1e12 })
  })

  it.each([
    null,
    1,
    'usage',
    [],
    {},
    { usage: null },
    { usage: [] },
    { usage: {} },
    { usage: { prompt_tokens: '5' } },
  ])('reads nothing from %j', (answer) => {
    expect(readUsage(answer, extractor('chat'))).toBeUndefined()
  })

  it("agrees with the vendor's reader on any answer that it takes", async () => {
    const table = await bundledTable()
    const all = extractorsOf(table)
    const seed = Date.now() | 0
    console.log('seed', seed)
    let fitting = 0
    const field = fc.constantFrom(
      ...new Set(
        all.flatMap(({ extractor: { mappings } }) =>
          mappings.flatMap(({ path }) => path).filter((step) => typeof step === 'string'),
        ),
      ),
    )
    const leaf = fc.oneof({ weight: 5, arbitrary: fc.nat(9_999) }, fc.constantFrom(null, '7', {}, []))
    const part = fc.oneof(
      leaf,
      fc.dictionary(field, leaf),
      fc.array(fc.record({ modality: fc.constantFrom('TEXT', 'AUDIO', 'IMAGE'), tokenCount: leaf })),
    )
    const usage = fc.dictionary(field, part, { minKeys: 3, maxKeys: 40 })
    const required = fc.record({
      input_tokens: leaf,
      output_tokens: leaf,
      prompt_tokens: leaf,
      completion_tokens: leaf,
      promptTokenCount: leaf,
    })
    fc.assert(
      fc.property(fc.constantFrom(...all), usage, required, ({ providerId, extractor: each }, some, must) => {
        const value = { ...some, ...must }
        const root = typeof each.root === 'string' ? [each.root] : each.root
        const answer = root.reduceRight<unknown>((inner, step) => ({ [String(step)]: inner }), value)
        const provider = table.find(({ id }) => id === providerId)
        if (!provider) throw new Error(providerId)
        let theirs: object | undefined
        try {
          theirs = extractUsage(provider, answer, each.api_flavor).usage
        } catch {
          theirs = undefined
        }
        fitting += theirs ? 1 : 0
        expect(readUsage(answer, each)?.said).toEqual(theirs)
      }),
      { numRuns: 2_000, seed },
    )
    expect(fitting).toBeGreaterThan(200)
  })
})

describe("an answer's usage by the wire format", () => {
  const openai = {
    model: 'm',
    usage: { prompt_tokens: 9, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 4 } },
  }
  const anthropic = {
    model: 'claude',
    usage: {
      input_tokens: 3,
      cache_read_input_tokens: 10,
      cache_creation_input_tokens: 20,
      output_tokens: 5,
    },
  }
  const gemini = {
    modelVersion: 'gemini-2.5-pro',
    usageMetadata: {
      promptTokenCount: 8,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 6,
      cachedContentTokenCount: 2,
    },
  }

  it.each([
    ['openai', 'openai', openai, { input_tokens: 9, cache_read_tokens: 4, output_tokens: 2 }],
    ['custom', 'openai', openai, { input_tokens: 9, cache_read_tokens: 4, output_tokens: 2 }],
    ['workers-ai', 'workers-ai', openai, { input_tokens: 9, output_tokens: 2 }],
    [
      'anthropic',
      'anthropic',
      anthropic,
      { input_tokens: 33, cache_read_tokens: 10, cache_write_tokens: 20, output_tokens: 5 },
    ],
    [
      'custom',
      'anthropic',
      anthropic,
      { input_tokens: 33, cache_read_tokens: 10, cache_write_tokens: 20, output_tokens: 5 },
    ],
    [
      'gemini',
      'gemini',
      gemini,
      { input_tokens: 8, cache_read_tokens: 2, output_tokens: 11, output_reasoning_tokens: 6 },
    ],
  ] as const)('%s in the format of %s', async (provider, format, answer, said) => {
    expect(usageOf(await bundledTable(), provider, format, answer)?.said).toMatchObject(said)
  })

  it('puts the reports of an Anthropic stream together', async () => {
    const table = await bundledTable()
    const report = (usage: object) => usageOf(table, 'anthropic', 'anthropic', { usage }, true)?.said
    expect(report({ input_tokens: 3, cache_read_input_tokens: 10, output_tokens: 1 })).toMatchObject({
      input_tokens: 13,
    })
    expect(report({ output_tokens: 44 })).toEqual({ output_tokens: 44 })
  })

  it('is undefined where the answer tells nothing', async () => {
    expect(usageOf(await bundledTable(), 'openai', 'openai', { choices: [] })).toBeUndefined()
    expect(usageOf(await bundledTable(), 'openai', 'openai', 'hello')).toBeUndefined()
  })
})
