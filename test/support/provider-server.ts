import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Served {
  readonly contentType: 'application/json' | 'text/event-stream'
  readonly text: string
}

export interface Asked {
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface ProviderServer {
  readonly url: string
  /** What the next request gets. */
  serve(served: Served): void
  /** The latest request. */
  readonly asked: Asked | undefined
  close(): Promise<void>
}

/** A provider on loopback that answers what it is told to, in small pieces. */
export async function startProviderServer(): Promise<ProviderServer> {
  let next: Served | undefined
  let asked: Asked | undefined
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    asked = {
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(pieces).toString('utf8'),
    }
    response.writeHead(next ? 200 : 500, { 'content-type': next?.contentType ?? 'text/plain' })
    const bytes = Buffer.from(next?.text ?? '')
    // Cut inside characters and events alike.
    for (let at = 0; at < bytes.length; at += 37) response.write(bytes.subarray(at, at + 37))
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serve: (served) => {
      next = served
    },
    get asked() {
      return asked
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
