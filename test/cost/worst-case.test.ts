import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { listBounds } from '../../src/cost/list-bounds.ts'
import { listPrices } from '../../src/cost/list-prices.ts'
import { bundledTable } from '../../src/cost/price-table.ts'
import type { UsageCounts } from '../../src/cost/usage.ts'
import { worstCase } from '../../src/cost/worst-case.ts'

const RATE = { inputUsdPerMTok: 2, outputUsdPerMTok: 10, requestUsd: 0 }
const LIMITS = { outputCapTokens: 4_096 }
const ask = (fields: JsonObject = {}): JsonObject => ({
  model: 'm',
  messages: [{ role: 'user', content: 'Hello' }],
  ...fields,
})
const bound = (fields: JsonObject = {}, rate = RATE) => {
  const result = worstCase(ask(fields), rate, LIMITS)
  if ('why' in result) throw new Error(`${result.param}: ${result.why}`)
  return result
}
const part = (content: JsonObject): JsonObject => ({ messages: [{ role: 'user', content: [content] }] })

describe('the worst case of a request', () => {
  it('names the maximum that has to be sent where the caller gave none', () => {
    expect(bound()).toMatchObject({ outputTokens: 4_096 + 16, sendMaxTokens: 4_096 })
    expect(bound({ max_tokens: 10 })).toMatchObject({ outputTokens: 26, sendMaxTokens: undefined })
  })

  it('takes the larger of two maxima, and counts every choice', () => {
    expect(bound({ max_tokens: 10, max_completion_tokens: 50, n: 8 }).outputTokens).toBe(8 * 66)
  })

  it('adds a budget for thinking that may stand beside the maximum', () => {
    expect(bound({ max_tokens: 10, thinking: { type: 'enabled', budget_tokens: 1_000 } }).outputTokens).toBe(
      1_026,
    )
    expect(bound({ max_tokens: 10, reasoning: { max_tokens: 500 } }).outputTokens).toBe(526)
  })

  it('counts bytes, not characters', () => {
    const tokens = (content: string) => bound({ messages: [{ role: 'user', content }] }).inputTokens
    expect(tokens('日本語'.repeat(100)) - tokens('')).toBe(900)
    expect(tokens('\ud800') - tokens('')).toBeGreaterThanOrEqual(3)
  })

  it('is money: input and output at their dearest, and the fee', () => {
    const { nanoUsd, inputTokens, outputTokens } = bound({}, { ...RATE, requestUsd: 0.01 })
    expect(nanoUsd).toBe(inputTokens * 2_000 + outputTokens * 10_000 + 10_000_000 + 3)
  })

  it('believes a context that is known for certain', () => {
    const big = ask({ messages: [{ role: 'user', content: 'x'.repeat(100_000) }] })
    expect(worstCase(big, RATE, { ...LIMITS, contextTokens: 8_000 })).toMatchObject({ inputTokens: 8_000 })
  })

  it('takes pictures and speech that are in the request', () => {
    const picture = part({ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } })
    expect(bound(picture).inputTokens).toBeGreaterThan(48_169)
    expect(
      bound(part({ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } })).inputTokens,
    ).toBeGreaterThan(0)
  })

  it.each([
    [
      'messages[0].content[0]',
      'image_address',
      part({ type: 'image_url', image_url: { url: 'https://a.test/b.png' } }),
    ],
    [
      'messages[0].content[0]',
      'image_address',
      part({ type: 'image_url', image_url: 'https://a.test/b.png' }),
    ],
    [
      'messages[0].content[0]',
      'image_address',
      part({ type: 'image', source: { type: 'url', url: 'https://a.test/' } }),
    ],
    [
      'messages[0].content[0]',
      'image_address',
      part({ type: 'image_url', image_url: { url: 'data:application/pdf;base64,AA' } }),
    ],
    ['messages[0].content[0]', 'reference', part({ type: 'input_image', file_id: 'file-1' })],
    ['messages[0].content[0]', 'file', part({ type: 'file', file: { file_id: 'file-1' } })],
    [
      'messages[0].content[0]',
      'file',
      part({ type: 'file', file: { file_data: 'data:application/pdf;base64,AA' } }),
    ],
    ['messages[0].content[0]', 'unknown_field', part({ type: 'hologram' })],
    ['messages[0].audio', 'reference', { messages: [{ role: 'assistant', audio: { id: 'audio_1' } }] }],
    ['tools[1].type', 'paid_tool', { tools: [{ type: 'function' }, { type: 'web_search_20250305' }] }],
    ['web_search_options', 'paid_tool', { web_search_options: {} }],
    ['model', 'paid_tool', { model: 'openai/gpt-4o:online' }],
    ['models', 'other_price', { models: ['dearer'] }],
    ['service_tier', 'other_price', { service_tier: 'priority' }],
    ['cached_content', 'reference', { cached_content: 'cachedContents/1' }],
    ['modalities', 'unknown_field', { modalities: ['text', 'image'] }],
    ['best_of', 'unknown_field', { best_of: 20 }],
  ] as [string, string, JsonObject][])('says that %s cannot be bounded: %s', (param, why, fields) => {
    expect(worstCase(ask(fields), RATE, LIMITS)).toEqual({ param, why })
  })

  it('has none for a model without a price', () => {
    expect(worstCase(ask(), undefined, LIMITS)).toEqual({ param: 'model', why: 'unpriced' })
  })
})

