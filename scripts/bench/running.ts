/** Something that was started and must be ended. What `close` returns is waited for; ending it again is harmless. */
export interface Part {
  close(): unknown
}

/** All that a run has started: ended in the opposite order when it is over, has failed, or is interrupted. */
export class Running {
  readonly #parts: Promise<Part>[] = []
  #ended: Promise<void> | undefined

  get over(): boolean {
    return this.#ended !== undefined
  }

  /** Starts a part and answers for its end, from the moment at which it begins to start. */
  async own<T extends Part>(start: () => T | Promise<T>): Promise<T> {
    if (this.over) throw new Error('The run is over')
    const part = Promise.resolve(start())
    this.#parts.push(part)
    return part
  }

  close(): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  async #end(): Promise<void> {
    for (const part of this.#parts.toReversed()) {
      // What did not start, or will not end, must not keep the others.
      await part.then((started) => started.close()).catch(() => {})
    }
  }
}

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

/** Does the work, and ends what it started however it ends: done, failed, or interrupted. */
export async function runToTheEnd(running: Running, work: () => Promise<void>): Promise<void> {
  const exit = (code: number) => void running.close().finally(() => process.exit(code))
  for (const [signal, number] of Object.entries(SIGNALS)) process.once(signal, () => exit(128 + number))
  const fail = (error: unknown) => {
    // Once the run is over, parts fail because they have been ended.
    if (!running.over) console.error(error)
    exit(1)
  }
  // A part that fails outside every call would otherwise end this program at once, and leave the others.
  process.once('uncaughtException', fail)
  await work().then(() => running.close(), fail)
}
