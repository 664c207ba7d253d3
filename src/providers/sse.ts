/** One event of a stream: its text as it came, blank line included, and its data. */
export interface SseEvent {
  readonly raw: string
  /** The `data:` lines joined by newlines; undefined for an event without any (a comment, a ping). */
  readonly data: string | undefined
}

/** Held at most for one unfinished event, in characters. */
export const MAX_EVENT_LENGTH = 1_000_000

/**
 * Cuts a stream of bytes into whole events, as the HTML standard's event stream has them: LF, CR or CRLF,
 * a leading byte order mark, comments, several data lines.
 * @throws when an event is longer than `MAX_EVENT_LENGTH` or the bytes are not UTF-8
 */
export class SseReader {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  #held = ''

  /** @returns the events that these bytes complete */
  push(bytes: Uint8Array): SseEvent[] {
    this.#held += this.#decoder.decode(bytes, { stream: true })
    const events: SseEvent[] = []
    let start = 0
    for (;;) {
      const end = endOfEvent(this.#held, start)
      if (end < 0) break
      const raw = this.#held.slice(start, end)
      events.push({ raw, data: dataOf(raw) })
      start = end
    }
    this.#held = this.#held.slice(start)
    if (this.#held.length > MAX_EVENT_LENGTH) throw new RangeError('an event of the stream is too long')
    return events
  }

  /** Whether the stream stopped inside an event. */
  get unfinished(): boolean {
    return this.#held.trim() !== ''
  }
}

/** The index after the blank line that ends the event which starts at `from`, or -1. */
function endOfEvent(text: string, from: number): number {
  for (let i = from; i < text.length; ) {
    const lf = text.indexOf('\n', i)
    const cr = text.indexOf('\r', i)
    if (lf < 0 && cr < 0) return -1
    const at = lf < 0 ? cr : cr < 0 ? lf : Math.min(lf, cr)
    const next = afterLineEnd(text, at)
    // A CR at the very end may be half of a CRLF: wait for what follows.
    if (next < 0 || next >= text.length) return -1
    const blank = text[next]
    if (blank === '\n') return next + 1
    if (blank === '\r') return next + 1 < text.length && text[next + 1] === '\n' ? next + 2 : next + 1
    i = next
  }
  return -1
}

function afterLineEnd(text: string, at: number): number {
  if (text[at] === '\n') return at + 1
  if (at + 1 >= text.length) return -1
  return text[at + 1] === '\n' ? at + 2 : at + 1
}

function dataOf(raw: string): string | undefined {
  // Nearly every event is one line: data: {...}
  if (raw.startsWith('data: ') && raw.indexOf('\n') === raw.length - 2 && raw.endsWith('\n\n'))
    return raw.slice(6, -2)

  let data: string | undefined
  for (const line of raw.split(/\r\n|\n|\r/)) {
    if (line !== 'data' && !line.startsWith('data:')) continue
    const value = line.slice(5).replace(/^ /, '')
    data = data === undefined ? value : `${data}\n${value}`
  }
  return data
}

/** One event whose data cannot break out of it: JSON text has no line ends. */
export const sseEvent = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`
