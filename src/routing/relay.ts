import { utf8 } from '../core/bytes.ts'
import { DeadlineError, type Watch } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { StreamJudge, type Verdict } from '../providers/completion.ts'
import { cutOff, tooSlow } from '../providers/failures.ts'
import { type SseEvent, SseReader, sseEvent } from '../providers/sse.ts'

export interface RelayOptions {
  readonly watch: Watch
  readonly requestId: string
  readonly provider: string
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
 * Passes a provider's event stream on, whole events only, untouched. A stream that is cut, stalls, or holds
 * anything but chunks of an answer ends in an error event and without `[DONE]`. Pull-driven: a slow reader
 * slows the provider, and no more than what one read brings is held.
 * @returns the stream for the caller, and how it ended; `ended` never rejects
 */
export function relay(
  upstream: ReadableStream<Uint8Array>,
  options: RelayOptions,
): { stream: ReadableStream<Uint8Array>; ended: Promise<RelayEnd>; leave: () => void } {
  const pump = new Relay(upstream.getReader(), options)
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => pump.pull(controller),
    cancel: () => pump.leave(),
  })
  return { stream, ended: pump.ended, leave: () => pump.leave() }
}

class Relay {
  readonly #upstream: ReadableStreamDefaultReader<Uint8Array>
  readonly #options: RelayOptions
  readonly #reader = new SseReader()
  readonly #judge = new StreamJudge()
  readonly #end = Promise.withResolvers<RelayEnd>()
  #kept: string | undefined = ''
  #over = false

  constructor(upstream: ReadableStreamDefaultReader<Uint8Array>, options: RelayOptions) {
    this.#upstream = upstream
    this.#options = options
  }

  get ended(): Promise<RelayEnd> {
    return this.#end.promise
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (!this.#over) {
      let text = ''
      try {
        const { done, value } = await this.#read()
        if (this.#over) return
        if (done) throw cutOff(this.#options.provider)
        for (const event of this.#reader.push(value)) {
          text += this.#take(event)
          if (this.#judge.done) break
        }
      } catch (cause) {
        if (!this.#over) this.#break(controller, text, cause)
        return
      }
      if (text) controller.enqueue(utf8(text))
      if (this.#judge.done) this.#finish(controller)
      if (text) return
    }
  }

  /** The caller is gone: the provider is told to stop at once. */
  leave(): void {
    if (this.#over) return
    this.#close({ kind: 'left', verdict: this.#judge.verdict })
    this.#stopUpstream()
  }

  async #read(): Promise<ReadableStreamReadResult<Uint8Array>> {
    const { watch, idleMs, provider } = this.#options
    try {
      return await watch.within(idleMs, this.#upstream.read())
    } catch (cause) {
      throw cause instanceof DeadlineError ? tooSlow(provider, idleMs) : cause
    }
  }

  /** @returns what of the event is passed on */
  #take({ raw, data }: SseEvent): string {
    if (data !== undefined && !this.#judge.take(data)) throw cutOff(this.#options.provider)
    if (this.#kept !== undefined) {
      this.#kept = this.#kept.length + raw.length <= this.#options.keepLength ? this.#kept + raw : undefined
    }
    return raw
  }

  #finish(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const { verdict } = this.#judge
    this.#close({ kind: 'complete', verdict, text: this.#kept })
    this.#stopUpstream()
    controller.close()
  }

  #break(controller: ReadableStreamDefaultController<Uint8Array>, before: string, cause: unknown): void {
    const error = cause instanceof GatewayError ? cause : cutOff(this.#options.provider)
    controller.enqueue(utf8(before + sseEvent(error.toBody(this.#options.requestId))))
    this.#close({ kind: 'broken', verdict: this.#judge.verdict, error })
    this.#stopUpstream()
    controller.close()
  }

  #stopUpstream(): void {
    this.#upstream.cancel().catch(() => {})
  }

  #close(end: RelayEnd): void {
    this.#over = true
    this.#options.watch.stop()
    this.#end.resolve(end)
  }
}
