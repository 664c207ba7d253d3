import type { Clock } from '../core/clock.ts'
import { MAX_EVENTS, readEvents, type TelemetryEvent } from './telemetry-events.ts'

type EventOf<T extends TelemetryEvent['type']> = Omit<Extract<TelemetryEvent, { type: T }>, 'type'>
type Outcome = EventOf<'tool'>['outcome']
type Mode = NonNullable<EventOf<'quality'>['mode']>
type Reason = EventOf<'degradation'>['reasons'][number]
type Warning = EventOf<'warning'>['warning']

export interface TrackerOptions {
  /** Of the gateway: `https://gateway.example.com`. */
  readonly url: string
  /** A virtual key. */
  readonly key: string
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly clock: Clock
  /** Longest time that an event waits for others. */
  readonly gatherMs?: number
}

/** A call to a model that did not go through the gateway; one that did is counted there. */
export interface LlmCall {
  /** `{provider}:{name}` */
  readonly model: string
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cached?: boolean
}

export interface Tracker {
  llmCall(call: LlmCall): void
  tool(tool: string, outcome: Outcome): void
  rag(source: string, outcome: Outcome): void
  agent(agent: string, outcome: Outcome): void
  /** @returns what ends it; one that runs longer than 15 minutes is to be started again under its id meanwhile */
  workflow(id: string, mode?: Mode): () => void
  /** @param score 0 to 1 */
  quality(score: number, mode?: Mode): void
  degradation(reasons: readonly [Reason, ...Reason[]], mode?: Mode): void
  warning(warning: Warning): void
  /** Resolves once nothing waits any more: to be awaited before the program ends. Never rejects. */
  flush(): Promise<void>
  /** Events that were not taken, malformed, or sent without an answer that tells whether they were counted. */
  readonly dropped: number
}

const GATHER_MS = 1_000
const MAX_WAITING = 10_000
/** A wait that the gateway asks for, at most. */
const MAX_PAUSE_MS = 30_000

/**
 * Reports an application's own work to POST /api/telemetry, in lots. It never throws and is never waited for. What was
 * turned away is sent again; what may have been counted is not.
 */
export function createTracker({ url, key, fetch, clock, gatherMs = GATHER_MS }: TrackerOptions): Tracker {
  let waiting: TelemetryEvent[] = []
  let dropped = 0
  let isTimed = false

  const add = (event: TelemetryEvent): void => {
    if (waiting.length >= MAX_WAITING || !isValid(event)) dropped += 1
    else waiting.push(event)
    if (isTimed || waiting.length === 0) return
    later(gatherMs)
  }
  const later = (ms: number): void => {
    isTimed = true
    clock.after(ms, () => {
      isTimed = false
      void flush()
    })
  }
  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const lot = waiting.slice(0, MAX_EVENTS)
      waiting = waiting.slice(MAX_EVENTS)
      const pauseMs = await send(lot)
      if (pauseMs === undefined) continue
      waiting = [...lot, ...waiting]
      if (!isTimed) later(pauseMs)
      return
    }
  }
  /** @returns after how long to send it again; undefined when it is done with */
  const send = async (events: readonly TelemetryEvent[]): Promise<number | undefined> => {
    try {
      const response = await fetch(`${url}/api/telemetry`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ events }),
      })
      await response.body?.cancel()
      if (response.status === 429 || response.status === 503) return pauseOf(response)
      if (!response.ok) dropped += events.length
    } catch {
      dropped += events.length
    }
    return undefined
  }

  return {
    llmCall: ({ model, inputTokens, outputTokens, cached = false }) =>
      add({ type: 'llm_call', model, input_tokens: inputTokens, output_tokens: outputTokens, cached }),
    tool: (tool, outcome) => add({ type: 'tool', tool, outcome }),
    rag: (source, outcome) => add({ type: 'rag', source, outcome }),
    agent: (agent, outcome) => add({ type: 'agent', agent, outcome }),
    workflow: (id, mode) => {
      add({ type: 'workflow', id, mode, state: 'running' })
      return () => add({ type: 'workflow', id, mode, state: 'ended' })
    },
    quality: (score, mode) => add({ type: 'quality', score, mode }),
    degradation: (reasons, mode) => add({ type: 'degradation', reasons: [...reasons], mode }),
    warning: (warning) => add({ type: 'warning', warning }),
    flush,
    get dropped() {
      return dropped
    },
  }
}

function isValid(event: TelemetryEvent): boolean {
  try {
    readEvents({ events: [event] })
    return true
  } catch {
    return false
  }
}

const pauseOf = ({ headers }: Response): number => {
  const seconds = Number(headers.get('retry-after') ?? 1)
  return Math.min(MAX_PAUSE_MS, Math.max(1, seconds || 1) * 1_000)
}