describe('what the gateway knows of list prices', () => {
  const bounds = listBounds()
  const AT = Date.parse('2026-11-01T12:00:00Z')

  it('finds a model as the price list does, by our name of its provider too', () => {
    expect(bounds.boundOf('gemini', 'gemini-2.5-pro', AT)).toEqual(
      bounds.boundOf('google', 'gemini-2.5-pro', AT),
    )
    expect(bounds.boundOf('openai', ' GPT-4o ', AT)).toMatchObject({ outputUsdPerMTok: 10 })
    expect(bounds.boundOf('workers-ai', '@cf/meta/llama-3.1-8b-instruct', AT)).toBeDefined()
    expect(bounds.boundOf('openai', 'unheard-of', AT)).toBeUndefined()
    expect(bounds.boundOf('constructor', 'gpt-4o', AT)).toBeUndefined()
  })
})

/** Text of every kind that tokenizers make the most of, with its size counted apart from the code under test. */
const text = fc.oneof(
  fc.string({ maxLength: 400 }),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: fc.constantFrom('漢', '字', 'か', '한', '🙂', '\u{20000}', 'ﷺ'), maxLength: 200 }),
  fc.base64String({ maxLength: 800 }),
  fc.constantFrom('', '\u0000\u0001"\\\n'.repeat(20), '\ud800', 'a'.repeat(5_000)),
)
const image = fc.base64String({ minLength: 4, maxLength: 400 }).map((data) => ({
  type: 'image_url',
  image_url: { url: `data:image/png;base64,${data}`, detail: 'high' },
}))
const content = fc.oneof(
  text,
  fc.array(
    fc.oneof(
      text.map((each) => ({ type: 'text', text: each })),
      image,
    ),
    { maxLength: 4 },
  ),
)
const message = fc.record({ role: fc.constantFrom('system', 'user', 'assistant', 'tool'), content })
const tool = text.map((description) => ({
  type: 'function',
  function: {
    name: 'f',
    description,
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
}))
const maximum = fc.integer({ min: 1, max: 200_000 })
const request = fc.record(
  {
    messages: fc.array(message, { minLength: 1, maxLength: 6 }),
    n: fc.constantFrom(1, 2, 8),
    max_tokens: maximum,
    max_completion_tokens: maximum,
    tools: fc.array(tool, { maxLength: 4 }),
    reasoning_effort: fc.constantFrom('low', 'high'),
    thinking: fc.record({ type: fc.constant('enabled'), budget_tokens: maximum }),
    response_format: text.map((description) => ({
      type: 'json_schema',
      json_schema: { name: 'a', description },
    })),
  },
  { requiredKeys: ['messages'] },
)

/** Every text in a value. */
const texts = (value: unknown): string[] =>
  typeof value === 'string'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(texts)
      : []

describe('the bound holds', () => {
  it('for 10,000 requests and any usage that is possible under them, at any hour', async () => {
    const table = await bundledTable()
    const prices = listPrices(table)
    const bounds = listBounds()
    const models = [
      'openai',
      'anthropic',
      'google',
      'openrouter',
      'groq',
      'mistral',
      'deepseek',
      'x-ai',
      'cloudflare',
      'together',
    ]
      .flatMap((id) =>
        (table.find((each) => each.id === id)?.models ?? []).map((model) => [id, model.id] as const),
      )
      .filter(([id, model]) => bounds.boundOf(id, model, 0))
    const seed = Date.now() | 0
    let [bounded, tightest] = [0, Number.POSITIVE_INFINITY]
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    const shares = fc.array(fc.oneof(share, fc.constantFrom(0, 1)), { minLength: 10, maxLength: 10 })
    const hour = fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2027, 5, 1) })
    fc.assert(
      fc.property(
        request,
        fc.constantFrom(...models),
        shares,
        hour,
        (fields, [provider, model], parts, atMs) => {
          const chat = { model, ...fields } as unknown as JsonObject
          const result = worstCase(chat, bounds.boundOf(provider, model, atMs), LIMITS)
          if ('why' in result) throw new Error(`${result.param}: ${result.why}`)
          const usage = possibleUsage(fields, parts, result.sendMaxTokens)
          const price = prices.priceOf(usage, provider, model, atMs)
          if (!price) throw new Error(`unpriced: ${provider}/${model}`)
          bounded++
          if (price.totalNanoUsd > 1_000_000)
            tightest = Math.min(tightest, result.nanoUsd / price.totalNanoUsd)
          expect(result.nanoUsd).toBeGreaterThanOrEqual(price.totalNanoUsd)
          expect(Number.isSafeInteger(result.nanoUsd)).toBe(true)
        },
      ),
      { numRuns: 10_000, seed },
    )
    console.log(
      `seed ${seed}: ${bounded} requests, ${models.length} models, tightest ${tightest.toFixed(3)} times`,
    )
    expect(bounded).toBe(10_000)
    // A bound that no usage ever comes near would prove nothing.
    expect(tightest).toBeLessThan(1.5)
  }, 120_000)
})

