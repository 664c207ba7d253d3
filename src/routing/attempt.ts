import { readBounded, TooLargeError } from '../core/bytes.ts'
import { type Clock, DeadlineError, type Watch, withDeadline } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { SealedCredential, Target } from '../models/provider.ts'
import type {
  Adapter,
  AnswerContext,
  Completion,
  StreamTranslator,
  UpstreamRequest,
} from '../providers/adapter.ts'
import { adapterFor } from '../providers/adapters.ts'
import type { FailureKind } from '../providers/failure-table.ts'
import {
  connectionFailure,
  type FailureDetails,
  retryAfterMs,
  statusFailure,
  UpstreamError,
} from '../providers/failures.ts'
import type { Fetch } from '../providers/fetch.ts'
import { SseReader } from '../providers/sse.ts'
import type { ChatRequest } from './chat-request.ts'

export interface AttemptLimits {
  /** Longest wait for a whole plain answer, milliseconds. */
  readonly answerMs: number
  /** Longest wait for the head of a streamed answer, milliseconds. A plain one has no head before its end. */
  readonly connectMs: number
  /** Longest wait from then on until a stream says anything, milliseconds. */
  readonly firstTokenMs: number
  /** Longest silence inside a stream, milliseconds. */
  readonly idleMs: number
  /** The largest plain answer that is taken from a provider, bytes. */
  readonly maxAnswerBytes: number
}

export interface AttemptServices {
  readonly clock: Clock
  readonly fetch: Fetch
  readonly limits: AttemptLimits
  /** The plain key of a tenant's own endpoint. @throws GatewayError `key_unreadable` */
  openKey(credential: SealedCredential): Promise<string>
  /** Judges a tenant's address once more, right before the call. @throws GatewayError `address_refused` */
  checkAddress(url: string): void
  /** What this gateway calls itself in `Via`, by which it knows a request of its own that comes back. */
  readonly pseudonym: string
}

/** One call to one model at one endpoint. */
export interface Attempt {
  readonly target: Target
  readonly request: ChatRequest
  readonly requestId: string
  readonly watch: Watch
  /** Ends the call to the provider. */
  readonly signal: AbortSignal
}

/** What there is to pass on, once an answer has begun. */
export type Begun =
  | { readonly kind: 'json'; readonly completion: Completion }
  | { readonly kind: 'sse'; readonly opening: Opening }

/** A stream whose answer has begun: nothing of it has been passed on yet. */
export interface Opening {
  readonly upstream: ReadableStreamDefaultReader<Uint8Array>
  readonly reader: SseReader
  readonly translator: StreamTranslator
  /** Held back until the answer began, in OpenAI's form. */
  readonly held: string
}

/** Of what says nothing yet, no more than this is held, characters. */
const MAX_HELD = 65_536
const MAX_ERROR_BYTES = 64_000
const ERROR_BODY_MS = 2_000

/**
 * Makes one call and waits until its answer has begun: a plain one is whole and judged then, a stream has said
 * something. Until here nothing was passed on, so that another model can still answer in its place.
 * @throws UpstreamError, or GatewayError `unsupported_by_model`, `key_unreadable`
 */
export async function begin(services: AttemptServices, attempt: Attempt): Promise<Begun> {
  const { target, request, watch } = attempt
  const { limits, clock } = services
  const adapter = adapterFor(target.route.provider.format)
  const upstream = adapter.request(request, target.route.model)
  const context: AnswerContext = {
    model: target.route.model,
    requestId: attempt.requestId,
    createdS: Math.floor(clock.now() / 1_000),
    includeUsage: request.stream_options?.include_usage === true,
  }
  try {
    const sent = send(services, attempt, adapter, upstream)
    if (request.stream === true) return await beginStream(services, attempt, adapter, sent, context)
    // One wait for head and body: of a plain answer the head tells nothing earlier.
    const text = await watch.within(limits.answerMs, readWhole(services, attempt, adapter, sent))
    const completion = adapter.answer(text, context)
    if (!completion) throw failure(target, adapter.refusal(text).kind ?? 'bad_answer')
    return { kind: 'json', completion }
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    throw failure(target, cause instanceof DeadlineError ? 'too_slow' : 'unreachable', { cause })
  }
}

async function beginStream(
  services: AttemptServices,
  attempt: Attempt,
  adapter: Adapter,
  sent: Promise<Response>,
  context: AnswerContext,
): Promise<Begun> {
  const { limits } = services
  const { target, watch } = attempt
  const response = await watch.within(limits.connectMs, sent)
  if (!response.ok) throw await refusal(services, target, adapter, response)
  if (!response.body || !isEventStream(response)) {
    const text = await watch.within(limits.firstTokenMs, readText(response, limits.maxAnswerBytes, target))
    throw failure(target, adapter.refusal(text).kind ?? 'bad_answer')
  }
  const opening = open(response.body.getReader(), adapter.stream(context), target)
  return { kind: 'sse', opening: await watch.within(limits.firstTokenMs, opening) }
}

