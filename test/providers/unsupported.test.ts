import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../src/core/errors.ts'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { WIRE_FORMATS, type WireFormat } from '../../src/providers/adapter.ts'
import { adapterFor } from '../../src/providers/adapters.ts'
import { chats } from '../support/provider-fixtures.ts'

const MODEL = 'MODEL'

describe('what a format cannot say', () => {
  const ask = (format: WireFormat, more: JsonObject) =>
    adapterFor(format).request({ ...(chats.plain as JsonObject), ...more }, MODEL)
  const user = (content: JsonValue): JsonObject => ({ messages: [{ role: 'user', content }] })
  const part = (type: string, more: JsonObject = {}) => user([{ type, ...more }])
  const picture = (url: JsonValue) => part('image_url', { image_url: { url } })
  const tools: JsonObject = { tools: chats.tools?.tools ?? [] }

  const refused: readonly [WireFormat | 'all', string, JsonObject][] = [
    ['all', 'logprobs', { logprobs: true }],
    ['all', 'top_logprobs', { top_logprobs: 3 }],
    ['all', 'logit_bias', { logit_bias: { '5': 1 } }],
    ['all', 'audio', { audio: { voice: 'x' } }],
    ['all', 'modalities', { modalities: ['text', 'audio'] }],
    ['all', 'functions', { functions: [{ name: 'x' }] }],
    ['all', 'messages[0].content[0].type', part('input_audio', { input_audio: {} })],
    ['all', 'messages[0].role', { messages: [{ role: 'function', name: 'x', content: 'y' }] }],
    ['all', 'response_format', { response_format: { type: 'grammar' } }],
    ['anthropic', 'n', { n: 2 }],
    ['anthropic', 'seed', { seed: 0 }],
    ['anthropic', 'presence_penalty', { presence_penalty: 0.5 }],
    ['anthropic', 'messages[0].content[0].image_url', picture('data:image/tiff;base64,AA==')],
    ['anthropic', 'messages[0].content[0].image_url', picture('http://plain.example/x.png')],
    ['anthropic', 'messages[0].content[0].image_url', picture(7)],
    ['anthropic', 'tools[0].type', { tools: [{ type: 'custom' }] }],
    ['gemini', 'n', { n: 2, stream: true }],
    ['gemini', 'messages[0].content[0].image_url', picture('https://x.example/x.png')],
    ['gemini', 'parallel_tool_calls', { ...tools, parallel_tool_calls: false }],
    ['gemini', 'tool_choice', { ...tools, tool_choice: { type: 'allowed_tools' } }],
    ['workers-ai', 'n', { n: 2 }],
    ['workers-ai', 'response_format', { response_format: { type: 'json_object' }, stream: true }],
  ]
  it.each(refused)('%s: %s', (which, param, more) => {
    for (const format of which === 'all' ? WIRE_FORMATS.filter((one) => one !== 'openai') : [which])
      expect(errorOf(() => ask(format, more))).toMatchObject({ code: 'unsupported_by_model', param })
  })

  it('refuses nothing that has no effect', () => {
    const idle = {
      n: null,
      logprobs: false,
      logit_bias: {},
      presence_penalty: 0,
      modalities: ['text'],
      functions: [],
      response_format: { type: 'text' },
      parallel_tool_calls: true,
      store: true,
      prompt_cache_key: 'x',
      stream_options: { include_usage: true },
    }
    for (const format of WIRE_FORMATS) expect(() => ask(format, idle)).not.toThrow()
  })

  it.each<[string, JsonObject]>([
    ['messages[0].tool_call_id', { messages: [{ role: 'tool', content: 'x' }] }],
    ['messages[0].tool_calls[0].function.arguments', calling('{"a":')],
    ['messages[0].tool_calls[0].function.arguments', calling('[1]')],
    ['response_format.json_schema.schema', { response_format: { type: 'json_schema' } }],
  ])('says which field is wrong: %s', (param, more) => {
    for (const format of ['anthropic', 'gemini'] as const)
      expect(errorOf(() => ask(format, more))).toMatchObject({ code: 'invalid_request', param })
  })

  it('refuses arguments that are nested deeper than can be written', () => {
    const deep = calling(`{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`)
    for (const format of ['anthropic', 'gemini'] as const)
      expect(errorOf(() => ask(format, deep))).toMatchObject({ code: 'too_deep' })
  })

  function calling(args: string): JsonObject {
    const call = { id: 'a', type: 'function', function: { name: 'f', arguments: args } }
    return { messages: [{ role: 'assistant', tool_calls: [call] }] }
  }

  it('lets no name of a model lead elsewhere', () => {
    for (const format of ['gemini', 'workers-ai'] as const) {
      for (const model of ['../x', 'a/../b', 'a//b', '', '/x', '.'])
        if (format !== 'gemini' || model.includes('/'))
          expect(errorOf(() => adapterFor(format).request(chats.plain as JsonObject, model)).code).toBe(
            'model_not_found',
          )
      const { path } = adapterFor(format).request(chats.plain as JsonObject, '@cf/x?y#z%2e:w')
      expect(new URL(`https://host/v1${path}`).pathname.startsWith('/v1/')).toBe(true)
      expect(path).toContain('@cf/x%3Fy%23z%252e%3Aw')
    }
  })
})

function errorOf(act: () => unknown): GatewayError {
  try {
    act()
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown
    throw thrown
  }
  throw new Error('nothing was thrown')
}
