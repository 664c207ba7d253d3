import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Budget } from '../../src/cost/budget.ts'
import type { CalledModel } from '../../src/cost/budget-book.ts'
import { listPrices } from '../../src/cost/list-prices.ts'
import { bundledTable } from '../../src/cost/price-table.ts'
import { ABANDONED_AFTER_MS } from '../../src/feedback/courier.ts'
import { type OutboxRecord, type TelemetryMessage, toParcel } from '../../src/feedback/outbox.ts'
import { toAbandonedRow } from '../../src/feedback/prediction.ts'
import { tablesOf } from '../../src/feedback/table-rows.ts'
import { Account } from '../../workers/state/account.ts'
import { facts, idOf, paidRecord, rowOf } from '../support/telemetry.ts'
import { durableState } from './durable-state.ts'

vi.mock('cloudflare:workers', () => ({
  DurableObject: class {
    readonly ctx: unknown
    readonly env: unknown
    constructor(ctx: unknown, env: unknown) {
      this.ctx = ctx
      this.env = env
    }
  },
}))

const NOON = Date.parse('2026-11-21T12:00:00Z')
const MODEL: CalledModel = {
  route: 'openai:gpt-4o-mini',
  provider: 'openai',
  model: 'gpt-4o-mini',
  endpoint: 'openai',
}
const hard = (limitNanoUsd: number, more: Partial<Budget> = {}): Budget => ({
  keyId: null,
  period: 'day',
  limitNanoUsd,
  isHard: true,
  ...more,
})

beforeEach(() => vi.useFakeTimers({ now: NOON, toFake: ['Date'] }))
afterEach(() => vi.useRealTimers())

function bench() {
  const state = durableState('tenant')
  const received = new Map<string, OutboxRecord>()
  const TELEMETRY = {
    send: async ({ records }: TelemetryMessage) => {
      for (const record of records)
        if (record.kind === 'prediction' && !received.has(record.row.id)) received.set(record.row.id, record)
    },
  }
  const open = () => new Account(state.ctx, { TELEMETRY } as never)
  let account = open()
  const ask = (number: number, nanoUsd: number | undefined, attempt = 0) => ({
    predictionId: idOf(number),
    attempt,
    nanoUsd,
    call: MODEL,
  })
  return {
    state,
    received,
    account: () => account,
    wakeAnew: () => {
      account = open()
    },
    ask,
    reserve: (number: number, nanoUsd: number | undefined, attempt = 0, keyId = 'key') => {
      const row = toAbandonedRow(facts(number, { keyId, receivedAtMs: Date.now() }))
      const abandoned = row && attempt === 0 ? toParcel({ kind: 'prediction', row }) : undefined
      return account.maySpend(keyId, abandoned, ask(number, nanoUsd, attempt))
    },
    settle: (number: number, calls: Parameters<typeof paidRecord>[1]) =>
      account.settle(toParcel(paidRecord(rowOf(number, { keyId: 'key', receivedAtMs: Date.now() }), calls))),
    /** Rings at the times that the account has set, until then. */
    pass: async (ms: number) => {
      const endMs = Date.now() + ms
      for (let atMs = state.alarmMs(); atMs !== null && atMs <= endMs; atMs = state.alarmMs()) {
        vi.setSystemTime(Math.max(atMs, Date.now()))
        state.clearAlarm()
        await account.alarm()
      }
      vi.setSystemTime(endMs)
    },
    spent: () =>
      account.budgetStates().map(({ spentNanoUsd, reservedNanoUsd }) => [spentNanoUsd, reservedNanoUsd]),
    ledger: async () => {
      const tables = tablesOf([...received.values()], listPrices(await bundledTable()))
      const of = (name: string) =>
        (tables.find(({ table }) => table === name)?.rows ?? []) as Readonly<Record<string, unknown>>[]
      return { requests: of('ledger'), attempts: of('ledger_attempts') }
    },
  }
}

