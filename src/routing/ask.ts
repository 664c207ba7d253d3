import type { CacheEntry, Origin } from '../cache/entry.ts'
import type { WaitUntil, Watch } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { Target } from '../models/provider.ts'
import type { Verdict } from '../providers/completion.ts'
import { checkAnswer } from './answer-checks.ts'
import type { AttemptLimits, Opening } from './attempt.ts'
import { type AttemptsServices, firstAnswer } from './attempts.ts'
import type { ChatRequest } from './chat-request.ts'
import { type Relayed, relay } from './relay.ts'
import { type AttemptNote, outcomeOf, type Settlement } from './settlement.ts'
import type { Spending } from './spending.ts'

export interface ChatLimits extends AttemptLimits {
  /** The largest answer that is cached, characters. */
  readonly maxEntryLength: number
}

export interface AskServices extends AttemptsServices {
  readonly limits: ChatLimits
}

/** A whole, healthy answer, as it may be kept, and which model gave it. */
export type Answer = Pick<CacheEntry, 'kind' | 'body'> & Omit<Origin, 'predictionId'>
export type Keep = (answer: Answer) => Promise<void>

/** A request to whichever of these models answers first, best first. */
export interface ModelCall {
  readonly targets: readonly Target[]
  readonly request: ChatRequest
  /** Stores an answer worth repeating; undefined where nothing may be stored. */
  readonly keep: Keep | undefined
  /** Whether an answer from there is the answer that was asked for, and not a fallback's. */
  readonly standsFor: (target: Target) => boolean
  readonly watch: Watch
  /** Fires when the caller leaves. */
  readonly signal: () => AbortSignal
  readonly waitUntil: WaitUntil
  readonly settlement: Settlement
  readonly spending: Spending
  /** Where others may hear the answer too. */
  readonly shared?: Shared | undefined
}

/** Who hands an answer on to others, and so has a say in when it is given up. */
export interface Shared {
  /** A stream begins. */
  begins(relayed: Relayed, from: Target): void
  /** The caller cancelled it. */
  cancelled(): void
}

export interface Answered {
  readonly body: string | ReadableStream<Uint8Array>
  readonly answeredBy: Target
}

/**
 * Asks the models and hands the first answer on: a plain one once it is whole and judged, a stream as it comes.
 * @throws GatewayError; the caller who leaves ends every call to a model
 */
export async function askModels(services: AskServices, call: ModelCall): Promise<Answered> {
  const { settlement, watch, targets, request, spending } = call
  const left = call.signal()
  // Held from before the first byte: an invocation whose caller leaves is otherwise ended in mid-sentence.
  // Held once, for all that follows: holding again was measured to cost a twenty-fifth of a miss.
  const over = Promise.withResolvers<void>()
  call.waitUntil(over.promise)
  try {
    const answering = await firstAnswer(services, { targets, request, watch, left, settlement, spending })
    const { begun, note } = answering
    const answeredBy = note.target
    if (begun.kind === 'sse')
      return { answeredBy, body: stream(services, call, begun.opening, note, left, over.resolve) }
    const { body, verdict } = begun.completion
    note.end('answered', verdict.usage)
    settlement.usage = verdict.usage
    settlement.said = verdict.said
    settlement.checks = checkAnswer(request, verdict)
    settlement.settle('success')
    watch.stop()
    over.resolve(keepIfWorth(services, call, note, verdict, { kind: 'json', body }))
    return { answeredBy, body }
  } catch (cause) {
    watch.stop()
    over.resolve()
    if (left.aborted) settlement.settle('cancelled')
    throw settlement.mayBeBilled ? notToRepeat(cause) : cause
  }
}

/** The last failure may be harmless: where one before it may have been charged for, a client must not repeat either. */
function notToRepeat(cause: unknown): unknown {
  if (!(cause instanceof GatewayError) || !cause.mayRetry) return cause
  const { code, message, tip, param, retryAfterSeconds, context } = cause
  return new GatewayError(code, message, tip, { param, retryAfterSeconds, context, mayRetry: false, cause })
}

function stream(
  services: AskServices,
  call: ModelCall,
  opening: Opening,
  note: AttemptNote,
  left: AbortSignal,
  over: (last: Promise<void> | undefined) => void,
): ReadableStream<Uint8Array> {
  const { limits, health, clock } = services
  const { keep, watch, settlement, request, shared } = call
  const relayed = relay(opening, {
    watch,
    requestId: settlement.requestId,
    target: note.target,
    idleMs: limits.idleMs,
    keepLength: keep ? limits.maxEntryLength : 0,
    onCancel: shared && (() => shared.cancelled()),
  })
  shared?.begins(relayed, note.target)
  if (left.aborted) relayed.leave()
  else left.addEventListener('abort', relayed.leave, { once: true })
  const settle = async (): Promise<void> => {
    const how = await relayed.ended
    left.removeEventListener('abort', relayed.leave)
    const { verdict } = how
    settlement.usage = verdict.usage
    settlement.said = verdict.said
    if (how.kind === 'left') {
      note.end('cancelled', verdict.usage)
      return settlement.settle('cancelled')
    }
    if (how.kind === 'broken') {
      note.fail(how.error, verdict.usage)
      health.failed(
        note.target,
        how.error.code === 'upstream_timeout' ? 'too_slow' : 'bad_stream',
        clock.now(),
      )
      return settlement.settle(outcomeOf(how.error.fault), how.error.code)
    }
    note.end('answered', verdict.usage)
    health.succeeded(note.target)
    if (!verdict.complete) return settlement.settle('error', 'upstream_cut_off')
    settlement.checks = checkAnswer(request, verdict)
    settlement.settle('success')
    if (how.text !== undefined)
      await keepIfWorth(services, call, note, verdict, { kind: 'sse', body: how.text })
  }
  over(settle())
  return relayed.stream
}

/** Only a whole, healthy answer of bearable size is worth repeating, and only as the answer of the model asked for. */
function keepIfWorth(
  { limits }: AskServices,
  { keep, standsFor }: ModelCall,
  { target }: AttemptNote,
  verdict: Verdict,
  answer: Pick<CacheEntry, 'kind' | 'body'>,
): Promise<void> | undefined {
  const isHealthy = verdict.complete && !verdict.refused
  const isWorth = isHealthy && answer.body.length <= limits.maxEntryLength
  return keep && isWorth && standsFor(target)
    ? keep({ ...answer, ...giverOf(target), usage: verdict.usage })
    : undefined
}

export const giverOf = ({ route }: Target): Omit<Origin, 'predictionId' | 'usage'> => ({
  model: route.id,
  pricedAs: { provider: route.provider.name, model: route.model, price: route.price },
})
