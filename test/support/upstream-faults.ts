import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { readText } from '../../scripts/stack/http.ts'

/** One request as it reached the provider. Times by `performance.now()`. */
export interface Seen {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly atMs: number
  /** Undefined while the connection is open. */
  closedAtMs: number | undefined
  /** Whether the other side hung up before we did. */
  left: boolean
  /** Bytes of the answer that the kernel took. */
  written: number
}

export interface Exchange {
  readonly seen: Seen
  readonly response: ServerResponse
  readonly socket: Socket
  /** @returns once the kernel has taken the bytes: whether the connection is still open */
  write(bytes: string | Uint8Array): Promise<boolean>
  /** Our own end of the connection. */
  end(): void
}

/** What a provider does with one request. */
export type Behaviour = (exchange: Exchange) => void | Promise<void>

export interface UpstreamFaults {
  /** Ends in /v1, and holds what no error may show. */
  readonly url: string
  /** Host and port. */
  readonly host: string
  /** Chat requests, oldest first. */
  readonly seen: readonly Seen[]
  /** Forgets what was seen; from now on every request gets this. */
  set(behaviour: Behaviour): void
  /** As `set`, one after the other; the last one stays. */
  inTurn(...behaviours: readonly [Behaviour, ...Behaviour[]]): void
  /** From now on connections are refused. */
  refuse(): Promise<void>
  /** Takes connections again, at the same port. */
  accept(): Promise<void>
  close(): Promise<void>
}

/** Part of every address. */
export const PATH_SECRET = 'token-in-the-path'

const MODELS = { object: 'list', data: [{ id: 'm', object: 'model', created: 0, owned_by: 'faults' }] }

/** A provider of the model "m" that fails in every way that a network and a server can, as it is told. */
export async function startUpstream(): Promise<UpstreamFaults> {
  const seen: Seen[] = []
  let behaviours: readonly Behaviour[] = [blackHole]
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'application/json', connection: 'close' })
      return void response.end(JSON.stringify(MODELS))
    }
    const exchange = await meet(request, response)
    const behaviour = behaviours[Math.min(seen.length, behaviours.length - 1)] as Behaviour
    seen.push(exchange.seen)
    await behaviour(exchange)
  })
  // No request is too slow for a provider that is slow itself.
  server.requestTimeout = server.headersTimeout = server.keepAliveTimeout = 0
  const bind = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await bind(0)
  const { port } = server.address() as AddressInfo
  const inTurn: UpstreamFaults['inTurn'] = (...next) => {
    behaviours = next
    seen.length = 0
  }
  return {
    url: `http://127.0.0.1:${port}/${PATH_SECRET}/v1`,
    host: `127.0.0.1:${port}`,
    seen,
    inTurn,
    set: (behaviour) => inTurn(behaviour),
    refuse: close,
    accept: () => bind(port),
    close: () => (server.listening ? close() : Promise.resolve()),
  }
}

async function meet(request: IncomingMessage, response: ServerResponse): Promise<Exchange> {
  const { socket } = request
  socket.setNoDelay(true)
  const atMs = performance.now()
  const seen: Seen = {
    path: request.url ?? '',
    headers: request.headers,
    body: await readText(request).catch(() => ''),
    atMs,
    closedAtMs: undefined,
    left: false,
    written: 0,
  }
  let ours = false
  socket.on('error', () => {})
  socket.once('close', () => {
    seen.closedAtMs = performance.now()
    seen.left = !ours
  })
  response.once('finish', () => {
    ours = true
  })
  return {
    seen,
    response,
    socket,
    write: (bytes) =>
      new Promise((resolve) => {
        // Of a connection that broke meanwhile, too, the callback tells.
        socket.write(bytes, (error) => {
          if (!error) seen.written += Buffer.byteLength(bytes)
          resolve(!error && seen.closedAtMs === undefined)
        })
      }),
    end: () => {
      ours = true
      socket.end()
    },
  }
}

/** Takes the request and says nothing, ever. */
export const blackHole: Behaviour = () => {}

