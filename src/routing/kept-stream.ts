export interface KeepOptions {
  /** Beyond it nothing is kept, bytes. */
  readonly maxBytes: number
  /** Fires when nobody waits for the rest any more. */
  readonly giveUp: AbortSignal
  /** The caller is gone; the rest is read all the same. */
  readonly onLeave: () => void
  /** Called once, before the stream closes. @param text undefined when it is too long */
  readonly onEnd: (text: string | undefined) => Promise<void>
}

/**
 * Passes a stream on as fast as it is read, and keeps its text. When its reader leaves it is read to its end
 * without one, until `giveUp`.
 * @param left fires when the caller leaves, which a platform may say by cancelling too
 */
export function keptStream(
  source: ReadableStream<Uint8Array>,
  left: AbortSignal,
  options: KeepOptions,
): ReadableStream<Uint8Array> {
  const keeper = new Keeper(source.getReader(), options)
  const leave = () => keeper.leave()
  if (left.aborted) leave()
  else left.addEventListener('abort', leave, { once: true })
  return new ReadableStream<Uint8Array>({ pull: (controller) => keeper.pull(controller), cancel: leave })
}

class Keeper {
  readonly #source: ReadableStreamDefaultReader<Uint8Array>
  readonly #options: KeepOptions
  readonly #decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })
  #text = ''
  #bytes = 0
  #isLeft = false
  #end: Promise<void> | undefined

  constructor(source: ReadableStreamDefaultReader<Uint8Array>, options: KeepOptions) {
    this.#source = source
    this.#options = options
    const cancel = () => void source.cancel().catch(() => {})
    options.giveUp.addEventListener('abort', cancel, { once: true })
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const bytes = await this.#next()
    if (this.#isLeft) return
    if (bytes) controller.enqueue(bytes)
    else controller.close()
  }

  leave(): void {
    if (this.#isLeft || this.#end) return
    this.#isLeft = true
    this.#options.onLeave()
    void this.#drain()
  }

  async #drain(): Promise<void> {
    while (await this.#next());
  }

  async #next(): Promise<Uint8Array | undefined> {
    // A source that fails has said all that it will.
    const { done, value } = await this.#source.read().catch(() => ({ done: true, value: undefined }) as const)
    if (value) this.#keep(value)
    if (!done) return value
    this.#end ??= this.#options.onEnd(this.#isTooLong ? undefined : this.#text + this.#decoder.decode())
    await this.#end
    return undefined
  }

  #keep(bytes: Uint8Array): void {
    this.#bytes += bytes.byteLength
    if (this.#isTooLong) this.#text = ''
    else this.#text += this.#decoder.decode(bytes, { stream: true })
  }

  get #isTooLong(): boolean {
    return this.#bytes > this.#options.maxBytes
  }
}
