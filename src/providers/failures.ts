import { type ErrorCode, type ErrorContext, GatewayError } from '../core/errors.ts'
import type { RefusalHint } from './adapter.ts'

/** Everything that can go wrong between us and a provider. */
export type FailureKind =
  | 'bad_credentials'
  | 'forbidden'
  | 'model_missing'
  | 'rejected'
  | 'too_large'
  | 'context_too_long'
  | 'content_filtered'
  | 'rate_limited'
  | 'overloaded'
  | 'quota_exhausted'
  | 'failed'
  | 'connection_refused'
  | 'dns_failed'
  | 'tls_failed'
  | 'unreachable'
  | 'too_slow'
  | 'bad_answer'
  | 'bad_stream'
  | 'redirected'
  | 'unsupported'

interface FailureClass {
  readonly code: ErrorCode
  /** Whose breaker it counts for: a bad key says nothing of the provider's health, a bad request of nobody's. */
  readonly blames: 'provider' | 'key' | 'model' | 'nobody'
  /**
   * `same`: it was turned away unprocessed, so the same model may be asked again; `other`: only another may;
   * `none`: any other would say the same.
   */
  readonly next: 'same' | 'other' | 'none'
  /** Whether the provider may have worked, and charged, for it. */
  readonly mayBeBilled: boolean
  /** Follows the provider's name. */
  readonly says: string
  readonly tip: string
}

const ASK_OPERATOR = 'Ask whoever runs this gateway to check the key of this provider; yours is fine.'
const TRY_ANOTHER = 'Try again shortly or choose another model.'
const CHECK_ENDPOINT =
  'Choose another model; whoever runs this gateway, or added this model, should check its address.'

/** The one table of what a failure means. Rows in the order of what comes first in a call. */
export const FAILURES: Readonly<Record<FailureKind, FailureClass>> = {
  unsupported: {
    code: 'unsupported_by_model',
    blames: 'nobody',
    next: 'other',
    mayBeBilled: false,
    says: 'cannot be sent this request',
    tip: 'Leave the field named in "param" out, or choose another model.',
  },
  connection_refused: {
    code: 'upstream_unreachable',
    blames: 'provider',
    next: 'other',
    mayBeBilled: false,
    says: 'refused the connection',
    tip: CHECK_ENDPOINT,
  },
  dns_failed: {
    code: 'upstream_unreachable',
    blames: 'provider',
    next: 'other',
    mayBeBilled: false,
    says: 'has an address that does not resolve',
    tip: CHECK_ENDPOINT,
  },
  tls_failed: {
    code: 'upstream_unreachable',
    blames: 'provider',
    next: 'other',
    mayBeBilled: false,
    says: 'has a certificate that is not accepted',
    tip: CHECK_ENDPOINT,
  },
  unreachable: {
    code: 'upstream_unreachable',
    blames: 'provider',
    next: 'other',
    mayBeBilled: true,
    says: 'broke the connection before it answered',
    tip: 'Try again shortly or choose another model; if it lasts, its address or network needs a look by whoever runs this gateway.',
  },
  redirected: {
    code: 'upstream_invalid',
    blames: 'provider',
    next: 'other',
    mayBeBilled: false,
    says: 'answered with a redirect, which is never followed',
    tip: CHECK_ENDPOINT,
  },
  bad_credentials: {
    code: 'upstream_refused_access',
    blames: 'key',
    next: 'other',
    mayBeBilled: false,
    says: "refused this gateway's own credentials",
    tip: ASK_OPERATOR,
  },
  forbidden: {
    code: 'upstream_refused_access',
    blames: 'key',
    next: 'other',
    mayBeBilled: false,
    says: "does not let this gateway's key use the model",
    tip: ASK_OPERATOR,
  },
  quota_exhausted: {
    code: 'upstream_quota_exhausted',
    blames: 'key',
    next: 'other',
    mayBeBilled: false,
    says: 'has no credit left on the key of this gateway',
    tip: 'Choose another model; whoever runs this gateway should look at the account with this provider.',
  },
  model_missing: {
    code: 'upstream_model_missing',
    blames: 'model',
    next: 'other',
    mayBeBilled: false,
    says: 'does not know this model (any more)',
    tip: 'Choose a model from GET /v1/models; whoever runs this gateway should check its name at the provider.',
  },
  rejected: {
    code: 'upstream_rejected',
    blames: 'nobody',
    next: 'none',
    mayBeBilled: false,
    says: 'did not accept this request',
    tip: 'Check the request against what this model supports; the field named in "param", where there is one, is a good start.',
  },
  too_large: {
    code: 'upstream_rejected',
    blames: 'nobody',
    next: 'other',
    mayBeBilled: false,
    says: 'found this request too large',
    tip: 'Send less: shorten the conversation, or give images as addresses.',
  },
  context_too_long: {
    code: 'context_too_long',
    blames: 'nobody',
    next: 'other',
    mayBeBilled: false,
    says: 'found this conversation longer than the model can take',
    tip: 'Shorten the messages, lower max_tokens, or choose a model with a longer context.',
  },
  content_filtered: {
    code: 'content_filtered',
    blames: 'nobody',
    next: 'none',
    mayBeBilled: true,
    says: 'refused this request because of its content',
    tip: "Change the messages; the provider's usage policy decides here, not this gateway.",
  },
  rate_limited: {
    code: 'upstream_rate_limited',
    blames: 'key',
    next: 'same',
    mayBeBilled: false,
    says: 'limits how fast it may be asked',
    tip: 'Wait for the time given in Retry-After, or choose another model.',
  },
  overloaded: {
    code: 'upstream_overloaded',
    blames: 'provider',
    next: 'same',
    mayBeBilled: false,
    says: 'is overloaded',
    tip: TRY_ANOTHER,
  },
  failed: {
    code: 'upstream_failed',
    blames: 'provider',
    next: 'other',
    mayBeBilled: true,
    says: 'failed',
    tip: TRY_ANOTHER,
  },
  too_slow: {
    code: 'upstream_timeout',
    blames: 'provider',
    next: 'other',
    mayBeBilled: true,
    says: 'sent nothing for too long',
    tip: 'Try again, ask for fewer tokens, or choose a faster model.',
  },
  bad_answer: {
    code: 'upstream_invalid',
    blames: 'model',
    next: 'other',
    mayBeBilled: true,
    says: 'sent an answer that is not a chat completion',
    tip: 'Try again or choose another model; if it lasts, whoever runs this gateway should check the base URL.',
  },
  bad_stream: {
    code: 'upstream_cut_off',
    blames: 'model',
    next: 'other',
    mayBeBilled: true,
    says: 'broke off its answer; what came so far is not complete',
    tip: 'Send the request again; do not use the partial answer as if it were whole.',
  },
}

