import type { Watch } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { BudgetState } from '../cost/budget.ts'
import { type NanoUsd, toUsd } from '../cost/nano-usd.ts'
import { type Bounds, ownPrices } from '../cost/prices.ts'
import type { NoBound, Unbounded } from '../cost/request-size.ts'
import type { SpendAsk, SpendVerdict } from '../cost/spend.ts'
import { type Bounded, worstCase } from '../cost/worst-case.ts'
import { type PredictionRow, toAbandonedRow } from '../feedback/prediction.ts'
import type { Target } from '../models/provider.ts'
import type { Caller } from '../tenants/tenant.ts'
import type { ChatRequest } from './chat-request.ts'
import type { Settlement } from './settlement.ts'

/** Tenants' accounts: whether a key may still spend, and what their budgets leave. Only misses ask. */
export interface Accounts {
  /**
   * Durably announces the request, and holds back what the call may cost, in the same step.
   * @param abandoned the row that tells of it should nothing more be heard of it
   * @returns rejects when it cannot be known
   */
  maySpend(
    tenantId: string,
    keyId: string,
    abandoned: PredictionRow | undefined,
    ask: SpendAsk | undefined,
  ): Promise<SpendVerdict>
}

export interface SpendingServices {
  readonly accounts: Accounts
  /** What the listed models charge at most. */
  readonly bounds: Bounds
  /** Sent upstream under a hard budget where the caller names no maximum. */
  readonly outputCapTokens: number
}

/** A call that may be made. */
export interface AllowedCall {
  /** As it is to go out. */
  readonly request: ChatRequest
  readonly reservedNanoUsd: NanoUsd | undefined
}

/** How long a miss waits for its account. */
const ACCOUNT_DEADLINE_MS = 500

/** One request's way to money: every call to a provider asks here first. Calls ask one after the other. */
export class Spending {
  readonly #services: SpendingServices
  readonly #caller: Caller
  readonly #settlement: Settlement
  #isAnnounced = false
  #isWatched = false
  #isHard = false
  /** The cheapest that was refused: what costs as much need not be asked for. */
  #refused: { readonly nanoUsd: NanoUsd; readonly why: GatewayError } | undefined

  constructor(services: SpendingServices, caller: Caller, settlement: Settlement) {
    this.#services = services
    this.#caller = caller
    this.#settlement = settlement
  }

  /**
   * Where there are no budgets, only the first call waits for the account.
   * @throws GatewayError `revoked_api_key`, `store_unavailable`: no other call may go out either; `budget_exceeded`,
   *   `cost_unbounded`: a cheaper one may
   */
  async allow(target: Target, request: ChatRequest, watch: Watch, nowMs: number): Promise<AllowedCall> {
    if (this.#isAnnounced && !this.#isWatched) return { request, reservedNanoUsd: undefined }
    const { budget } = this.#caller.tenant
    const mayBeWatched = this.#isWatched || this.#refused || budget === 'hard' || budget === 'soft'
    let bound = mayBeWatched ? this.#boundOf(target, request, nowMs) : undefined
    if (this.#refused && bound && costOf(bound) >= this.#refused.nanoUsd) throw this.#refused.why
    let verdict = await this.#ask(target, bound, watch)
    let mayBeHard = this.#isHard || budget === 'hard'
    if (verdict?.kind === 'unasked') {
      // The gateway did not know of the budget yet.
      mayBeHard = true
      bound = this.#boundOf(target, request, nowMs)
      verdict = await this.#ask(target, bound, watch)
    }
    // An account that cannot be reached lets the request pass, unless that could pass a hard budget: see
    // docs/decisions/0005.
    if (verdict === undefined && mayBeHard) throw unreachable()
    if (verdict !== undefined && verdict.kind !== 'allowed') {
      const why = refusal(verdict, bound)
      if (bound) this.#refused = { nanoUsd: costOf(bound), why }
      throw why
    }
    this.#isAnnounced = true
    if (verdict === undefined) return { request, reservedNanoUsd: undefined }
    this.#isWatched = verdict.isWatched
    this.#isHard = verdict.isHard
    if (!verdict.isWatched || !bound || 'why' in bound) return { request, reservedNanoUsd: undefined }
    return {
      request: verdict.isHard ? withMaximum(request, bound.sendMaxTokens, target) : request,
      reservedNanoUsd: bound.nanoUsd,
    }
  }

  /** @returns undefined where the account cannot be reached in time */
  async #ask(
    target: Target,
    bound: Bounded | NoBound | undefined,
    watch: Watch,
  ): Promise<SpendVerdict | undefined> {
    const { tenant, keyId } = this.#caller
    const settlement = this.#settlement
    const abandoned = this.#isAnnounced ? undefined : toAbandonedRow(settlement.soFar('error'))
    settlement.announced = true
    const ask = bound && askFor(target, settlement, 'why' in bound ? undefined : bound.nanoUsd)
    const asked = this.#services.accounts.maySpend(tenant.id, keyId, abandoned, ask)
    return watch.within(ACCOUNT_DEADLINE_MS, asked).catch(() => undefined)
  }

  #boundOf({ route }: Target, request: ChatRequest, nowMs: number): Bounded | NoBound {
    const { bounds, outputCapTokens } = this.#services
    const { provider, model, price } = route
    const own = price && ownPrices([{ ...price, providerId: provider.name, model }])
    const rate = (own ?? bounds).boundOf(provider.name, model, nowMs)
    // As it goes upstream, where the name itself may ask for something dear.
    return worstCase({ ...request, model }, rate, { outputCapTokens })
  }
}

/** Of several calls that have no bound none is cheaper. */
const costOf = (bound: Bounded | NoBound): NanoUsd =>
  'why' in bound ? Number.POSITIVE_INFINITY : bound.nanoUsd

const askFor = (
  { route, endpoint }: Target,
  { predictionId, attempted }: Settlement,
  nanoUsd: NanoUsd | undefined,
): SpendAsk => ({
  predictionId,
  attempt: attempted,
  nanoUsd,
  call: {
    route: route.id,
    provider: route.provider.name,
    model: route.model,
    endpoint: endpoint.id,
    price: route.price,
  },
})

/** Without it the bound would be none. */
function withMaximum(request: ChatRequest, tokens: number | undefined, { route }: Target): ChatRequest {
  if (tokens === undefined) return request
  // OpenAI's own newer models do not take the older name, and others' servers know no other.
  const field = route.provider.name === 'openai' ? 'max_completion_tokens' : 'max_tokens'
  return { ...request, [field]: tokens }
}

function refusal(
  verdict: Exclude<SpendVerdict, { kind: 'allowed' }>,
  bound: Bounded | NoBound | undefined,
): GatewayError {
  if (verdict.kind === 'exceeded') return exceeded(verdict.budget, bound ? costOf(bound) : 0)
  if (verdict.kind === 'unbounded' && bound && 'why' in bound) return unbounded(bound)
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

const unreachable = () =>
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
