import { GatewayError } from '../core/errors.ts'
import type { BudgetState } from '../cost/budget.ts'
import { type NanoUsd, toUsd } from '../cost/nano-usd.ts'
import type { NoBound, Unbounded } from '../cost/request-size.ts'
import type { SpendVerdict } from '../cost/spend.ts'
import type { Bounded } from '../cost/worst-case.ts'
import { limitReached } from '../tenants/limit-errors.ts'

/** What the caller is told where the account does not let a call out. */
export function refusal(
  verdict: Exclude<SpendVerdict, { kind: 'allowed' }>,
  bound: Bounded | NoBound | undefined,
): GatewayError {
  if (verdict.kind === 'exceeded')
    return exceeded(verdict.budget, bound && !('why' in bound) ? bound.nanoUsd : 0)
  if (verdict.kind === 'unbounded' && bound && 'why' in bound) return unbounded(bound)
  if (verdict.kind === 'limited' || verdict.kind === 'oversized') return limitReached(verdict)
  if (verdict.kind === 'revoked')
    return new GatewayError(
      'revoked_api_key',
      'This API key was revoked.',
      'Ask whoever runs this gateway for a new key.',
    )
  return unreachable()
}

function exceeded(budget: BudgetState, nanoUsd: NanoUsd): GatewayError {
  const { keyId, period, spentNanoUsd, reservedNanoUsd, limitNanoUsd, resetsAtMs } = budget
  const whose = keyId === null ? 'your team' : 'this API key'
  const until = new Date(resetsAtMs).toISOString()
  return new GatewayError(
    'budget_exceeded',
    `The budget of ${whose} for this ${period} does not allow this request: of ${dollars(limitNanoUsd)}, ${dollars(spentNanoUsd)} are spent and ${dollars(reservedNanoUsd)} are held back for requests under way; this one may cost up to ${dollars(nanoUsd)}.`,
    `Wait until ${until}, when the budget begins anew, name a smaller max_tokens or a cheaper model, or ask whoever runs this gateway for a larger budget.`,
  )
}

const WHY: Readonly<Record<Unbounded, readonly [says: string, tip: string]>> = {
  image_address: [
    'an image behind an address may be of any size',
    'Send the image inline, as a data: address.',
  ],
  file: ['the pages of a file cannot be counted', 'Send its text instead.'],
  reference: [
    'it stands for content that the provider keeps, which may be of any size',
    'Send the content itself.',
  ],
  paid_tool: [
    'a tool of the provider is charged by the call, as often as the model likes',
    'Leave the tool out.',
  ],
  other_price: ['it may change the price', 'Leave the field out.'],
  unknown_field: ['it is not known what the field costs', 'Leave the field out.'],
  unpriced: [
    'the model has no price',
    'Choose another model, or ask whoever runs this gateway, or added the model, to state its price.',
  ],
}

function unbounded({ param, why }: NoBound): GatewayError {
  const [says, tip] = WHY[why]
  return new GatewayError(
    'cost_unbounded',
    `A hard budget counts this request, and what it costs has no upper bound: ${says} ("${param}").`,
    tip,
    { param },
  )
}

export const unreachable = () =>
  new GatewayError(
    'store_unavailable',
    'Your budget could not be looked at, because its account does not answer.',
    'Try again after the time given in Retry-After; nothing is wrong with your key or request.',
    { retryAfterSeconds: 5 },
  )

/** To the hundredth of a cent, or all its digits where it is less. */
function dollars(nanoUsd: NanoUsd): string {
  const usd = toUsd(nanoUsd)
  return `$${usd >= 0.01 || usd === 0 ? usd.toFixed(4) : usd.toFixed(9).replace(/0+$/, '')}`
}
