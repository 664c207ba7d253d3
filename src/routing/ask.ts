import type { CacheEntry } from '../cache/entry.ts'
import { readBounded, TooLargeError } from '../core/bytes.ts'
import { type Clock, DeadlineError, type WaitUntil, type Watch } from '../core/clock.ts'
import type { Route } from '../models/provider.ts'
import { judgeCompletion, type Verdict } from '../providers/completion.ts'
import { cutOff, invalidAnswer, tooSlow } from '../providers/failures.ts'
import { askChat, type Fetch } from '../providers/openai.ts'
import type { ChatRequest } from './chat-request.ts'
import { relay } from './relay.ts'
import { outcomeOf, type Settlement } from './settlement.ts'

export interface ChatLimits {
  /** Longest wait for a whole plain answer, and for the first byte of a stream, milliseconds. */
  readonly answerMs: number
  /** Longest silence inside a stream, milliseconds. */
  readonly idleMs: number
  /** The largest plain answer that is taken from a provider, bytes. */
  readonly maxAnswerBytes: number
  /** The largest answer that is cached, characters. */
  readonly maxEntryLength: number
}

export interface AskServices {
  readonly clock: Clock
  readonly fetch: Fetch
  readonly limits: ChatLimits
}

/** A whole, healthy answer, as it may be kept. */
export type Answer = Pick<CacheEntry, 'kind' | 'body'>
export type Keep = (answer: Answer) => Promise<void>

/** One call to one model. */
export interface ModelCall {
  readonly route: Route
  readonly request: ChatRequest
  /** Stores an answer worth repeating; undefined where nothing may be stored. */
  readonly keep: Keep | undefined
  readonly watch: Watch
  /** Fires when the caller leaves. */
  readonly signal: () => AbortSignal
  readonly waitUntil: WaitUntil
  readonly settlement: Settlement
}

/**
 * Asks the model and hands its answer on: a plain one once it is whole and judged, a stream as it comes.
 * @throws GatewayError `upstream_*`; the caller who leaves ends the call to the model
 */
export async function askModel(
  services: AskServices,
  call: ModelCall,
): Promise<string | ReadableStream<Uint8Array>> {
  const { limits } = services
  const { settlement, watch } = call
  const provider = call.route.provider.name
  // It ends the call to the model when the caller leaves. A model that is too slow needs no signal of its
  // own: what nobody holds any more is ended by the platform with the request.
  const left = call.signal()
  // Held from before the first byte: an invocation whose caller leaves is otherwise ended in mid-sentence.
  // Held once, for all that follows: holding again was measured to cost a twenty-fifth of a miss.
  const over = Promise.withResolvers<void>()
  call.waitUntil(over.promise)
  settlement.upstreamStartedMs = services.clock.now()
  const end = (last?: Promise<void>) => {
    watch.stop()
    over.resolve(last)
  }
  try {
    const answer = await watch.within(limits.answerMs, readAnswer(services, call, left))
    if (answer instanceof ReadableStream) return stream(services, call, answer, left, end)
    const { text, verdict } = answer
    settlement.usage = verdict.usage
    settlement.settle('success')
    const { keep } = call
    end(keep && storable(verdict, text.length, limits) ? keep({ kind: 'json', body: text }) : undefined)
    return text
  } catch (cause) {
    end()
    if (left.aborted) settlement.settle('cancelled')
    throw cause instanceof DeadlineError ? tooSlow(provider, limits.answerMs) : cause
  }
}

/** @returns a plain answer, whole and judged, or the body of a stream that has begun */
async function readAnswer(
  { fetch, limits }: AskServices,
  { route, request }: ModelCall,
  left: AbortSignal,
): Promise<{ text: string; verdict: Verdict } | ReadableStream<Uint8Array>> {
  const provider = route.provider.name
  const response = await askChat(fetch, route, request, left)
  if (request.stream === true && response.body && isEventStream(response)) return response.body
  const text = await readText(response, limits.maxAnswerBytes, provider)
  const verdict = judgeCompletion(text)
  if (!verdict || request.stream === true) throw invalidAnswer(provider)
  return { text, verdict }
}

function stream(
  { limits }: AskServices,
  { route, keep, watch, settlement }: ModelCall,
  upstream: ReadableStream<Uint8Array>,
  left: AbortSignal,
  end: (last?: Promise<void>) => void,
): ReadableStream<Uint8Array> {
  const relayed = relay(upstream, {
    watch,
    requestId: settlement.requestId,
    provider: route.provider.name,
    idleMs: limits.idleMs,
    keepLength: keep ? limits.maxEntryLength : 0,
  })
  left.addEventListener('abort', relayed.leave, { once: true })
  const settle = async () => {
    const how = await relayed.ended
    left.removeEventListener('abort', relayed.leave)
    const { verdict } = how
    settlement.usage = verdict.usage
    if (how.kind === 'left') return settlement.settle('cancelled')
    if (how.kind === 'broken') return settlement.settle(outcomeOf(how.error.fault), how.error.code)
    if (!verdict.complete) return settlement.settle('error', 'upstream_cut_off')
    settlement.settle('success')
    const { text } = how
    if (keep && text !== undefined && storable(verdict, text.length, limits))
      await keep({ kind: 'sse', body: text })
  }
  end(settle())
  return relayed.stream
}

/** Only whole, healthy answers of a bearable size are worth repeating. */
const storable = (verdict: Verdict, length: number, limits: ChatLimits): boolean =>
  verdict.complete && !verdict.refused && length <= limits.maxEntryLength

const isEventStream = (response: Response): boolean =>
  (response.headers.get('content-type') ?? '').toLowerCase().startsWith('text/event-stream')

/** The whole text; bytes that are not UTF-8 become what every client would make of them. */
async function readText(response: Response, maxBytes: number, provider: string): Promise<string> {
  try {
    // A stated length in bounds spares the reading in pieces; of what is packed it says nothing.
    const stated = Number(response.headers.get('content-length') ?? Number.NaN)
    if (stated <= maxBytes && !response.headers.has('content-encoding')) return await response.text()
    return response.body ? decoder.decode(await readBounded(response.body, maxBytes)) : ''
  } catch (cause) {
    throw cause instanceof TooLargeError ? invalidAnswer(provider) : cutOff(provider)
  }
}

const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })
