import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import type { AnswerContext, ListedModel, RefusalHint, WireFormat } from '../../src/providers/adapter.ts'
import { adapterFor } from '../../src/providers/adapters.ts'
import { SseReader } from '../../src/providers/sse.ts'

/** What a provider says, written by us after the public page in `source`. */
export interface Fixture {
  readonly source: string
  /** What the request of the same name in `chats.json` becomes. */
  readonly request?: { readonly path: string; readonly body: JsonObject }
  readonly answer?: JsonObject
  readonly events?: readonly { readonly event?: string; readonly data: JsonValue }[]
  readonly errors?: readonly { readonly body: JsonValue; readonly hint: RefusalHint }[]
  readonly list?: JsonObject
  readonly models?: readonly ListedModel[]
}

/** What an answer says, whatever way it came. */
export interface Said {
  readonly message: {
    readonly role: string
    readonly content: string | null
    readonly reasoning?: string
    readonly calls?: readonly [string, JsonValue][]
  }
  readonly finish: string
}

export type Expected = Said & {
  readonly refused: boolean
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number }
}

const DIR = join(import.meta.dirname, '../fixtures/providers')
const read = <T>(path: string): T => JSON.parse(readFileSync(join(DIR, path), 'utf8')) as T

export const fixture = (format: WireFormat, name: string): Fixture => read(`${format}/${name}.json`)
export const chats: Readonly<Record<string, JsonObject>> = read('chats.json')
export const expected: Readonly<Record<string, Expected>> = read('expected.json')

export const context: AnswerContext = {
  model: 'MODEL',
  requestId: '0192f0c1-2b3c-7def-8123-456789abcdef',
  createdS: 1_700_000_000,
  includeUsage: true,
}

export const eventText = ({ event, data }: NonNullable<Fixture['events']>[number]): string =>
  `${event ? `event: ${event}\n` : ''}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

export const streamText = ({ events }: Fixture): string => (events ?? []).map(eventText).join('')

export const dataOf = (text: string): string[] =>
  new SseReader().push(new TextEncoder().encode(text)).flatMap(({ data }) => data ?? [])

/** The whole of a stream, translated. */
export function translate(format: WireFormat, text: string, given: AnswerContext = context): string {
  const stream = adapterFor(format).stream(given)
  const events = new SseReader().push(new TextEncoder().encode(text))
  return events.map((event) => stream.take(event)).join('')
}

interface Chunk {
  id: string
  object: string
  choices: { index: number; delta: Delta; finish_reason: string | null }[]
  usage?: object | null
}
interface Delta {
  role?: string
  content?: string | null
  reasoning_content?: string
  tool_calls?: {
    index: number
    id?: string
    type?: string
    function: { name?: string; arguments?: string }
  }[]
}

/** Puts a stream of OpenAI's together as its client does, and is strict about its form. */
export function assemble(text: string): Said {
  const data = dataOf(text)
  expect(data.at(-1)).toBe('[DONE]')
  const chunks = data.slice(0, -1).map((one) => JSON.parse(one) as Chunk)
  const said = { role: '', content: '', reasoning: '', finish: '' }
  const calls: { id: string; name: string; text: string }[] = []
  for (const chunk of chunks) {
    expect(chunk.object).toBe('chat.completion.chunk')
    expect(chunk.id).toBe(chunks[0]?.id)
    for (const { delta, finish_reason } of chunk.choices) {
      said.role ||= delta.role ?? ''
      said.content += delta.content ?? ''
      said.reasoning += delta.reasoning_content ?? ''
      if (finish_reason) {
        expect(said.finish, 'ends once').toBe('')
        said.finish = finish_reason
      }
      for (const { index, id, type, function: called } of delta.tool_calls ?? []) {
        if (id) {
          expect([index, type]).toEqual([calls.length, 'function'])
          calls.push({ id, name: called.name ?? '', text: called.arguments ?? '' })
        } else (calls[index] as (typeof calls)[number]).text += called.arguments ?? ''
      }
    }
  }
  expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length)
  return saidOf(
    said.role,
    said.content,
    said.reasoning,
    calls.map(({ name, text: given }) => [name, given]),
    said.finish,
  )
}

interface Whole {
  id: string
  object: string
  choices: { message: Delta & { role: string; content: string | null }; finish_reason: string }[]
}

/** Reads a whole answer of OpenAI's. */
export function sayings(body: string): Said[] {
  const { id, object, choices } = JSON.parse(body) as Whole
  expect([typeof id, object]).toEqual(['string', 'chat.completion'])
  return choices.map(({ message, finish_reason }) => {
    const calls = message.tool_calls ?? []
    expect(calls.every((call) => call.id && call.type === 'function')).toBe(true)
    expect(new Set(calls.map((call) => call.id)).size).toBe(calls.length)
    const called = calls.map((call) => [call.function.name ?? '', call.function.arguments ?? ''] as const)
    return saidOf(message.role, message.content ?? '', message.reasoning_content ?? '', called, finish_reason)
  })
}

function saidOf(
  role: string,
  content: string,
  reasoning: string,
  calls: readonly (readonly [string, string])[],
  finish: string,
): Said {
  const called = calls.map(([name, given]): [string, JsonValue] => [name, JSON.parse(given) as JsonValue])
  return {
    message: {
      role,
      content: content || null,
      ...(reasoning && { reasoning }),
      ...(called.length > 0 && { calls: called }),
    },
    finish,
  }
}
