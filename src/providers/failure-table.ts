import type { ErrorCode } from '../core/errors.ts'

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
  | 'forbidden_address'
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
  forbidden_address: {
    code: 'upstream_unreachable',
    blames: 'provider',
    next: 'other',
    mayBeBilled: false,
    says: 'lies at an address that this gateway does not call',
    tip: 'Choose another model; whoever added this one learns at POST /api/models/custom/{id}/test what is wrong.',
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
    // The key may be well for other models: who asks for one outside it must not close it for everybody.
    blames: 'model',
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
    // Limits are counted for each model of an account.
    blames: 'model',
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