/** Usage as a provider may report it: a token a byte at most, split among the kinds of token as it pleases. */
function possibleUsage(
  {
    messages,
    tools = [],
    n = 1,
    max_tokens,
    max_completion_tokens,
    thinking,
    response_format,
  }: Partial<{
    messages: { content: unknown }[]
    tools: unknown[]
    n: number
    max_tokens: number
    max_completion_tokens: number
    thinking: { budget_tokens: number }
    response_format: unknown
  }>,
  [inShare = 0, outShare = 0, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0]: readonly number[],
  sent: number | undefined,
): UsageCounts {
  const said = texts([messages?.map((each) => each.content), tools, response_format])
  const bytes = said.reduce((sum, each) => sum + Buffer.byteLength(each), 0)
  const images = said.filter((each) => each.startsWith('data:image/')).length
  const most = bytes + 7 * (messages?.length ?? 0) + images * 48_169 + (tools.length > 0 ? 700 : 0)
  const input = Math.floor(inShare * most)
  const each =
    (Math.max(max_tokens ?? 0, max_completion_tokens ?? 0) || (sent ?? 0)) + (thinking?.budget_tokens ?? 0)
  const output = Math.floor(outShare * n * each)
  const read = Math.floor(a * input)
  const write = Math.floor(b * (input - read))
  const image = Math.floor(c * (input - read - write))
  const audio = Math.floor(d * (input - read - write - image))
  const reasoning = Math.floor(e * output)
  return {
    input_tokens: input,
    cache_read_tokens: read,
    cache_write_tokens: write,
    cache_write_1h_tokens: Math.floor(f * write),
    input_image_tokens: image,
    input_audio_tokens: audio,
    output_tokens: output,
    output_reasoning_tokens: reasoning,
    output_audio_tokens: Math.floor(g * (output - reasoning)),
  }
}
