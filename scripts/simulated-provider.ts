import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Answer, answerTo, type ChatBody } from './simulated-provider/answer.ts'
import { toCompletion, toEvents } from './simulated-provider/wire.ts'
import { listen, readText } from './stack/http.ts'

export interface SimulatedProviderOptions {
  /** 0 = any that is free. */
  readonly port?: number
  readonly seed?: number
  /** Before the first byte. */
  readonly latencyMs?: number
  /** How fast a stream comes; 0 = at once. */
  readonly tokensPerSecond?: number
}

export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  /** Whether the caller hung up before the answer was complete. */
  aborted: boolean
}

export interface SimulatedProvider {
  /** Ends in /v1. */
  readonly url: string
  readonly port: number
  /** What was asked, oldest first; the latest 10,000. */
  readonly requests: RecordedRequest[]
  close(): Promise<void>
}

const MODELS = ['sim-small', 'sim-large', 'sim-tools']
const MAX_RECORDED = 10_000

/** A provider that speaks OpenAI's chat protocol and says in every answer that no model stands behind it. */
export async function startSimulatedProvider(
  options: SimulatedProviderOptions = {},
): Promise<SimulatedProvider> {
  const requests: RecordedRequest[] = []
  const server = await listen(options.port ?? 0, async (request, response) => {
    // Small writes must not wait for one another.
    request.socket.setNoDelay(true)
    const { method = 'GET', url: path = '/', headers } = request
    const record: RecordedRequest = {
      method,
      path,
      headers,
      body: await readText(request).catch(() => ''),
      aborted: false,
    }
    response.once('close', () => {
      record.aborted = !response.writableFinished
    })
    requests.push(record)
    if (requests.length > MAX_RECORDED) requests.shift()
    await route(record, response, options)
  })
  return { url: `${server.url}/v1`, port: server.port, requests, close: server.close }
}

async function route(
  request: RecordedRequest,
  response: ServerResponse,
  options: SimulatedProviderOptions,
): Promise<void> {
  const model = (id: string) => ({ id, object: 'model', created: 0, owned_by: 'simulated' })
  const [path = ''] = request.path.split('?')
  if (request.method === 'GET' && path === '/v1/models')
    return json(response, 200, { object: 'list', data: MODELS.map(model) })
  if (request.method === 'GET' && path.startsWith('/v1/models/')) {
    const id = decodeURIComponent(path.slice('/v1/models/'.length))
    return MODELS.includes(id)
      ? json(response, 200, model(id))
      : fail(response, 404, 'There is no such model.')
  }
  if (request.method !== 'POST' || path !== '/v1/chat/completions')
    return fail(response, 404, 'There is nothing here.')
  const body = parse(request.body)
  if (!body) return fail(response, 400, 'The body must be JSON with "model" and "messages".')
  const answer = answerTo(body, options.seed ?? 1, Date.now())
  await wait(answer.directives.latencyMs ?? options.latencyMs ?? 0)
  await reply(request, response, body, answer, options)
}

async function reply(
  request: RecordedRequest,
  response: ServerResponse,
  body: ChatBody,
  answer: Answer,
  options: SimulatedProviderOptions,
): Promise<void> {
  const { status, retryAfter, fault, at = 0 } = answer.directives
  if (status !== undefined && status !== 200) {
    if (retryAfter) response.setHeader('retry-after', retryAfter)
    // As careless as some real ones: it repeats the credentials that it was given.
    return fail(
      response,
      status,
      `Simulated failure ${status} for credentials ${request.headers.authorization ?? 'none'}.`,
    )
  }
  if (fault === 'html') return end(response, 'text/html', '<!doctype html><title>Welcome</title>')
  if (fault === 'empty') return end(response, 'application/json', '')
  if (fault === 'error200')
    return json(response, 200, { error: { message: 'Simulated', type: 'server_error', code: null } })
  const events = body.stream === true ? toEvents(answer, body) : [JSON.stringify(toCompletion(answer, body))]
  response.writeHead(200, { 'content-type': body.stream === true ? 'text/event-stream' : 'application/json' })
  if (fault === 'silence') return response.flushHeaders()
  if (fault === 'cut' || fault === 'stall') {
    response.write(Buffer.from(events.join('')).subarray(0, at), () => fault === 'cut' && response.destroy())
    return
  }
  const rate = answer.directives.rate ?? options.tokensPerSecond ?? 0
  for (const event of events) {
    if (response.destroyed) return
    response.write(event)
    if (rate > 0) await wait(1_000 / rate)
  }
  response.end()
}

function parse(text: string): ChatBody | undefined {
  try {
    const body = JSON.parse(text)
    return typeof body?.model === 'string' && Array.isArray(body.messages) ? body : undefined
  } catch {
    return undefined
  }
}

function end(response: ServerResponse, contentType: string, text: string, status = 200): void {
  response.writeHead(status, { 'content-type': contentType })
  response.end(text)
}

const json = (response: ServerResponse, status: number, body: unknown) =>
  end(response, 'application/json', JSON.stringify(body), status)

const fail = (response: ServerResponse, status: number, message: string) =>
  json(response, status, { error: { message, type: 'simulated_error', param: null, code: 'simulated' } })

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      seed: { type: 'string' },
      'latency-ms': { type: 'string' },
      'tokens-per-second': { type: 'string' },
    },
  })
  const provider = await startSimulatedProvider({
    port: Number(values.port ?? 8790),
    seed: Number(values.seed ?? 1),
    latencyMs: Number(values['latency-ms'] ?? 0),
    tokensPerSecond: Number(values['tokens-per-second'] ?? 0),
  })
  console.log(`Simulated provider (no real model) on ${provider.url}`)
}
