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
  /** The caller cancels the stream; absent = the same as `leave`. */
  readonly onCancel?: (() => void) | undefined
}

/** A stream on its way to the caller. */
export interface Relayed {
  readonly stream: ReadableStream<Uint8Array>
  /** How it ended; never rejects. */
  readonly ended: Promise<RelayEnd>
  /** Nobody waits for the rest. */
  leave(): void
  /** The caller is gone, and others wait for the rest. */
  detach(): void
  /**
   * Hands on to others, too, what is said from now on, as fast as it comes.
   * @returns what was said before; undefined where that was too much to be kept: then nothing is handed on
   */
  share(onText: (text: string) => void): string | undefined
}

/** How far a stream that others hear too is read ahead of its own caller, characters. */
const MAX_AHEAD = 262_144

/** How a relayed stream ended. */
export type RelayEnd =
  | { readonly kind: 'complete'; readonly verdict: Verdict; readonly text: string | undefined }
  | { readonly kind: 'broken'; readonly verdict: Verdict; readonly error: GatewayError }
  | { readonly kind: 'left'; readonly verdict: Verdict }

/**
 * Passes on a stream that has begun, whole events only. A stream that is cut, stalls, or holds anything but chunks
 * of an answer ends in an error event and without `[DONE]`. Pull-driven: a slow reader slows the provider, and no
 * more than what one read brings is held, unless others hear it too.
 */
export function relay(opening: Opening, options: RelayOptions): Relayed {
  const pump = new Relay(opening, options)
  const leave = () => pump.leave()
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => pump.pull(controller),
    cancel: options.onCancel ?? leave,
  })
  return {
    stream,
    ended: pump.ended,
    leave,
    detach: () => pump.detach(),
    share: (onText) => pump.share(onText),
  }
}

class Relay {
  readonly #opening: Opening
  readonly #options: RelayOptions
  readonly #end = Promise.withResolvers<RelayEnd>()
  /** Passed on with the next write. */
  #pending = ''
  #kept: string | undefined = ''
  #onText: ((text: string) => void) | undefined
  /** One for all who wait for more. */
  #reading: Promise<void> | undefined
  #over = false
  #isDetached = false
  #onRoom: (() => void) | undefined

  constructor(opening: Opening, options: RelayOptions) {
    this.#opening = opening
    this.#options = options
    this.#pass(opening.held)
    if (opening.translator.done) this.#finish()
  }

  get ended(): Promise<RelayEnd> {
    return this.#end.promise
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#pending === '' && !this.#over) await this.#more()
    if (this.#isDetached) return
    if (this.#pending) controller.enqueue(utf8(this.#pending))
    this.#pending = ''
    this.#onRoom?.()
    if (this.#over) controller.close()
  }

  /** The caller is gone: the provider is told to stop at once. */
  leave(): void {
    if (this.#over) return
    this.detach()
    this.#close({ kind: 'left', verdict: this.#opening.translator.verdict })
  }

  detach(): void {
    this.#isDetached = true
    this.#pending = ''
    this.#onRoom?.()
  }

  share(onText: (text: string) => void): string | undefined {
    if (this.#kept === undefined) return undefined
    this.#onText = onText
    void this.#readAhead()
    return this.#kept
  }

  async #readAhead(): Promise<void> {
    while (!this.#over) {
      if (this.#pending.length > MAX_AHEAD)
        await new Promise<void>((resolve) => {
          this.#onRoom = resolve
        })
      else await this.#more()
    }
  }

  #more(): Promise<void> {
    this.#reading ??= this.#readOn()
    return this.#reading
  }

  /** Never rejects. */
  async #readOn(): Promise<void> {
    const { reader, translator } = this.#opening
    const { target } = this.#options
    try {
      const { done, value } = await this.#read()
      if (this.#over) return
      if (done) throw failure(target, 'bad_stream')
      takeAll(reader, translator, value, target, (text) => this.#pass(text))
      if (translator.done) this.#finish()
    } catch (cause) {
      if (!this.#over) this.#break(cause)
    } finally {
      this.#reading = undefined
    }
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
    if (!this.#isDetached) this.#pending += text
    if (text) this.#onText?.(text)
    if (this.#kept === undefined) return
    this.#kept = this.#kept.length + text.length <= this.#options.keepLength ? this.#kept + text : undefined
  }

  #finish(): void {
    this.#close({ kind: 'complete', verdict: this.#opening.translator.verdict, text: this.#kept })
  }

  #break(cause: unknown): void {
    const { target, requestId } = this.#options
    const error = cause instanceof GatewayError ? cause : failure(target, 'bad_stream', { cause })
    if (!this.#isDetached) this.#pending += sseEvent(error.toBody(requestId))
    this.#close({ kind: 'broken', verdict: this.#opening.translator.verdict, error })
  }

  #stopUpstream(): void {
    this.#opening.upstream.cancel().catch(() => {})
  }

  #close(end: RelayEnd): void {
    this.#over = true
    this.#options.watch.stop()
    this.#stopUpstream()
    this.#end.resolve(end)
  }
}
