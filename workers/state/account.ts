import { DurableObject } from 'cloudflare:workers'
import type { Budget, BudgetState } from '../../src/cost/budget.ts'
import { BudgetBook, type DaySpend } from '../../src/cost/budget-book.ts'
import { NewsCourier } from '../../src/cost/budget-news.ts'
import { BudgetThresholds } from '../../src/cost/budget-thresholds.ts'
import { type ListPrices, listPrices } from '../../src/cost/list-prices.ts'
import { addNanoUsd } from '../../src/cost/nano-usd.ts'
import { bundledTable } from '../../src/cost/price-table.ts'
import type { SpendAsk, SpendVerdict } from '../../src/cost/spend.ts'
import { type Bill, billOf, withAbandonedCalls } from '../../src/feedback/bill.ts'
import { ABANDONED_AFTER_MS, Courier } from '../../src/feedback/courier.ts'
import type { Parcel, TelemetryMessage } from '../../src/feedback/outbox.ts'
import { tokensOf } from '../../src/feedback/tokens-used.ts'
import { LimitBook } from '../../src/tenants/limit-book.ts'
import type { Allowance, LimitState, OwnedLimits, TokenAsk } from '../../src/tenants/limits.ts'
import { sqlNewsShelf } from './budget-news-shelf.ts'
import { sqlBudgetShelf } from './budget-shelf.ts'
import { tellHub } from './hub-news.ts'
import { sqlLimitShelf } from './limit-shelf.ts'
import type { MetricsHub } from './metrics-hub.ts'
import { sqlShelf } from './outbox-shelf.ts'

const ERASED = 'erased'

interface Env {
  readonly TELEMETRY: Queue<TelemetryMessage>
  readonly METRICS_HUB: DurableObjectNamespace<MetricsHub>
}

/** A value of the isolate: reading the table takes longer than thousands of requests. */
let prices: ListPrices | undefined

/**
 * One tenant's account. It knows, at once and for all, which of the tenant's keys may no longer spend and what its budgets
 * and limits leave, and holds what is to be recorded until the queue has it. Every change is durable before its answer leaves.
 */
