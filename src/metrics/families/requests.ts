import { WAIT_SECONDS } from './buckets.ts'
import { counter, gauge, histogram } from './family.ts'
import { BOOLEAN, ERROR_TYPES, LOOKED_UP, MODEL, MODES, OUTCOMES, PROVIDER } from './values.ts'

/** How requests fare, and how long they take. */
export const REQUESTS = {
  requests_total: counter('Requests settled, each once.', 'P1 P3 P4 B2', {
    mode: MODES,
    provider: PROVIDER,
    model: MODEL,
    outcome: OUTCOMES,
    cache: LOOKED_UP,
    stream: BOOLEAN,
  }),
  request_duration_seconds: histogram(
    'From the arrival of a request until its answer was whole.',
    'P2 P5 P6',
    WAIT_SECONDS,
    { mode: MODES, cache: LOOKED_UP },
  ),
  gateway_overhead_seconds: histogram(
    'What of a request was not spent waiting for its upstream.',
    'overhead: p95 below 50 ms',
    WAIT_SECONDS,
    { cache: LOOKED_UP },
  ),
  upstream_duration_seconds: histogram(
    'One call to a model, until its answer was whole (gen_ai.client.operation.duration).',
    'P2',
    WAIT_SECONDS,
    { provider: PROVIDER, model: MODEL },
  ),
  time_to_first_token_seconds: histogram(
    'From the arrival of a streamed request until its first token (gen_ai.server.time_to_first_token).',
    'streaming',
    WAIT_SECONDS,
    { provider: PROVIDER, cache: LOOKED_UP },
  ),
  request_errors_total: counter('Requests that ended in an error, by its code.', 'P3', {
    type: ERROR_TYPES,
    provider: PROVIDER,
  }),
  workflows_active: gauge('Workflows that run now.', 'P1', { mode: MODES }),
  requests_received_total: counter('Requests that arrived, counted before anything else.', 'coverage', {}),
  upstream_retries_total: counter('Calls sent again to the same model.', 'retry storms', {
    provider: PROVIDER,
    reason: ['rate_limited', 'overloaded'],
  }),
  fallbacks_total: counter('Requests passed on from one model to the next.', 'routing', {
    from: MODEL,
    to: MODEL,
  }),
} as const
