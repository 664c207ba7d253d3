import { isObject, type JsonObject } from '../../../core/json.ts'
import type { AnswerContext, StreamTranslator } from '../../adapter.ts'
import { StreamJudge, type Verdict } from '../../completion.ts'
import type { SseEvent } from '../../sse.ts'
import { ChunkWriter } from '../../translated.ts'
import { parse, unlessTooDeep } from '../read.ts'
import { countsOf, readCalls, responseText, unwrap } from './answer.ts'

/** Reads `{"response": "..."}` parts, or OpenAI's chunks, which pass as they came; both end in `[DONE]`. */
export class ResponseStream implements StreamTranslator {
  readonly #context: AnswerContext
  readonly #writer: ChunkWriter
  readonly #judge = new StreamJudge()
  #passing = false
  #seen = false
  #calls = 0

  constructor(context: AnswerContext) {
    this.#context = context
    this.#writer = new ChunkWriter(context)
  }

  get done(): boolean {
    return this.#writer.done || this.#judge.done
  }

  get begun(): boolean {
    return this.#writer.begun || this.#judge.begun
  }

  get verdict(): Verdict {
    return this.#passing ? this.#judge.verdict : this.#writer.verdict
  }

  take({ raw, data }: SseEvent): string | undefined {
    if (data === undefined || this.done) return ''
    return data === '[DONE]' ? this.#end(raw) : unlessTooDeep(() => this.#take(raw, data))
  }

  #take(raw: string, data: string): string | undefined {
    const value = unwrap(parse(data))
    if (!value) return undefined
    if (Array.isArray(value.choices)) {
      this.#passing = true
      return this.#judge.take(data) ? raw : undefined
    }
    return this.#passing ? this.#beside(value, data) : this.#part(value)
  }

  /** Among OpenAI's chunks: a last one that only counts, which is ours to know. */
  #beside(value: JsonObject, data: string): string | undefined {
    return !value.response && this.#judge.take(data) ? '' : undefined
  }

  #part(value: JsonObject): string | undefined {
    if (!('response' in value) && !('tool_calls' in value) && !isObject(value.usage)) return undefined
    this.#seen = true
    this.#writer.count(countsOf(value.usage))
    const said = responseText(value.response)
    let text = said ? this.#writer.delta({ content: said }) : ''
    const calls = readCalls(value.tool_calls, this.#context, this.#calls)
    this.#calls += calls.length
    for (const call of calls) text += this.#writer.call(call).text
    return text
  }

  #end(raw: string): string | undefined {
    if (this.#passing) return this.#judge.take('[DONE]') ? raw : undefined
    if (!this.#seen) return undefined
    // The end of the stream is all that the format says of an end.
    return this.#writer.finish('stop') + this.#writer.end()
  }
}