export class Account extends DurableObject<Env> {
  readonly #revoked: Set<string>
  readonly #book: BudgetBook
  readonly #thresholds: BudgetThresholds
  readonly #news: NewsCourier
  readonly #limits: LimitBook
  #courier: Courier
  /** Ids of tenants are never used again, so this is for good. */
  #isErased: boolean
  #alarmMs = Number.POSITIVE_INFINITY

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { sql } = ctx.storage
    sql.exec('create table if not exists revoked_keys (key_id text primary key, revoked_at integer not null)')
    const rows = sql.exec<{ key_id: string }>('select key_id from revoked_keys')
    this.#revoked = new Set([...rows].map((row) => row.key_id))
    this.#isErased = ctx.storage.kv.get<boolean>(ERASED) ?? false
    const shelf = sqlNewsShelf(sql)
    const now = Date.now
    this.#news = new NewsCourier({ shelf, now, random: Math.random, send: tellHub(env) })
    const tell = this.#news.add.bind(this.#news)
    this.#thresholds = new BudgetThresholds({ shelf, owner: ctx.id.toString(), now, tell })
    this.#book = new BudgetBook(sqlBudgetShelf(sql), this.#thresholds.spent.bind(this.#thresholds))
    this.#limits = new LimitBook(sqlLimitShelf(sql))
    this.#courier = this.#newCourier()
    this.#setAlarm(this.#book.oldestMs)
  }

  /** Revoking again changes nothing. */
  revoke(keyId: string): void {
    this.ctx.storage.sql.exec(
      'insert or ignore into revoked_keys (key_id, revoked_at) values (?, ?)',
      keyId,
      Date.now(),
    )
    this.#revoked.add(keyId)
  }

  /**
   * Asked before a call to a provider goes out. What it holds back for the call is free again once the request is settled.
   * @param abandoned the row that tells of the request should nothing more be heard of it; given until a call is allowed
   * @param ask needed where there are budgets or limits
   */
  maySpend(keyId: string, abandoned?: Parcel, ask?: SpendAsk): SpendVerdict {
    if (this.#isErased) return { kind: 'revoked' }
    const isRevoked = this.#revoked.has(keyId)
    const { isWatching } = this.#book
    const atMs = Date.now()
    const isLimited = abandoned !== undefined && this.#limits.isLimiting && this.#limits.counts(keyId)
    let limits: Allowance | undefined
    if ((isWatching || isLimited) && !isRevoked) {
      const tokens = isLimited ? ask?.tokens : undefined
      if (!ask || (isLimited && !tokens)) return { kind: 'unasked' }
      const refusal =
        (tokens && this.#refusal(keyId, tokens, atMs)) ||
        (isWatching ? this.#reserve(keyId, ask, atMs) : undefined)
      if (refusal) return refusal
      // Not before nothing is in the way any more, in the same transaction.
      if (tokens) limits = this.#limits.take(ask.predictionId, keyId, tokens, atMs)
    }
    // Not before the money is held back: whoever is announced is charged for when it is given up.
    if (abandoned) this.#courier.expect(abandoned)
    this.#setAlarm(isWatching ? atMs : undefined)
    if (isRevoked) return { kind: 'revoked' }
    const isHard = isWatching && this.#book.isHard(keyId)
    return { kind: 'allowed', isWatched: isWatching, isHard, ...(limits && { limits }) }
  }

  /**
   * What became of a request. What its calls cost counts against the budgets, as the ledger will have it.
   * @param text what was said in it, where that is kept; left out when there is no room for it
   * @returns false when the outbox is full
   */
  async settle(parcel: Parcel, text?: Parcel): Promise<boolean> {
    let bill: Bill | undefined
    if (this.#book.isWatching || this.#book.holds(parcel.id)) {
      prices ??= listPrices(await bundledTable())
      bill = billOf(parcel, prices)
    }
    // Taken, and dropped: otherwise it would go another way.
    if (this.#isErased) return true
    if (bill) this.#charge(parcel.id, bill)
    if (this.#limits.holds(parcel.id)) this.#limits.settle(parcel.id, tokensOf(parcel), Date.now())
    const taken = this.#courier.settle(parcel)
    if (taken && text) this.#courier.add([text])
    this.#setAlarm()
    return taken
  }

  /** @returns false when the outbox is full, or the tenant erased; then none was taken */
  add(parcels: readonly Parcel[]): boolean {
    if (this.#isErased) return false
    const taken = this.#courier.add(parcels)
    this.#setAlarm()
    return taken
  }

  /**
   * All of the tenant's budgets, in the place of those that were.
   * @param known what the ledger has of this month
   * @param tenant its name, for whoever is told how far they are used
   */
  setBudgets(budgets: readonly Budget[], known: readonly DaySpend[], tenant = ''): void {
    if (this.#isErased) return
    this.#book.setBudgets(budgets, known)
    this.#thresholds.changed(this.budgetStates(), tenant)
    this.#setAlarm()
  }

  budgetStates(): readonly BudgetState[] {
    return this.#book.states(Date.now())
  }

  /** All of the tenant's limits, in the place of those that were. */
  setLimits(limits: readonly OwnedLimits[]): void {
    if (!this.#isErased) this.#limits.setLimits(limits)
  }

  limitStates(): readonly LimitState[] {
    this.#limits.expire(Date.now() - ABANDONED_AFTER_MS + 1)
    return this.#limits.states(Date.now())
  }

  /** Drops what waits here, and from now on whatever comes. Nothing is spent any more. Again, it changes nothing. */
  erase(): void {
    this.ctx.storage.kv.put(ERASED, true)
    this.ctx.storage.sql.exec('delete from outbox')
    sqlNewsShelf(this.ctx.storage.sql).clear()
    this.#thresholds.clear()
    this.#book.clear()
    this.#limits.clear()
    this.#isErased = true
    this.#courier = this.#newCourier()
  }

  override async alarm(): Promise<void> {
    this.#alarmMs = Number.POSITIVE_INFINITY
    this.#chargeAbandoned()
    await Promise.all([this.#courier.deliver(), this.#news.deliver()])
    this.#setAlarm(this.#book.oldestMs)
  }

  #refusal(keyId: string, tokens: TokenAsk, atMs: number): SpendVerdict | undefined {
    this.#limits.expire(atMs - ABANDONED_AFTER_MS + 1)
    return this.#limits.refusal(keyId, tokens, atMs)
  }

  #reserve(keyId: string, ask: SpendAsk, atMs: number): SpendVerdict | undefined {
    const { predictionId, attempt, nanoUsd, call } = ask
    if (nanoUsd === undefined && this.#book.isHard(keyId)) return { kind: 'unbounded' }
    const verdict = this.#book.reserve({ predictionId, attempt, keyId, nanoUsd: nanoUsd ?? 0, atMs, call })
    if (verdict.kind !== 'exceeded') return undefined
    this.#thresholds.refused(verdict.budget, nanoUsd ?? 0, atMs)
    this.#setAlarm()
    return verdict
  }

  #charge(predictionId: string, { keyId, atMs, costs }: Bill): void {
    if (this.#book.holds(predictionId)) this.#book.settle(predictionId, costs)
    // Sent before there was a budget. Of what was given up, or is told twice, nothing is waited for any more.
    else if (this.#courier.expected(predictionId) !== undefined)
      this.#book.charge(keyId, atMs, addNanoUsd(...costs))
  }

  /** Before their rows leave, so that the ledger gets the same sums. */
  #chargeAbandoned(): void {
    for (const held of this.#book.expire(Date.now() - ABANDONED_AFTER_MS + 1)) {
      const id = held[0]?.predictionId ?? ''
      const text = this.#courier.expected(id)
      if (text !== undefined) this.#courier.settle({ id, text: withAbandonedCalls(text, held) })
    }
  }

  #newCourier(): Courier {
    return new Courier({
      shelf: sqlShelf(this.ctx.storage.sql),
      now: Date.now,
      random: Math.random,
      send: async (message) => void (await this.env.TELEMETRY.send(message)),
    })
  }

  /** @param reservedMs when something was held back that may have to be charged in the end */
  #setAlarm(reservedMs = Number.POSITIVE_INFINITY): void {
    const dueMs = Math.min(this.#courier.nextMs, this.#news.nextMs, reservedMs + ABANDONED_AFTER_MS)
    if (dueMs >= this.#alarmMs) return
    this.#alarmMs = dueMs
    void this.ctx.storage.setAlarm(dueMs)
  }
}
