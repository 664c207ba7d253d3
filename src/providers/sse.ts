/** One event of a stream: its text as it came, blank line included, and its data. */
export interface SseEvent {
  readonly raw: string
  /** The `data:` lines joined by newlines; undefined for an event without any (a comment, a ping). */
  readonly data: string | undefined
}

/** Held at most for one unfinished event, bytes as they came. */
export const MAX_EVENT_LENGTH = 1_000_000
/** So many pieces are kept apart before they are joined: a text made of single characters takes thirty times its length. */
const MAX_PIECES = 1_024

/**
 * Cuts a stream of bytes into whole events, as the HTML standard's event stream has them: LF, CR or CRLF,
 * a leading byte order mark, comments, several data lines. Each byte is looked at once, however small the pieces are
 * that an event comes in: a provider must not be able to keep this isolate busy.
 * @throws when an event is longer than `MAX_EVENT_LENGTH` or the bytes are not UTF-8
 */
export class SseReader {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  /** Of the unfinished event: what was joined, and what came after that. */
  #held = ''
  #pieces: string[] = []
  /** Never less than what is held. */
  #heldBytes = 0
  /** Whether what is held ends in a line end, so that another one ends the event. */
  #atLineStart = false
  /** A CR at the very end may be half of a CRLF: it waits for what follows. */
  #cr = ''

  /** @returns the events that these bytes complete */
  push(bytes: Uint8Array): SseEvent[] {
    let text = this.#cr + this.#decoder.decode(bytes, { stream: true })
    this.#cr = text.endsWith('\r') ? '\r' : ''
    if (this.#cr) text = text.slice(0, -1)
    const events: SseEvent[] = []
    let start = 0
    let lineStart = this.#atLineStart ? 0 : -1
    let lf = text.indexOf('\n')
    let cr = text.indexOf('\r')
    while (lf >= 0 || cr >= 0) {
      const at = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr
      const end = at === cr && lf === at + 1 ? at + 2 : at + 1
      if (at === lineStart) {
        const raw = this.#take() + text.slice(start, end)
        events.push({ raw, data: dataOf(raw) })
        start = end
        lineStart = -1
      } else lineStart = end
      if (lf >= 0 && lf < end) lf = text.indexOf('\n', end)
      if (cr >= 0 && cr < end) cr = text.indexOf('\r', end)
    }
    this.#hold(text.slice(start), events.length > 0 ? bytes.length - start : bytes.length)
    this.#atLineStart = lineStart === text.length
    return events
  }

  #take(): string {
    const held = this.#pieces.length === 0 ? this.#held : this.#held + this.#pieces.join('')
    this.#held = ''
    this.#pieces = []
    this.#heldBytes = 0
    return held
  }

  #hold(text: string, bytes: number): void {
    if (text === '') return
    this.#heldBytes += bytes
    if (this.#heldBytes > MAX_EVENT_LENGTH) throw new RangeError('an event of the stream is too long')
    this.#pieces.push(text)
    if (this.#pieces.length < MAX_PIECES) return
    this.#held += this.#pieces.join('')
    this.#pieces = []
  }
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
