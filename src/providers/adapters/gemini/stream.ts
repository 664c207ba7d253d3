import { isObject, type JsonObject } from '../../../core/json.ts'
import type { AnswerContext, StreamTranslator } from '../../adapter.ts'
import type { SseEvent } from '../../sse.ts'
import { ChunkWriter } from '../../translated.ts'
import { indexOf, objectsOf, parse, unlessTooDeep, wordOf } from '../read.ts'
import { countsOf, finishOf, isBlocked, readContent } from './answer.ts'

/** Reads a stream of partial answers. It has no terminal event: it is over once every candidate has ended. */
export class ContentStream implements StreamTranslator {
  readonly #context: AnswerContext
  readonly #writer: ChunkWriter
  #calls = 0

  constructor(context: AnswerContext) {
    this.#context = context
    this.#writer = new ChunkWriter(context)
  }

  get done(): boolean {
    return this.#writer.done
  }

  get begun(): boolean {
    return this.#writer.begun
  }

  get verdict() {
    return this.#writer.verdict
  }

  take({ data }: SseEvent): string | undefined {
    return data === undefined || this.done ? '' : unlessTooDeep(() => this.#take(data))
  }

  #take(data: string): string | undefined {
    const body = parse(data)
    if (!isObject(body) || isObject(body.error)) return undefined
    this.#writer.name(wordOf(body.responseId), wordOf(body.modelVersion))
    // Cumulative, and in the last part at the latest.
    this.#writer.count(countsOf(body.usageMetadata))
    if (isBlocked(body)) return this.#writer.finish('content_filter') + this.#writer.end()
    let text = ''
    for (const candidate of objectsOf(body.candidates)) {
      const more = this.#candidate(candidate)
      if (more === undefined) return undefined
      text += more
    }
    return this.#writer.allFinished ? text + this.#writer.end() : text
  }

  #candidate(candidate: JsonObject): string | undefined {
    const index = indexOf(candidate.index ?? 0)
    const finish = finishOf(candidate.finishReason)
    if (index === undefined || finish === 'failed') return undefined
    const { text, reasoning, calls } = readContent(candidate, this.#context, () => this.#calls++)
    let written = reasoning ? this.#writer.delta({ reasoning_content: reasoning }, index) : ''
    if (text) written += this.#writer.delta({ content: text }, index)
    for (const call of calls) written += this.#writer.call(call, index).text
    if (finish) written += this.#writer.finish(finish, index)
    return written || this.#writer.open(index)
  }
}