async function readWhole(
  services: AttemptServices,
  { target }: Attempt,
  adapter: Adapter,
  sent: Promise<Response>,
): Promise<string> {
  const response = await sent
  if (!response.ok) throw await refusal(services, target, adapter, response)
  return readText(response, services.limits.maxAnswerBytes, target)
}

/** The error that speaks of this target. */
export function failure(target: Target, kind: FailureKind, details?: FailureDetails): UpstreamError {
  const { route, endpoint } = target
  const place = { provider: route.provider.name, model: route.id, host: endpoint.host }
  return new UpstreamError(kind, place, details)
}

async function send(
  services: AttemptServices,
  { target, signal }: Attempt,
  adapter: Adapter,
  upstream: UpstreamRequest,
): Promise<Response> {
  const { credential, baseUrl, isForeign } = target.endpoint
  if (isForeign) judgeAddress(services, target)
  const key = typeof credential === 'object' ? await services.openKey(credential) : credential
  try {
    return await services.fetch(baseUrl + upstream.path, {
      method: 'POST',
      // Made anew: no header of the caller's reaches a provider.
      headers: { ...upstream.headers, ...(key && adapter.authorize(key)), via: `1.1 ${services.pseudonym}` },
      body: upstream.body,
      // A redirect could lead anywhere, with the key in its luggage.
      redirect: 'manual',
      signal,
    })
  } catch (cause) {
    throw failure(target, connectionFailure(cause), { cause })
  }
}

/** The verdict itself names the address, which is not every caller's to know. */
function judgeAddress(services: AttemptServices, target: Target): void {
  try {
    services.checkAddress(target.endpoint.baseUrl)
  } catch (cause) {
    throw failure(target, 'forbidden_address', { cause })
  }
}

/** An answer that is not 2xx. The provider's own text may hold a key or an address: only harmless words of it are used. */
async function refusal(
  { clock }: AttemptServices,
  target: Target,
  adapter: Adapter,
  response: Response,
): Promise<UpstreamError> {
  const { status, headers } = response
  // The status says enough where the rest does not come.
  const text = await withDeadline(clock, ERROR_BODY_MS, readError(response)).catch(() => '')
  const hint = adapter.refusal(text)
  return failure(target, statusFailure(status, hint), {
    status,
    said: hint.code,
    param: hint.param,
    retryAfterMs: retryAfterMs(headers, clock.now()),
  })
}

async function readError(response: Response): Promise<string> {
  try {
    return response.body ? decoder.decode(await readBounded(response.body, MAX_ERROR_BYTES)) : ''
  } catch {
    return ''
  }
}

async function open(
  upstream: ReadableStreamDefaultReader<Uint8Array>,
  translator: StreamTranslator,
  target: Target,
): Promise<Opening> {
  const reader = new SseReader()
  let held = ''
  try {
    while (!translator.begun) {
      const { done, value } = await upstream.read()
      if (done) throw failure(target, 'bad_stream')
      takeAll(reader, translator, value, target, (text) => {
        held += text
      })
      if (held.length > MAX_HELD && !translator.begun) throw failure(target, 'bad_stream')
    }
    return { upstream, reader, translator, held }
  } catch (cause) {
    upstream.cancel().catch(() => {})
    throw cause instanceof GatewayError ? cause : failure(target, 'bad_stream', { cause })
  }
}

/**
 * Hands on what the events in these bytes come to, in OpenAI's form.
 * @throws UpstreamError `bad_stream` at the first event in doubt; those before it were handed on
 */
export function takeAll(
  reader: SseReader,
  translator: StreamTranslator,
  bytes: Uint8Array,
  target: Target,
  pass: (text: string) => void,
): void {
  for (const event of reader.push(bytes)) {
    const text = translator.take(event)
    if (text === undefined) throw failure(target, 'bad_stream')
    pass(text)
    if (translator.done) return
  }
}

const isEventStream = (response: Response): boolean =>
  (response.headers.get('content-type') ?? '').toLowerCase().startsWith('text/event-stream')

/** The whole text; bytes that are not UTF-8 become what every client would make of them. */
async function readText(response: Response, maxBytes: number, target: Target): Promise<string> {
  try {
    // A stated length in bounds spares the reading in pieces; of what is packed it says nothing.
    const stated = Number(response.headers.get('content-length') ?? Number.NaN)
    if (stated <= maxBytes && !response.headers.has('content-encoding')) return await response.text()
    return response.body ? decoder.decode(await readBounded(response.body, maxBytes)) : ''
  } catch (cause) {
    throw failure(target, cause instanceof TooLargeError ? 'bad_answer' : 'bad_stream', { cause })
  }
}

const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })
