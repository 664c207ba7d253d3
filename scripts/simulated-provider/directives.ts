/** What a test or a curious user asks of the provider, inside the last message: `[[sim: status=429 retry_after=3]]`. */
export interface Directives {
  /** Milliseconds before the first byte. */
  readonly latencyMs?: number
  /** Tokens a second of a stream. */
  readonly rate?: number
  /** Answer with this status and an error in OpenAI's form. */
  readonly status?: number
  readonly retryAfter?: string
  /** The answer's text, with \n for a line end. */
  readonly text?: string
  readonly fault?: Fault
  /** The byte at which `cut` and `stall` act. */
  readonly at?: number
}

const FAULTS = [
  'cut', // the connection is destroyed at byte `at`
  'stall', // silence from byte `at`
  'silence', // headers, then nothing
  'html', // 200 with a page
  'empty', // 200 with nothing
  'error200', // 200 with an error object
  'no_done', // a stream without [DONE]
  'no_finish', // no finish_reason
  'bad_json', // one event that is not JSON
  'crlf', // line ends of CRLF
  'comments', // pings between events
  'multi_data', // an event's JSON over two data lines
  'refusal', // the model declines
  'content_filter', // the provider's filter stops it
] as const
export type Fault = (typeof FAULTS)[number]

const BLOCK = /\[\[sim:([^\]]*)\]\]/
const WORD = /(\w+)(?:=("[^"]*"|\S+))?/g

/** @returns the directives in the text; what is not known is ignored */
export function readDirectives(text: string): Directives {
  const block = BLOCK.exec(text)?.[1]
  if (block === undefined) return {}
  const found: Record<string, string> = {}
  for (const [, name = '', value = ''] of block.matchAll(WORD)) found[name] = value.replace(/^"|"$/g, '')
  const number = (name: string) =>
    found[name] !== undefined && Number.isFinite(Number(found[name])) ? Number(found[name]) : undefined
  const fault = FAULTS.find((name) => name === found.error)
  const [latencyMs, rate, status, at] = ['latency', 'rate', 'status', 'at'].map(number)
  return {
    ...(latencyMs !== undefined && { latencyMs }),
    ...(rate !== undefined && { rate }),
    ...(status !== undefined && { status }),
    ...(at !== undefined && { at }),
    ...(found.retry_after !== undefined && { retryAfter: found.retry_after }),
    ...(found.text !== undefined && { text: found.text.replaceAll('\\n', '\n') }),
    ...(fault && { fault }),
  }
}
