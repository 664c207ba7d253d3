import { GatewayError } from '../core/errors.ts'
import { Lru } from '../core/lru.ts'
import { TokenBucket } from '../core/token-bucket.ts'
import { NONE, OTHER, seriesName } from './catalogue.ts'
import { RATIO } from './families/buckets.ts'
import type { Sink } from './request-facts.ts'
import type { TelemetryEvent } from './telemetry-events.ts'
import { RunningWorkflows } from './telemetry-workflows.ts'

/** Names that have a label of their own; any other is `other`. */
export interface ReportedNames {
  readonly tools: ReadonlySet<string>
  readonly agents: ReadonlySet<string>
  readonly sources: ReadonlySet<string>
  /** As `model` has them, `{provider}:{name}`. */
  hasModel(routeId: string): boolean
}

/** Stands where the provider would: what was reported is told apart from what this gateway asked itself. */
const REPORTED = 'reported'
const BURST = 5_000
const PER_SECOND = 200
const MAX_KEYS = 10_000

/** Counts what applications report. Costs are no part of it: those of the gateway are counted by the gateway. */
export class ReportedMetrics {
  readonly #sink: Sink
  readonly #names: ReportedNames
  readonly #workflows: RunningWorkflows
  readonly #buckets = new Lru<TokenBucket>({ maxEntries: MAX_KEYS, maxBytes: MAX_KEYS, ownerShare: 0.25 })

  constructor(sink: Sink, names: ReportedNames) {
    this.#sink = sink
    this.#names = names
    this.#workflows = new RunningWorkflows(sink)
  }

  /** @throws GatewayError `too_many_events`; then none is counted */
  add(tenantId: string, keyId: string, events: readonly TelemetryEvent[], nowMs: number): void {
    const bucket = this.#bucket(tenantId, keyId, nowMs)
    if (!bucket.take(nowMs, events.length))
      throw new GatewayError(
        'too_many_events',
        'More events were sent with this key than are counted.',
        'Wait as long as Retry-After says, and report less often.',
        { retryAfterSeconds: bucket.secondsUntilNext(nowMs, events.length) },
      )
    for (const event of events) this.#count(tenantId, event, nowMs)
    this.#workflows.expire(nowMs)
  }

  /** Workflows of which nothing was heard for too long have ended. */
  expire(nowMs: number): void {
    this.#workflows.expire(nowMs)
  }

  #bucket(tenantId: string, keyId: string, nowMs: number): TokenBucket {
    const known = this.#buckets.get(keyId)
    if (known) return known
    const bucket = new TokenBucket(BURST, PER_SECOND, nowMs)
    this.#buckets.set(keyId, bucket, 1, tenantId)
    return bucket
  }

  #count(tenantId: string, event: TelemetryEvent, nowMs: number): void {
    const sink = this.#sink
    switch (event.type) {
      case 'llm_call':
        this.#countCall(event)
        break
      case 'workflow':
        this.#workflows.tell(tenantId, event.id, event.state, event.mode ?? NONE, nowMs)
        break
      case 'quality': {
        const series = seriesName('quality_score_ratio', { mode: event.mode ?? NONE })
        sink.observe(series, event.score, RATIO)
        sink.sketch(series, event.score)
        break
      }
      case 'degradation':
        sink.count(seriesName('degraded_responses_total', { mode: event.mode ?? NONE }))
        for (const reason of new Set(event.reasons)) sink.count(seriesName('degradations_total', { reason }))
        break
      default:
        sink.count(this.#seriesOf(event))
    }
  }

  #seriesOf(event: Extract<TelemetryEvent, { type: 'tool' | 'rag' | 'agent' | 'warning' }>): string {
    const { tools, agents, sources } = this.#names
    switch (event.type) {
      case 'tool':
        return seriesName('tool_executions_total', {
          tool: known(tools, event.tool),
          outcome: event.outcome,
        })
      case 'rag':
        return seriesName('rag_retrievals_total', {
          source: known(sources, event.source),
          outcome: event.outcome,
        })
      case 'agent':
        return seriesName('agent_executions_total', {
          agent: known(agents, event.agent),
          outcome: event.outcome,
        })
      case 'warning':
        return seriesName('warnings_total', { type: event.warning })
    }
  }

  #countCall(call: Extract<TelemetryEvent, { type: 'llm_call' }>): void {
    const labels = {
      provider: REPORTED,
      model: this.#names.hasModel(call.model) ? call.model.slice(call.model.indexOf(':') + 1) : OTHER,
    }
    const cached = call.cached === true ? 'true' : 'false'
    this.#sink.count(seriesName('llm_calls_total', { ...labels, cached }))
    this.#sink.count(seriesName('tokens_total', { type: 'input', ...labels }), call.input_tokens)
    this.#sink.count(seriesName('tokens_total', { type: 'output', ...labels }), call.output_tokens)
  }
}

const known = (names: ReadonlySet<string>, name: string): string => (names.has(name) ? name : OTHER)
