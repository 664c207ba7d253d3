import { isObject, type JsonObject, type JsonValue } from '../../../core/json.ts'
import type { AnswerContext, StreamTranslator } from '../../adapter.ts'
import { MAX_EVENT_LENGTH, type SseEvent } from '../../sse.ts'
import { ChunkWriter } from '../../translated.ts'
import { indexOf, objectOf, parse, textOf, unlessTooDeep, wordOf } from '../read.ts'
import { countsOf, finishOf, readCall, signedThought } from './answer.ts'

/** A part of the message that has begun and not ended. */
type OpenBlock =
  | { readonly kind: 'call'; readonly at: number; readonly input: string; pieces: boolean }
  /** Kept until its signature has come; undefined once it is too long to keep. */
  | { readonly kind: 'thought'; text: string | undefined; signature: string }
  | { readonly kind: 'other' }

/** Reads the events message_start ... message_stop. */
export class MessageStream implements StreamTranslator {
  readonly #writer: ChunkWriter
  readonly #blocks = new Map<number, OpenBlock>()
  #usage: JsonObject = {}
  #finished = false

  constructor(context: AnswerContext) {
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
    const event = parse(data)
    if (!isObject(event) || typeof event.type !== 'string') return undefined
    switch (event.type) {
      case 'message_start':
        return this.#start(event.message)
      case 'content_block_start':
        return this.#open(event)
      case 'content_block_delta':
        return this.#delta(event)
      case 'content_block_stop':
        return this.#close(event)
      case 'message_delta':
        return this.#messageDelta(event)
      case 'message_stop':
        // Without a reason it did not end, it was cut.
        return this.#finished ? this.#writer.end() : undefined
      case 'error':
        return undefined
      default:
        // Pings, and kinds of events that are to come.
        return ''
    }
  }

  #start(message: JsonValue | undefined): string | undefined {
    if (!isObject(message)) return undefined
    this.#writer.name(wordOf(message.id), wordOf(message.model))
    this.#count(message.usage)
    return this.#writer.open()
  }

  #open(event: JsonObject): string | undefined {
    const at = indexOf(event.index)
    const block = event.content_block
    if (at === undefined || !isObject(block)) return undefined
    if (block.type === 'tool_use') {
      const call = readCall(block)
      if (!call) return undefined
      const opened = this.#writer.call({ ...call, arguments: '' })
      this.#blocks.set(at, { kind: 'call', at: opened.at, input: call.arguments, pieces: false })
      return opened.text
    }
    if (block.type === 'thinking') {
      this.#blocks.set(at, {
        kind: 'thought',
        text: textOf(block.thinking),
        signature: textOf(block.signature),
      })
      return this.#say('reasoning_content', textOf(block.thinking))
    }
    this.#blocks.set(at, { kind: 'other' })
    const thought = signedThought(block)
    if (thought) return this.#writer.delta({ thinking_blocks: [thought] })
    return block.type === 'text' ? this.#say('content', textOf(block.text)) : ''
  }

  #delta(event: JsonObject): string | undefined {
    const block = this.#blocks.get(indexOf(event.index) ?? -1)
    const { delta } = event
    if (!block || !isObject(delta)) return undefined
    switch (delta.type) {
      case 'text_delta':
        return this.#say('content', textOf(delta.text))
      case 'thinking_delta':
        if (block.kind === 'thought') keep(block, textOf(delta.thinking))
        return this.#say('reasoning_content', textOf(delta.thinking))
      case 'signature_delta':
        if (block.kind === 'thought') block.signature = textOf(delta.signature)
        return ''
      case 'input_json_delta':
        return this.#piece(block, textOf(delta.partial_json))
      default:
        return ''
    }
  }

  #piece(block: OpenBlock, piece: string): string {
    // Pieces of what runs at the provider are not for the caller.
    if (block.kind !== 'call' || piece === '') return ''
    block.pieces = true
    return this.#writer.piece(block.at, piece)
  }

  #close(event: JsonObject): string | undefined {
    const at = indexOf(event.index)
    if (at === undefined) return undefined
    const block = this.#blocks.get(at)
    this.#blocks.delete(at)
    // A call without arguments comes without pieces, and nothing is not JSON.
    if (block?.kind === 'call' && !block.pieces) return this.#writer.piece(block.at, block.input)
    if (block?.kind !== 'thought' || block.text === undefined) return ''
    const thought = signedThought({ type: 'thinking', thinking: block.text, signature: block.signature })
    return thought ? this.#writer.delta({ thinking_blocks: [thought] }) : ''
  }

  #messageDelta(event: JsonObject): string {
    this.#count(event.usage)
    const finish = finishOf(objectOf(event.delta).stop_reason)
    if (!finish) return ''
    this.#finished = true
    return this.#writer.finish(finish)
  }

  #say(field: 'content' | 'reasoning_content', text: string): string {
    return text === '' ? '' : this.#writer.delta({ [field]: text })
  }

  /** Counts are cumulative, and a later event may leave out what an earlier one gave. */
  #count(usage: JsonValue | undefined): void {
    const given = Object.entries(objectOf(usage)).filter(([, value]) => value !== null)
    this.#usage = { ...this.#usage, ...Object.fromEntries(given) }
    this.#writer.count(countsOf(this.#usage))
  }
}

function keep(block: OpenBlock & { kind: 'thought' }, more: string): void {
  if (block.text === undefined) return
  block.text = block.text.length + more.length > MAX_EVENT_LENGTH ? undefined : block.text + more
}
