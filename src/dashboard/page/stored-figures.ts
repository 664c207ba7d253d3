import type { History } from '../history.ts'
import type { LongView } from '../view.ts'

export type Stored =
  | { readonly state: 'reading' }
  | { readonly state: 'signed-out' }
  /** `text`: what happened, and what to do. */
  | { readonly state: 'failed'; readonly text: string }
  | { readonly state: 'told'; readonly history: History }

const READING: Stored = { state: 'reading' }
const AGAIN_MS = 60_000
const RETRY_MS = 15_000
/** Longer than the gateway waits for its database. */
const PATIENCE_MS = 25_000

/** Longer times, asked for anew each minute while somebody looks at them. */
export class StoredFigures {
  readonly #changed: () => void
  #view: LongView | undefined
  #stored: Stored = READING
  #timer: ReturnType<typeof setTimeout> | undefined
  #asking: AbortController | undefined

  constructor(changed: () => void) {
    this.#changed = changed
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.#view && !this.#asking) void this.#ask(this.#view)
    })
  }

  get shown(): Stored {
    return this.#stored
  }

  /** @param view undefined: nobody looks at a longer time */
  look(view: LongView | undefined): void {
    if (JSON.stringify(view) === JSON.stringify(this.#view)) return
    this.#asking?.abort()
    this.#asking = undefined
    clearTimeout(this.#timer)
    this.#view = view
    this.#stored = READING
    if (view) void this.#ask(view)
  }

  async #ask(view: LongView): Promise<void> {
    clearTimeout(this.#timer)
    const asking = new AbortController()
    this.#asking = asking
    const late = setTimeout(() => asking.abort(), PATIENCE_MS)
    const stored = await read(view, asking.signal)
    clearTimeout(late)
    // Something else is looked at by now.
    if (this.#asking !== asking) return
    this.#asking = undefined
    this.#stored = stored
    const waitMs = stored.state === 'told' ? AGAIN_MS : RETRY_MS
    if (stored.state !== 'signed-out')
      this.#timer = setTimeout(() => !document.hidden && void this.#ask(view), waitMs)
    this.#changed()
  }
}

async function read({ minutes, filter }: LongView, signal: AbortSignal): Promise<Stored> {
  try {
    const query = new URLSearchParams({ minutes: String(minutes), ...filter })
    const response = await fetch(`/monitoring/history?${query}`, { signal })
    if (response.status === 401) return { state: 'signed-out' }
    if (response.ok) return { state: 'told', history: (await response.json()) as History }
    const { error } = (await response.json()) as { error: { message: string; tip: string } }
    return failed(`${error.message} ${error.tip}`)
  } catch {
    return failed('The gateway did not answer. Try again.')
  }
}

const failed = (why: string): Stored => ({
  state: 'failed',
  text: `Longer times cannot be shown. ${why} The page tries again every ${RETRY_MS / 1_000} s. Live figures go on: choose 3 h or less.`,
})
