/** Whom a failure is blamed on: the one who called, this gateway and its stores, or the model's provider. */
export type Fault = 'caller' | 'gateway' | 'provider'

interface ErrorClass {
  readonly status: number
  /** The `type` that OpenAI's clients switch on. */
  readonly type: string
  readonly fault: Fault
}

const caller = (status: number, type = 'invalid_request_error'): ErrorClass => ({
  status,
  type,
  fault: 'caller',
})
const gateway = (status: number): ErrorClass => ({ status, type: 'api_error', fault: 'gateway' })
const provider = (status: number, type = 'api_error'): ErrorClass => ({ status, type, fault: 'provider' })

/** Every failure a caller can meet. The codes are stable: clients may branch on them. */
export const ERRORS = {
  invalid_json: caller(400),
  invalid_encoding: caller(400),
  ill_formed_string: caller(400),
  number_out_of_range: caller(400),
  too_deep: caller(400),
  too_many_keys: caller(400),
  invalid_request: caller(400),
  invalid_header: caller(400),
  address_refused: caller(400),
  body_too_large: caller(413),
  unsupported_encoding: caller(415),
  invalid_feedback: caller(422),
  request_cut_off: caller(400),
  missing_api_key: caller(401, 'authentication_error'),
  invalid_api_key: caller(401, 'authentication_error'),
  revoked_api_key: caller(401, 'authentication_error'),
  scope_missing: caller(403, 'permission_error'),
  too_many_guesses: caller(429, 'rate_limit_error'),
  too_many_ratings: caller(429, 'rate_limit_error'),
  too_many_events: caller(429, 'rate_limit_error'),
  rate_limit_exceeded: caller(429, 'rate_limit_exceeded'),
  over_token_limit: caller(400),
  plan_required: caller(402, 'insufficient_quota'),
  budget_exceeded: caller(402, 'insufficient_quota'),
  cost_unbounded: caller(422),
  model_not_found: caller(404, 'not_found_error'),
  not_found: caller(404, 'not_found_error'),
  method_not_allowed: caller(405),
  unsupported_by_model: caller(400),
  conflict: caller(409),
  not_cached: caller(504),
  capability_missing: caller(400),
  misconfigured: gateway(500),
  key_unreadable: gateway(500),
  internal: gateway(500),
  store_unavailable: gateway(503),
  context_too_long: caller(400),
  content_filtered: caller(400),
  idempotency_conflict: caller(409),
  idempotency_running: caller(409),
  loop_detected: caller(508),
  model_unavailable: provider(503),
  upstream_rejected: { status: 400, type: 'invalid_request_error', fault: 'caller' },
  upstream_rate_limited: provider(429, 'rate_limit_error'),
  upstream_quota_exhausted: provider(502),
  upstream_model_missing: provider(502),
  upstream_refused_access: provider(502),
  upstream_overloaded: provider(503),
  upstream_failed: provider(502),
  upstream_unreachable: provider(502),
  upstream_invalid: provider(502),
  upstream_cut_off: provider(502),
  upstream_timeout: provider(504),
} as const satisfies Record<string, ErrorClass>

export type ErrorCode = keyof typeof ERRORS

/** Of what the error speaks; names that the caller may know. */
export interface ErrorContext {
  readonly provider?: string
  readonly model?: string
  /** Without path: that may hold a key. */
  readonly host?: string
  readonly upstream_status?: number
  /** Which limit, and whose. */
  readonly limit?: 'requests' | 'tokens' | 'concurrency' | 'max_tokens'
  readonly of?: 'key' | 'tenant'
}

export interface ErrorDetails {
  /** The request field at fault, as a path: `messages[0].content`. */
  readonly param?: string | undefined
  readonly retryAfterSeconds?: number | undefined
  /** Where that is known to the millisecond; then it need not be said in seconds. */
  readonly retryAfterMs?: number | undefined
  readonly context?: ErrorContext | undefined
  /** False where a client's own retry could be billed twice. */
  readonly mayRetry?: boolean | undefined
  /** For logs, never for the client. */
  readonly cause?: unknown
}

/** The error object in OpenAI's shape, with what helps a person added to it. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly code: ErrorCode
    readonly param: string | null
    readonly tip: string
    readonly fault: Fault
    readonly request_id: string
    readonly context?: ErrorContext
  }
}

/** A failure that the caller can act on. `tip` is the next step: one imperative sentence, no secrets. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly code: ErrorCode
  readonly tip: string
  readonly param: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly retryAfterMs: number | undefined
  readonly context: ErrorContext | undefined
  readonly mayRetry: boolean

  constructor(code: ErrorCode, message: string, tip: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause })
    this.code = code
    this.tip = tip
    this.param = details.param
    this.retryAfterMs = details.retryAfterMs
    this.retryAfterSeconds =
      details.retryAfterSeconds ??
      (details.retryAfterMs === undefined ? undefined : Math.ceil(details.retryAfterMs / 1_000))
    this.context = details.context
    this.mayRetry = details.mayRetry ?? true
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get fault(): Fault {
    return ERRORS[this.code].fault
  }

  /** The one place where a failure becomes the text that a client reads. */
  toBody(requestId: string): ErrorBody {
    const { type, fault } = ERRORS[this.code]
    const { message, code, tip, param = null, context } = this
    return {
      error: { message, type, code, param, tip, fault, request_id: requestId, ...(context && { context }) },
    }
  }
}

/** What was thrown, as an error that may be shown: anything unknown becomes `internal`, its text kept back. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  return new GatewayError(
    'internal',
    'The gateway failed while it handled this request.',
    'Try again; if it happens again, give the request id to whoever runs this gateway.',
    { cause: thrown },
  )
}