describe('an account', () => {
  it('without budgets wants no bound and reserves nothing', async () => {
    const { account, reserve, settle, state } = bench()
    expect(account().maySpend('key')).toEqual({ kind: 'allowed', isWatched: false, isHard: false })
    expect(reserve(1, 5)).toMatchObject({ kind: 'allowed', isWatched: false })
    await settle(1, [MODEL])
    expect([state.rows('reservations'), state.rows('spends'), state.rows('outbox')]).toEqual([0, 0, 1])
  })

  it('with budgets asks for a bound, and announces only what it allows', () => {
    const { account, reserve, state } = bench()
    account().setBudgets([hard(100)], [])
    expect(account().maySpend('key', toParcel({ kind: 'prediction', row: rowOf(1) }))).toEqual({
      kind: 'unasked',
    })
    expect(reserve(1, undefined)).toEqual({ kind: 'unbounded' })
    expect(reserve(1, 101)).toMatchObject({ kind: 'exceeded', budget: { spentNanoUsd: 0, keyId: null } })
    expect(state.rows('outbox')).toBe(0)
    expect(reserve(1, 100)).toEqual({ kind: 'allowed', isWatched: true, isHard: true })
    expect(state.rows('outbox')).toBe(1)
    account().revoke('key')
    expect(reserve(2, 0)).toEqual({ kind: 'revoked' })
  })

  it('takes a call without a bound where no hard budget counts the key', () => {
    const { account, reserve } = bench()
    account().setBudgets([hard(100, { keyId: 'other' }), hard(1, { isHard: false })], [])
    expect(reserve(1, undefined)).toEqual({ kind: 'allowed', isWatched: true, isHard: false })
    expect(reserve(2, undefined, 0, 'other')).toEqual({ kind: 'unbounded' })
  })

  it('charges what the ledger will have, call by call, and nothing twice', async () => {
    const { account, reserve, settle, spent, pass, ledger } = bench()
    account().setBudgets([hard(1e9)], [])
    for (const attempt of [0, 1, 2]) reserve(1, 1_000_000, attempt)
    const calls = [
      { ...MODEL, result: 'failed', mayBeBilled: false, reservedNanoUsd: 1_000_000 },
      { ...MODEL, result: 'cancelled', reservedNanoUsd: 1_000_000 },
      { ...MODEL, usage: { inputTokens: 1_000, outputTokens: 100 }, reservedNanoUsd: 1_000_000 },
    ] as const
    await settle(1, calls)
    await settle(1, calls)
    expect(spent()).toEqual([[1_210_000, 0]])
    await pass(10_000)
    expect((await ledger()).requests).toMatchObject([{ cost_usd: 0.00121, settled_as: 'settled' }])
  })

  it('charges what is never heard of again at its worst, and the ledger gets the same', async () => {
    const { account, reserve, spent, pass, ledger, received, settle, wakeAnew, state } = bench()
    account().setBudgets([hard(1e9)], [])
    reserve(1, 2_000_000)
    vi.setSystemTime(NOON + 400_000)
    reserve(1, 3_000_000, 1)
    reserve(2, 7_000_000)
    // It is evicted meanwhile.
    wakeAnew()
    await pass(ABANDONED_AFTER_MS - 400_000 - 1)
    expect([spent(), received.size]).toEqual([[[0, 12_000_000]], 0])
    await pass(1)
    expect([spent(), received.size]).toEqual([[[5_000_000, 7_000_000]], 1])
    await pass(ABANDONED_AFTER_MS)
    expect(spent()).toEqual([[12_000_000, 0]])
    const { requests, attempts } = await ledger()
    expect(requests).toMatchObject([
      { prediction_id: idOf(1), cost_usd: 0.005, settled_as: 'abandoned' },
      { prediction_id: idOf(2), cost_usd: 0.007, settled_as: 'abandoned' },
    ])
    expect(attempts).toMatchObject([
      { attempt: 1, result: 'abandoned', cost_usd: 0.002, tokens_estimated: true },
      { attempt: 2, result: 'abandoned', cost_usd: 0.003 },
      { attempt: 1, cost_usd: 0.007 },
    ])
    // Its settlement comes after all.
    await settle(1, [{ ...MODEL, usage: { inputTokens: 1, outputTokens: 1 } }])
    expect(spent()).toEqual([[12_000_000, 0]])
    expect(state.rows('reservations')).toBe(0)
  })

  it('that gets a budget counts what the ledger knows, and what is under way', async () => {
    const { account, reserve, settle, spent } = bench()
    account().maySpend('key')
    reserve(1, undefined)
    account().setBudgets([hard(1e9, { period: 'month' })], [{ key: '', day: '2026-11-02', nanoUsd: 40 }])
    expect(spent()).toEqual([[40, 0]])
    await settle(1, [{ ...MODEL, usage: { inputTokens: 1_000, outputTokens: 100 } }])
    await settle(1, [{ ...MODEL, usage: { inputTokens: 1_000, outputTokens: 100 } }])
    expect(spent()).toEqual([[210_040, 0]])
  })

  it('that is erased keeps no money', async () => {
    const { account, reserve, settle, spent, state, wakeAnew } = bench()
    account().setBudgets([hard(1e9)], [{ key: '', day: '2026-11-02', nanoUsd: 40 }])
    reserve(1, 5)
    account().erase()
    account().setBudgets([hard(1e9)], [])
    expect(await settle(1, [MODEL])).toBe(true)
    expect(reserve(2, 5)).toEqual({ kind: 'revoked' })
    for (const table of ['budgets', 'spends', 'reservations', 'outbox']) expect(state.rows(table)).toBe(0)
    wakeAnew()
    expect(spent()).toEqual([])
  })
})
