import type { Watch } from '../core/clock.ts'
import type { GatewayError } from '../core/errors.ts'
import type { NanoUsd } from '../cost/nano-usd.ts'
import { type Bounds, ownPrices } from '../cost/prices.ts'
import type { NoBound } from '../cost/request-size.ts'
import type { SpendAsk, SpendVerdict } from '../cost/spend.ts'
import { tokenAsk } from '../cost/token-estimate.ts'
import { type Bounded, worstCase } from '../cost/worst-case.ts'
import { type PredictionRow, toAbandonedRow } from '../feedback/prediction.ts'
import type { Target } from '../models/provider.ts'
import type { Usage } from '../providers/completion.ts'
import { type IsolateRates, isLimited, maxTokensOf } from '../tenants/isolate-rates.ts'
import { least } from '../tenants/limits.ts'
import type { Caller } from '../tenants/tenant.ts'
import type { ChatRequest } from './chat-request.ts'
import type { Settlement } from './settlement.ts'
import { refusal, unreachable } from './spend-errors.ts'

/** Tenants' accounts: whether a key may still spend, and what their budgets and limits leave. Only misses ask. */
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
  /** For limits, where no account is asked. */
  readonly rates: IsolateRates
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
  #isLimited: boolean
  /** Of the caller's limits. */
  #maxTokens: number | undefined
  /** Sent upstream because of them. */
  #sentMaximum: number | undefined
  /** The cheapest that was refused: what costs as much need not be asked for. */
  #refused: { readonly nanoUsd: NanoUsd; readonly why: GatewayError } | undefined

  constructor(services: SpendingServices, caller: Caller, settlement: Settlement) {
    this.#services = services
    this.#caller = caller
    this.#settlement = settlement
    this.#isLimited = isLimited(caller)
  }

  /** Whether an answer that used so much may have ended for the caller's limit alone: others' answers need not. */
  mayBeCut(usage: Usage | undefined): boolean {
    return (
      this.#sentMaximum !== undefined &&
      (usage?.outputTokens ?? Number.POSITIVE_INFINITY) >= this.#sentMaximum
    )
  }

  /**
   * Where there are no budgets, only the first call waits for the account.
   * @throws GatewayError `revoked_api_key`, `store_unavailable`, `rate_limit_exceeded`, `over_token_limit`: no other call
   *   may go out either; `budget_exceeded`, `cost_unbounded`: a cheaper one may
   */
  async allow(target: Target, request: ChatRequest, watch: Watch, nowMs: number): Promise<AllowedCall> {
    if (this.#isAnnounced && !this.#isWatched)
      return { request: this.#withMaximum(request, target), reservedNanoUsd: undefined }
    const { budget } = this.#caller.tenant
    const mayBeWatched =
      this.#isWatched || this.#isLimited || this.#refused || budget === 'hard' || budget === 'soft'
    let bound = mayBeWatched ? this.#boundOf(target, request, nowMs) : undefined
    if (this.#refused && bound && costOf(bound) >= this.#refused.nanoUsd) throw this.#refused.why
    let verdict = await this.#ask(target, request, bound, watch)
    let mayBeHard = this.#isHard || budget === 'hard'
    if (verdict?.kind === 'unasked') {
      // The gateway did not know of the budget, or the limit, yet.
      mayBeHard = true
      this.#isLimited = true
      bound = this.#boundOf(target, request, nowMs)
      verdict = await this.#ask(target, request, bound, watch)
    }
    // An account that cannot be reached lets the request pass, unless that could pass a hard budget: see
    // docs/decisions/0005.
    if (verdict === undefined && mayBeHard) throw unreachable()
    if (verdict !== undefined && verdict.kind !== 'allowed') {
      const why = refusal(verdict, bound)
      if (verdict.kind === 'limited' || verdict.kind === 'oversized') {
        this.#settlement.rates = verdict.rates
        // It may come as often as it likes: its account need not write that down.
        this.#settlement.announced = false
      } else if (bound) this.#refused = { nanoUsd: costOf(bound), why }
      throw why
    }
    if (!this.#isAnnounced) this.#count(verdict, request, nowMs)
    this.#isAnnounced = true
    this.#isWatched = verdict?.isWatched ?? this.#isWatched
    this.#isHard = verdict?.isHard ?? this.#isHard
    if (!verdict?.isWatched || !bound || 'why' in bound)
      return { request: this.#withMaximum(request, target), reservedNanoUsd: undefined }
    const sendMaxTokens = verdict.isHard ? bound.sendMaxTokens : undefined
    return {
      request: this.#withMaximum(request, target, sendMaxTokens),
      reservedNanoUsd: bound.nanoUsd,
    }
  }

  /** @returns undefined where the account cannot be reached in time */
  async #ask(
    target: Target,
    request: ChatRequest,
    bound: Bounded | NoBound | undefined,
    watch: Watch,
  ): Promise<SpendVerdict | undefined> {
    const { tenant, keyId } = this.#caller
    const settlement = this.#settlement
    const abandoned = this.#isAnnounced ? undefined : toAbandonedRow(settlement.soFar('error'))
    settlement.announced = true
    const tokens = this.#isLimited && abandoned ? tokenAsk(request) : undefined
    const nanoUsd = !bound || 'why' in bound ? undefined : bound.nanoUsd
    const ask = bound && { ...askFor(target, settlement, nanoUsd), ...(tokens && { tokens }) }
    const asked = this.#services.accounts.maySpend(tenant.id, keyId, abandoned, ask)
    return watch.within(ACCOUNT_DEADLINE_MS, asked).catch(() => undefined)
  }

  /** The first call goes out. @throws GatewayError where the isolate's own count has to stand in, and lets no more pass */
  #count(
    verdict: Extract<SpendVerdict, { kind: 'allowed' }> | undefined,
    request: ChatRequest,
    nowMs: number,
  ): void {
    const [caller, settlement, { rates }] = [this.#caller, this.#settlement, this.#services]
    if (verdict) {
      this.#maxTokens = verdict.limits?.maxTokens
      settlement.rates = verdict.limits?.rates
      if (verdict.limits) rates.note(caller, verdict.limits.rates, nowMs)
    } else if (isLimited(caller)) {
      this.#maxTokens = maxTokensOf(caller)
      settlement.isUnchecked = true
      rates.take(caller, nowMs, tokenAsk(request))
    }
  }

  /**
   * With the smaller of the maxima that limits and budgets want, where the caller names none.
   * @param ofBudget without it the bound of a hard budget would be none
   */
  #withMaximum(request: ChatRequest, { route }: Target, ofBudget?: number): ChatRequest {
    const tokens = least(this.#maxTokens, ofBudget)
    if (tokens === undefined || (request.max_tokens ?? request.max_completion_tokens)) return request
    if (tokens === this.#maxTokens) this.#sentMaximum = tokens
    // OpenAI's own newer models do not take the older name, and others' servers know no other.
    const field = route.provider.name === 'openai' ? 'max_completion_tokens' : 'max_tokens'
    return { ...request, [field]: tokens }
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
