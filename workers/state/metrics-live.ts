import { utf8 } from '../../src/core/bytes.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { Live } from '../../src/metrics/batch.ts'

const TICK_MS = 500

interface Viewer {
  readonly seconds: number
  readonly controller: ReadableByteStreamController
}

/** Those who watch. It asks for figures only while there are any. */
export class LiveAudience {
  readonly #clock: Clock
  readonly #look: (seconds: number) => Promise<Live>
  readonly #viewers = new Set<Viewer>()
  #ticking = false

  constructor(clock: Clock, look: (seconds: number) => Promise<Live>) {
    this.#clock = clock
    this.#look = look
  }

  /** @returns a line of JSON twice a second, until the reader cancels */
  join(seconds: number): ReadableStream<Uint8Array> {
    let viewer: Viewer | undefined
    return new ReadableStream({
      type: 'bytes',
      start: (controller) => {
        viewer = { seconds, controller }
        this.#viewers.add(viewer)
        if (!this.#ticking) void this.#tick()
      },
      cancel: () => void (viewer && this.#viewers.delete(viewer)),
    })
  }

  async #tick(): Promise<void> {
    this.#ticking = this.#viewers.size > 0
    if (!this.#ticking) return
    for (const seconds of new Set([...this.#viewers].map((viewer) => viewer.seconds))) {
      const line = utf8(`${JSON.stringify(await this.#look(seconds))}\n`)
      for (const viewer of this.#viewers) if (viewer.seconds === seconds) this.#show(viewer, line)
    }
    this.#clock.after(TICK_MS, () => void this.#tick())
  }

  #show(viewer: Viewer, line: Uint8Array): void {
    try {
      // What a slow reader has not fetched would pile up here.
      if ((viewer.controller.desiredSize ?? 0) >= 0) viewer.controller.enqueue(line.slice())
    } catch {
      this.#viewers.delete(viewer)
    }
  }
}
