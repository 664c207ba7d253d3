import { connect, type Socket } from 'node:net'

/** A reply of Redis. An error is a value here: what to do with it is the caller's to say. */
export type Reply = string | number | null | Reply[] | RedisError

export class RedisError extends Error {
  override readonly name = 'RedisError'
}

/** One connection to Redis, speaking RESP2; commands are answered in their order. */
export class RespConnection {
  readonly #socket: Socket
  readonly #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = []
  #buffer: Buffer = Buffer.alloc(0)

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (data) => this.#take(data))
    socket.on('error', () => {})
    socket.on('close', () => {
      for (const { reject } of this.#waiting.splice(0))
        reject(new Error('redis-server closed the connection'))
    })
  }

  /** @param path of a Unix socket */
  static open(path: string): Promise<RespConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => {
        socket.off('error', reject)
        resolve(new RespConnection(socket))
      })
      socket.once('error', reject)
    })
  }

  send(command: readonly string[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error('redis-server is gone'))
      this.#waiting.push({ resolve, reject })
      const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`)
      this.#socket.write(`*${command.length}\r\n${parts.join('')}`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(data: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? data : Buffer.concat([this.#buffer, data])
    for (;;) {
      const read = parse(this.#buffer, 0)
      if (!read) return
      this.#buffer = this.#buffer.subarray(read.end)
      this.#waiting.shift()?.resolve(read.reply)
    }
  }
}

/** @returns undefined while the reply is not complete */
function parse(buffer: Buffer, at: number): { reply: Reply; end: number } | undefined {
  const lineEnd = buffer.indexOf('\r\n', at)
  if (lineEnd < 0) return undefined
  const line = buffer.toString('utf8', at + 1, lineEnd)
  const next = lineEnd + 2
  switch (String.fromCharCode(buffer[at] ?? 0)) {
    case '+':
      return { reply: line, end: next }
    case '-':
      return { reply: new RedisError(line), end: next }
    case ':':
      return { reply: Number(line), end: next }
    case '$':
      return parseText(buffer, next, Number(line))
    case '*':
      return parseList(buffer, next, Number(line))
    default:
      throw new Error('redis-server sent an unknown kind of reply')
  }
}

function parseText(buffer: Buffer, at: number, length: number): { reply: Reply; end: number } | undefined {
  if (length < 0) return { reply: null, end: at }
  if (buffer.length < at + length + 2) return undefined
  return { reply: buffer.toString('utf8', at, at + length), end: at + length + 2 }
}

function parseList(buffer: Buffer, at: number, length: number): { reply: Reply; end: number } | undefined {
  if (length < 0) return { reply: null, end: at }
  const list: Reply[] = []
  let end = at
  for (let i = 0; i < length; i++) {
    const item = parse(buffer, end)
    if (!item) return undefined
    list.push(item.reply)
    end = item.end
  }
  return { reply: list, end }
}
