import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Listening, listen, readText } from './http.ts'
import type { RedisStore } from './redis-server.ts'
import { RedisError, type Reply } from './resp.ts'

export interface UpstashOptions {
  /** 0 = any that is free. */
  readonly port: number
  readonly token: string
  readonly store: RedisStore
}

/** Upstash's REST protocol over a store: a command, a pipeline, or a transaction a request. */
export function startUpstash({ port, token, store }: UpstashOptions): Promise<Listening> {
  return listen(port, async (request, response) => {
    if (!authorised(request, token)) return send(response, 401, { error: 'Unauthorized' })
    const base64 = request.headers['upstash-encoding'] === 'base64'
    try {
      const body: unknown = JSON.parse(await readText(request))
      const answer = await answerTo(request.url ?? '/', body, store, base64)
      send(response, answer ? 200 : 400, answer ?? { error: 'ERR the body is not a command of this address' })
    } catch (error) {
      if (error instanceof SyntaxError) return send(response, 400, { error: 'ERR the body is not JSON' })
      send(response, 500, { error: 'ERR the store does not answer' })
    }
  })
}

type Result = { result: unknown } | { error: string }

async function answerTo(
  path: string,
  body: unknown,
  store: RedisStore,
  base64: boolean,
): Promise<Result | Result[] | undefined> {
  const one = async (command: readonly string[]) => toResult(await store.send(command), base64)
  if (path === '/' || path === '') return isCommand(body) ? one(words(body)) : undefined
  if (!Array.isArray(body) || !body.every(isCommand)) return undefined
  const commands = body.map(words)
  if (path === '/pipeline') return Promise.all(commands.map(one))
  if (path !== '/multi-exec') return undefined
  // Sent without a pause between them: nothing of another request comes in between on the one connection.
  const sent = [['MULTI'], ...commands, ['EXEC']].map((command) => store.send(command))
  const replies = (await Promise.all(sent)).at(-1) ?? null
  return Array.isArray(replies) ? replies.map((reply) => toResult(reply, base64)) : toResult(replies, base64)
}

const isCommand = (value: unknown): value is unknown[] =>
  Array.isArray(value) && value.length > 0 && typeof value[0] === 'string'

const words = (command: unknown[]): string[] =>
  command.map((word) => (typeof word === 'string' ? word : JSON.stringify(word)))

function toResult(reply: Reply, base64: boolean): Result {
  if (reply instanceof RedisError) return { error: reply.message }
  return { result: base64 ? encode(reply) : reply }
}

/** Every string but "OK", however deep; numbers and null stay as they are. */
function encode(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(encode)
  return typeof reply === 'string' && reply !== 'OK' ? Buffer.from(reply).toString('base64') : reply
}

function authorised(request: IncomingMessage, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '')
  const wanted = Buffer.from(`Bearer ${token}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
