import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { takeApart } from '../../src/selection/code.ts'
import { readNeeds } from '../../src/selection/needs.ts'
import { TASKS } from '../../src/selection/task.ts'
import { PROFILES, withTaskDefaults } from '../../src/selection/task-defaults.ts'

const asking = (content: JsonValue, more: JsonObject = {}): JsonObject => ({
  model: 'auto',
  messages: [{ role: 'user', content }],
  ...more,
})
const image: JsonObject = {
  type: 'image_url',
  image_url: { url: `data:image/png;base64,${'A'.repeat(100_000)}` },
}

describe('what a request needs', () => {
  it('is read from the fields that ask for it, and from a history that used it', () => {
    const plain = readNeeds(asking('hi'))
    expect([plain.tools, plain.vision, plain.json, plain.task]).toEqual([false, false, false, 'chat'])
    expect(readNeeds(asking('hi', { tools: [{ type: 'function' }] })).tools).toBe(true)
    expect(readNeeds(asking('hi', { tools: [] })).tools).toBe(false)
    expect(readNeeds({ messages: [{ role: 'tool', tool_call_id: 'a', content: '4' }] }).tools).toBe(true)
    expect(readNeeds({ messages: [{ role: 'assistant', tool_calls: [{ id: 'a' }] }] }).tools).toBe(true)
    expect(readNeeds(asking([{ type: 'text', text: 'what is this?' }, image])).vision).toBe(true)
    for (const [type, json] of [
      ['json_object', true],
      ['json_schema', true],
      ['text', false],
    ] as const)
      expect(readNeeds(asking('hi', { response_format: { type } })).json, type).toBe(json)
  })

  it('estimates tokens by bytes, and images at a constant, however large they are', () => {
    const bytes = (text: string) => readNeeds(asking(text)).inputTokens
    expect(bytes('a'.repeat(3_000))).toBe(1_004)
    expect(bytes('漢'.repeat(1_000))).toBe(1_004)
    const one = readNeeds(asking([image])).inputTokens
    expect(one).toBeLessThan(2_000)
    expect(readNeeds(asking([image, image])).inputTokens).toBe(one + 1_600)
    const tools = [{ type: 'function', function: { name: 'f', description: 'x'.repeat(3_000) } }]
    expect(readNeeds(asking('', { tools })).inputTokens).toBeGreaterThan(1_000)
  })

  it('looks at the last message of the user', () => {
    const user = (content: string): JsonObject => ({ role: 'user', content })
    const messages = [
      user('Write unit tests with pytest.'),
      { role: 'assistant', content: 'Done.' },
      user('thanks!'),
    ]
    expect(readNeeds({ messages }).task).toBe('chat')
    expect(readNeeds({ messages: messages.slice(0, 2) }).task).toBe('testing')
  })

  it('stands any shape that passes the door', () => {
    const odd: JsonValue[] = [null, [], [{ type: 'text' }], [{ type: 'text', text: null }], [null], 5]
    for (const content of odd) expect(readNeeds(asking(content)).task).toBe('chat')
    for (const messages of [undefined, null, 'x', [], [null], [{}]])
      expect(readNeeds({ messages: messages as JsonValue }).task).toBe('chat')
  })

  it('knows what the caller wants as an answer, or what the task will give it', () => {
    expect(readNeeds(asking('hi', { max_tokens: 7 })).outputTokens).toBe(7)
    expect(readNeeds(asking('hi', { max_tokens: 7, max_completion_tokens: 9 })).outputTokens).toBe(9)
    expect(readNeeds(asking('hi')).outputTokens).toBe(2_000)
    expect(readNeeds(asking('hi', { model: 'openai:m' })).outputTokens).toBe(0)
  })
})

describe('code in a message', () => {
  it('is told from prose, with its language', () => {
    const tagged = takeApart('Why?\n```ts title="a.ts"\nconst a = 1\n```\n')
    expect([tagged.prose, tagged.code, tagged.codeLanguage]).toEqual([
      'Why?\n',
      'const a = 1\n',
      'typescript',
    ])
    const bare =
      'fix it\n\ndef total(items):\n    s = 0\n    for i in items:\n        s += i.price\n    return s if True else None\n'
    expect(takeApart(bare).codeLanguage).toBe('python')
    expect(takeApart(bare).codeShare).toBeGreaterThan(0.7)
    expect(takeApart('```rust\nfn main() {}\n').codeLanguage).toBe('rust')
    expect(takeApart('```\nfn main() { let mut v = 1; match v {} }\n```').codeLanguage).toBe('rust')
  })

  it('is not seen in prose', () => {
    for (const text of [
      '',
      'Hello (again), how are you?',
      'I return on Monday. Class starts at 9.',
      'a\nb\nc',
    ])
      expect(takeApart(text), text).toMatchObject({ codeShare: 0, codeLanguage: undefined })
    expect(takeApart('```text\nplain words\n```').codeLanguage).toBeUndefined()
    expect(takeApart('```constructor\nx\n```').codeLanguage).toBe('constructor')
  })
})

describe('task profiles', () => {
  it('are the ones that were promised', () => {
    expect(TASKS.map((task) => [task, PROFILES[task].temperature, PROFILES[task].maxTokens])).toEqual([
      ['code_generation', 0.3, 4_000],
      ['chat', 0.7, 2_000],
      ['refactoring', 0.2, 4_000],
      ['testing', 0.1, 2_000],
      ['documentation', 0.5, 3_000],
    ])
  })

  it('apply to auto and the beast-mode models, where the caller said nothing', () => {
    for (const model of ['auto', 'beast-mode-code-generator', 'custom:beast-mode-code-explainer'])
      expect(withTaskDefaults({ model }, 'testing')).toEqual({ model, temperature: 0.1, max_tokens: 2_000 })
    for (const model of ['openai:gpt', 'custom:auto', 'AUTO', 'my-beast-mode-x', '']) {
      const request = { model }
      expect(withTaskDefaults(request, 'testing')).toBe(request)
    }
  })

  it('leave alone what the caller gave, a zero too, and the request itself', () => {
    const request = { model: 'auto', temperature: 0, max_completion_tokens: 5, stop: ['x'] }
    expect(withTaskDefaults(request, 'chat')).toBe(request)
    const partly = { model: 'auto', max_tokens: 5, temperature: null }
    expect(withTaskDefaults<JsonObject>(partly, 'chat')).toEqual({
      model: 'auto',
      max_tokens: 5,
      temperature: 0.7,
    })
    expect(partly.temperature).toBeNull()
    expect(withTaskDefaults<JsonObject>({ model: 'auto', temperature: 1 }, 'chat').max_tokens).toBe(2_000)
  })
})
