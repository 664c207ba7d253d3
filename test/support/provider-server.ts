import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Served {
  readonly contentType?: 'application/json' | 'text/event-stream' | 'text/html'
  readonly text: string
  /** 200 when absent. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** The connection is destroyed after so many bytes. */
  readonly cutAt?: number
}

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface ProviderServer {
  readonly url: string
  /** What the next requests get, or how it follows from what they ask. */
  serve(served: Served | ((asked: Asked) => Served)): void
  /** The latest request. */
  readonly asked: Asked | undefined
  /** Every request, oldest first. */
  readonly requests: readonly Asked[]
  close(): Promise<void>
}

const UNPREPARED: Served = { status: 500, text: '' }

/** A provider on loopback that answers what it is told to, in small pieces. */
export async function startProviderServer(): Promise<ProviderServer> {
  let next: Served | ((asked: Asked) => Served) = UNPREPARED
  const requests: Asked[] = []
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const asked: Asked = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(pieces).toString('utf8'),
    }
    requests.push(asked)
    const served = typeof next === 'function' ? next(asked) : next
    const { contentType = 'application/json', text, status = 200, headers, cutAt } = served
    response.writeHead(status, { 'content-type': contentType, ...headers })
    const bytes = Buffer.from(text).subarray(0, cutAt)
    // Cut inside characters and events alike.
    for (let at = 0; at < bytes.length; at += 37) response.write(bytes.subarray(at, at + 37))
    if (cutAt === undefined) return void response.end()
    // Once what was written has left: destroying throws away what is still queued.
    response.write('', () => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serve: (served) => {
      next = served
    },
    get asked() {
      return requests.at(-1)
    },
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
