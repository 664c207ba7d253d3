import { seriesName } from './catalogue.ts'
import { WAIT_SECONDS } from './families/buckets.ts'
import type { AttemptFacts, RequestFacts, Sink } from './request-facts.ts'
import type { RouteLabels } from './route-names.ts'
import { memoised } from './series-memo.ts'

const durations = memoised((provider: string, model: string) =>
  seriesName('upstream_duration_seconds', { provider, model }),
)
const calls = memoised((provider: string, model: string) =>
  seriesName('llm_calls_total', { provider, model, cached: 'false' }),
)
const tokens = memoised((type: 'input' | 'output', provider: string, model: string) =>
  seriesName('tokens_total', { type, provider, model }),
)
const retries = memoised((provider: string, reason: TurnedAway) =>
  seriesName('upstream_retries_total', { provider, reason }),
)
const fallbacks = memoised((from: string, to: string) => seriesName('fallbacks_total', { from, to }))
const UNCOUNTED = seriesName('warnings_total', { type: 'uncounted' })

type TurnedAway = 'rate_limited' | 'overloaded'

/** What a request's calls to providers add. */
export function countAttempts(sink: Sink, labels: RouteLabels, { attempts, outcome }: RequestFacts): void {
  let last: AttemptFacts | undefined
  for (const attempt of attempts) {
    const { provider, model } = labels.of(attempt.routeId)
    if (last?.result === 'failed') {
      if (last.routeId === attempt.routeId && isTurnedAway(last.failure))
        sink.count(retries(provider, last.failure))
      else sink.count(fallbacks(labels.of(last.routeId).model, model))
    }
    last = attempt
    const { usage } = attempt
    if (usage) {
      sink.count(tokens('input', provider, model), usage.inputTokens)
      sink.count(tokens('output', provider, model), usage.outputTokens)
    }
    if (attempt.result !== 'answered') continue
    sink.count(calls(provider, model))
    sink.observe(durations(provider, model), Math.max(attempt.ms, 0) / 1_000, WAIT_SECONDS)
    if (!usage && outcome === 'success') sink.count(UNCOUNTED)
  }
}

const isTurnedAway = (failure: string | undefined): failure is TurnedAway =>
  failure === 'rate_limited' || failure === 'overloaded'
