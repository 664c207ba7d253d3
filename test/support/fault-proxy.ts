import { request as forward } from 'node:http'
import type { Socket } from 'node:net'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { type Listening, listen, readText } from '../../scripts/stack/http.ts'

/** What happens to a request on its way. */
export type Fault =
  | { readonly kind: 'none' }
  | { readonly kind: 'answer'; readonly status: number; readonly body: string; readonly share?: number }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'reset' }
  /** Taken, and never answered: until the next fault is set, then the connection ends. */
  | { readonly kind: 'hang' }
  /** Of a write: it is done, and nobody is told. */
  | { readonly kind: 'lost-reply' }
  /** The store's own answer, as a whole, made into another. */
  | { readonly kind: 'rewrite'; readonly rewrite: (body: string, path: string) => string }

export interface FaultProxy extends Listening {
  set(fault: Fault): void
  /** Requests seen since the last `set`. */
  readonly seen: number
  /** Whether one of them went there. */
  hasSeen(method: string, path: string): boolean
}

/** Stands before an HTTP store and makes it fail in the way that is set. */
export async function startFaultProxy(target: string, seed = 1): Promise<FaultProxy> {
  let fault: Fault = { kind: 'none' }
  let seen = 0
  let lines: string[] = []
  let hanging: Socket[] = []
  const random = seededRandom(seed)
  const { hostname, port } = new URL(target)
  const server = await listen(0, (incoming, outgoing) => {
    seen += 1
    lines.push(`${incoming.method} ${incoming.url}`)
    if (fault.kind === 'reset') return void incoming.socket.destroy()
    if (fault.kind === 'hang') return void hanging.push(incoming.socket)
    if (fault.kind === 'answer' && random() < (fault.share ?? 1)) {
      outgoing.writeHead(fault.status, {
        'content-type': fault.body.startsWith('<') ? 'text/html' : 'application/json',
      })
      return void outgoing.end(fault.body)
    }
    const pass = () => {
      const onward = forward(
        { hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers },
        async (answer) => {
          if (fault.kind === 'lost-reply' && incoming.method === 'POST') {
            return void answer.resume().on('end', () => incoming.socket.destroy())
          }
          if (fault.kind === 'rewrite') {
            const { 'content-length': _, 'transfer-encoding': __, ...headers } = answer.headers
            outgoing.writeHead(answer.statusCode ?? 502, headers)
            return void outgoing.end(fault.rewrite(await readText(answer), incoming.url ?? ''))
          }
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(outgoing)
        },
      )
      onward.on('error', () => outgoing.destroy())
      incoming.pipe(onward)
    }
    if (fault.kind === 'delay') setTimeout(pass, fault.ms)
    else pass()
  })
  return {
    port: server.port,
    url: server.url,
    close: server.close,
    set: (next) => {
      fault = next
      for (const socket of hanging) socket.destroy()
      hanging = []
      seen = 0
      lines = []
    },
    get seen() {
      return seen
    },
    hasSeen: (method, path) => lines.some((line) => line.startsWith(`${method} `) && line.includes(path)),
  }
}