/** Of which provider, model and host an error speaks. */
export interface FailurePlace {
  readonly provider: string
  readonly model: string
  /** Of the address that was asked, without path. */
  readonly host: string | undefined
}

export interface FailureDetails {
  readonly status?: number | undefined
  readonly param?: string | undefined
  /** The provider's own code, a harmless word. */
  readonly said?: string | undefined
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/** A failure between us and a provider, as its caller will read it. */
export class UpstreamError extends GatewayError {
  readonly kind: FailureKind
  readonly upstreamStatus: number | undefined
  readonly retryAfterMs: number | undefined

  constructor(kind: FailureKind, place: FailurePlace, details: FailureDetails = {}) {
    const { code, says, tip, mayBeBilled } = FAILURES[kind]
    const { status, said, param, retryAfterMs, cause } = details
    const told = [status === undefined ? '' : `status ${status}`, said ?? ''].filter(Boolean).join(', ')
    const context: ErrorContext = {
      provider: place.provider,
      model: place.model,
      ...(place.host !== undefined && { host: place.host }),
      ...(status !== undefined && { upstream_status: status }),
    }
    super(code, `The provider "${place.provider}" ${says}${told && ` (${told})`}.`, tip, {
      param,
      context,
      retryAfterSeconds: retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1_000),
      // Clients repeat a 5xx by themselves: not where that could be paid for twice.
      mayRetry: !mayBeBilled,
      cause,
    })
    this.kind = kind
    this.upstreamStatus = status
    this.retryAfterMs = retryAfterMs
  }
}

/** Why no answer came at all, from what the platform says. Its words are matched, never repeated. */
export function connectionFailure(cause: unknown): FailureKind {
  const text = cause instanceof Error ? `${cause.name} ${cause.message} ${codeOf(cause.cause)}` : ''
  if (/refused/i.test(text)) return 'connection_refused'
  if (/dns|ENOTFOUND|EAI_AGAIN|resolve|lookup/i.test(text)) return 'dns_failed'
  if (/tls|ssl|certificate|CERT_/i.test(text)) return 'tls_failed'
  return 'unreachable'
}

const codeOf = (cause: unknown): string =>
  typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''

/** What an answer that is not 2xx means. 52x and 530 are Cloudflare's words for what lies behind it. */
export function statusFailure(status: number, hint: RefusalHint): FailureKind {
  if (status >= 300 && status < 400) return 'redirected'
  if (status < 500 && hint.kind) return hint.kind
  switch (status) {
    case 401:
      return 'bad_credentials'
    case 402:
      return 'quota_exhausted'
    case 403:
      return 'forbidden'
    case 404:
      return 'model_missing'
    case 408:
    case 504:
    case 522:
    case 524:
      return 'too_slow'
    case 413:
      return 'too_large'
    case 429:
      return 'rate_limited'
    // 529 is what Anthropic says when it is overloaded.
    case 503:
    case 529:
      return 'overloaded'
    case 521:
      return 'connection_refused'
    case 525:
    case 526:
      return 'tls_failed'
    case 530:
      return 'dns_failed'
    default:
      return status >= 400 && status < 500 ? 'rejected' : 'failed'
  }
}

/** `Retry-After` in either of its forms, milliseconds from now. */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const header = headers.get('retry-after')
  if (header === null) return undefined
  if (/^\d{1,6}(\.\d{1,3})?$/.test(header)) return Number(header) * 1_000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}