/** Breaks the connection instead of answering. */
export const reset: Behaviour = ({ socket }) => void socket.resetAndDestroy()

/** A whole answer. */
export const answer =
  (status: number, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Behaviour =>
  ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close', ...headers })
    response.end(body)
  }

export interface StreamOptions {
  /** `end`: closes as if that were all; `break`: less than was announced; `silence`: stays open. Default `end`. */
  readonly after?: 'end' | 'break' | 'silence'
  /** Sends so many bytes at a time, each in a packet of its own. */
  readonly piece?: number
  readonly bytesPerSecond?: number
  readonly contentType?: string
}

/** A streamed answer, and what becomes of it. */
export const stream =
  (body: string | Uint8Array, options: StreamOptions = {}): Behaviour =>
  async (exchange) => {
    const { after = 'end', bytesPerSecond, contentType = 'text/event-stream' } = options
    const bytes = Buffer.from(body)
    const piece = options.piece ?? (bytesPerSecond ? Math.ceil(bytesPerSecond / 20) : bytes.length)
    const length = after === 'break' ? `content-length: ${bytes.length + 1_000}\r\n` : ''
    await exchange.write(
      `HTTP/1.1 200 OK\r\ncontent-type: ${contentType}\r\n${length}connection: close\r\n\r\n`,
    )
    for (let at = 0; at < bytes.length; at += piece) {
      if (!(await exchange.write(bytes.subarray(at, at + piece)))) return
      if (bytesPerSecond) await wait((piece / bytesPerSecond) * 1_000)
      else if (at + piece < bytes.length) await new Promise((resolve) => setImmediate(resolve))
    }
    if (after !== 'silence') exchange.end()
  }

/** One event after the other for as long as they are taken, `maxBytes` at most. */
export const flood =
  (event: string, maxBytes: number): Behaviour =>
  async (exchange) => {
    await exchange.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n')
    while (exchange.seen.written < maxBytes) if (!(await exchange.write(event))) return
    exchange.end()
  }

/** A streamed answer that goes on once the promise has settled. */
export const streamInTwo =
  (first: string, gate: Promise<unknown>, second: string | Uint8Array): Behaviour =>
  async (exchange) => {
    await stream(first, { after: 'silence' })(exchange)
    await gate
    await exchange.write(second)
    exchange.end()
  }

/** Does so once the promise has settled. */
export const once =
  (signal: Promise<unknown>, behaviour: Behaviour): Behaviour =>
  async (exchange) => {
    await signal
    await behaviour(exchange)
  }

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }

/** A healthy `chat.completion`. */
export const completion = (text: string): string =>
  JSON.stringify({
    id: 'chatcmpl-faults',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
    usage,
  })

const chunk = (delta: object, finish: string | null = null, more: object = {}): string =>
  `data: ${JSON.stringify({
    id: 'chatcmpl-faults',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: finish }],
    ...more,
  })}\n\n`

/** A stream's events: the role, the words one by one, the end with its usage, `[DONE]`. */
export const events = {
  role: chunk({ role: 'assistant', content: '' }),
  word: (text: string) => chunk({ content: text }),
  finish: chunk({}, 'stop', { usage }),
  done: 'data: [DONE]\n\n',
}

/** A whole stream that says this. */
export const words = (...texts: readonly string[]): string =>
  [events.role, ...texts.map(events.word), events.finish, events.done].join('')

/** Whatever form was asked for, at once and healthy. */
export const well =
  (text: string): Behaviour =>
  (exchange) =>
    JSON.parse(exchange.seen.body).stream === true
      ? stream(words(...text.split(/(?<= )/)))(exchange)
      : answer(200, completion(text))(exchange)

/** The data of a stream's events, as whoever keeps to the standard reads them. */
export const dataOf = (text: string): string[] =>
  text
    .replace(/^\ufeff/, '')
    .replaceAll(/\r\n?/g, '\n')
    .split('\n\n')
    .flatMap((event) => {
      const lines = event.split('\n').filter((line) => line.startsWith('data:'))
      return lines.length === 0 ? [] : [lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n')]
    })
