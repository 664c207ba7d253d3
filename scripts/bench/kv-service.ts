import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Listening, listen, readText } from '../stack/http.ts'
import type { Note } from './list-prices.ts'

interface Held {
  readonly value: string
  readonly untilMs: number
}

/**
 * What workerd's KV binding speaks to: `/{key}`, with GET (404 = no such key), PUT (`expiration_ttl` in
 * seconds) and DELETE. Values are text; there are no metadata and no lists, because the gateway uses none.
 * @param note told of each call
 */
export function startKvService(now: () => number = Date.now, note: Note = () => {}): Promise<Listening> {
  const held = new Map<string, Held>()
  return listen(0, async (request, response) => {
    try {
      note(request.method === 'GET' ? 'KV read' : 'KV write')
      await serve(held, now, request, response)
    } catch {
      // The caller has gone, or its key is no key.
      if (!response.headersSent) response.writeHead(400)
      response.end()
    }
  })
}

async function serve(
  held: Map<string, Held>,
  now: () => number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path = '/', query] = (request.url ?? '/').split('?')
  // Decoded, because the binding escapes a colon when it deletes, and leaves it alone when it reads and writes.
  const key = decodeURIComponent(path.slice(1))
  if (request.method === 'GET') {
    const item = held.get(key)
    if (item && item.untilMs > now()) return void response.writeHead(200).end(item.value)
    held.delete(key)
    return void response.writeHead(404).end()
  }
  if (request.method === 'PUT') {
    const ttl = new URLSearchParams(query).get('expiration_ttl')
    const untilMs = ttl === null ? Number.POSITIVE_INFINITY : now() + Number(ttl) * 1_000
    held.set(key, { value: await readText(request), untilMs })
    return void response.writeHead(204).end()
  }
  if (request.method === 'DELETE') {
    held.delete(key)
    return void response.writeHead(204).end()
  }
  response.writeHead(405).end()
}
