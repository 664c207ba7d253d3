import { GatewayError } from '../core/errors.ts'
import type { LimitOwner, LimitRefusal } from './limits.ts'

const WHOSE: Readonly<Record<LimitOwner, string>> = { key: 'this API key', tenant: 'your team' }
const WHAT = {
  requests: ['request', 'a minute'],
  tokens: ['token', 'a minute'],
  concurrency: ['request', 'at the same time'],
} as const

/** The caller's own limit, and never a provider's: no other model would help. */
export function limitReached(refusal: LimitRefusal): GatewayError {
  const { of, by, limit } = refusal
  const context = { limit: by, of }
  if (refusal.kind === 'limited') {
    const [what, when] = WHAT[refusal.by]
    return new GatewayError(
      'rate_limit_exceeded',
      `The limit of ${WHOSE[of]} is reached: ${count(limit)} ${what}${limit === 1 ? '' : 's'} ${when}.`,
      'Send the request again after the time given in Retry-After, or ask whoever runs this gateway for a higher limit.',
      { retryAfterMs: refusal.retryAfterMs, context },
    )
  }
  const { asked } = refusal
  if (refusal.by === 'max_tokens')
    return new GatewayError(
      'over_token_limit',
      `The request asks for up to ${count(asked)} tokens, and ${WHOSE[of]} may ask for ${count(limit)} at the most.`,
      `Send a max_tokens of ${limit} or less, or leave it out.`,
      { param: 'max_tokens', context },
    )
  return new GatewayError(
    'over_token_limit',
    `The request may use about ${count(asked)} tokens, more than the ${count(limit)} that ${WHOSE[of]} has for a whole minute.`,
    'Send a shorter conversation or a smaller max_tokens, or ask whoever runs this gateway for a higher limit.',
    { context },
  )
}

/** 12,000 */
const count = (value: number): string => value.toLocaleString('en-US')
