import { type ErrorContext, GatewayError } from '../core/errors.ts'
import type { RefusalHint } from './adapter.ts'
import { FAILURES, type FailureKind } from './failure-table.ts'

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
      retryAfterMs,
      // Clients repeat a 5xx by themselves: not where that could be paid for twice.
      mayRetry: !mayBeBilled,
      cause,
    })
    this.kind = kind
    this.upstreamStatus = status
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

/** No limit runs for longer than a day: a longer time is a mistake that would close a model for good. */
const MAX_RETRY_AFTER_MS = 86_400_000

/** `Retry-After` in either of its forms, milliseconds from now. */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const header = headers.get('retry-after')
  if (header === null) return undefined
  const waitMs = /^\d+(\.\d+)?$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(0, waitMs), MAX_RETRY_AFTER_MS)
}
