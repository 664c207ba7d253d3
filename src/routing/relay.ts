import { utf8 } from '../core/bytes.ts'
import { DeadlineError, type Watch } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { Target } from '../models/provider.ts'
import type { Verdict } from '../providers/completion.ts'
import { sseEvent } from '../providers/sse.ts'
import { failure, type Opening, takeAll } from './attempt.ts'

export interface RelayOptions {
  readonly watch: Watch
  readonly requestId: string
  readonly target: Target
  /** Longest silence of the provider, milliseconds. */
  readonly idleMs: number
  /** How much is kept for the cache, characters; beyond it nothing is kept. */
  readonly keepLength: number
}

/** How a relayed stream ended. */
export type RelayEnd =
  | { readonly kind: 'complete'; readonly verdict: Verdict; readonly text: string | undefined }
  | { readonly kind: 'broken'; readonly verdict: Verdict; readonly error: GatewayError }
  | { readonly kind: 'left'; readonly verdict: Verdict }

/**
 * Passes on a stream that has begun, whole events only. A stream that is cut, stalls, or holds anything but chunks
 * of an answer ends in an error event and without `[DONE]`. Pull-driven: a slow reader slows the provider, and no
 * more than what one read brings is held.
 * @returns the stream for the caller, and how it ended; `ended` never rejects
 */
export function relay(
  opening: Opening,
  options: RelayOptions,
): { stream: ReadableStream<Uint8Array>; ended: Promise<RelayEnd>; leave: () => void } {
  const pump = new Relay(opening, options)
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => pump.pull(controller),
    cancel: () => pump.leave(),
  })
  return { stream, ended: pump.ended, leave: () => pump.leave() }
}

class Relay {
  readonly #opening: Opening
  readonly #options: RelayOptions
  readonly #end = Promise.withResolvers<RelayEnd>()
  /** Passed on with the next write. */
  #pending = ''
  #kept: string | undefined = ''
  #over = false

  constructor(opening: Opening, options: RelayOptions) {
    this.#opening = opening
    this.#options = options
    this.#pass(opening.held)
  }

  get ended(): Promise<RelayEnd> {
    return this.#end.promise
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const { reader, translator } = this.#opening
    const { target } = this.#options
    try {
      while (this.#pending === '' && !translator.done) {
        const { done, value } = await this.#read()
        if (this.#over) return
        if (done) throw failure(target, 'bad_stream')
        takeAll(reader, translator, value, target, (text) => this.#pass(text))
      }
    } catch (cause) {
      if (!this.#over) this.#break(controller, cause)
      return
    }
    this.#write(controller)
    if (translator.done) this.#finish(controller)
  }

  /** The caller is gone: the provider is told to stop at once. */
  leave(): void {
    if (this.#over) return
    this.#close({ kind: 'left', verdict: this.#opening.translator.verdict })
    this.#stopUpstream()
  }

  async #read(): Promise<ReadableStreamReadResult<Uint8Array>> {
    const { watch, idleMs, target } = this.#options
    try {
      return await watch.within(idleMs, this.#opening.upstream.read())
    } catch (cause) {
      throw cause instanceof DeadlineError ? failure(target, 'too_slow') : cause
    }
  }

  #pass(text: string): void {
    this.#pending += text
    if (this.#kept === undefined) return
    this.#kept = this.#kept.length + text.length <= this.#options.keepLength ? this.#kept + text : undefined
  }

  #write(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#pending) controller.enqueue(utf8(this.#pending))
    this.#pending = ''
  }

  #finish(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#close({ kind: 'complete', verdict: this.#opening.translator.verdict, text: this.#kept })
    this.#stopUpstream()
    controller.close()
  }

  #break(controller: ReadableStreamDefaultController<Uint8Array>, cause: unknown): void {
    const { target, requestId } = this.#options
    const error = cause instanceof GatewayError ? cause : failure(target, 'bad_stream', { cause })
    this.#pending += sseEvent(error.toBody(requestId))
    this.#write(controller)
    this.#close({ kind: 'broken', verdict: this.#opening.translator.verdict, error })
    this.#stopUpstream()
    controller.close()
  }

  #stopUpstream(): void {
    this.#opening.upstream.cancel().catch(() => {})
  }

  #close(end: RelayEnd): void {
    this.#over = true
    this.#options.watch.stop()
    this.#end.resolve(end)
  }
}
