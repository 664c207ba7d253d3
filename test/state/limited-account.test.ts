import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ABANDONED_AFTER_MS } from '../../src/feedback/courier.ts'
import { toParcel } from '../../src/feedback/outbox.ts'
import type { OwnedLimits, TokenAsk } from '../../src/tenants/limits.ts'
import { Account } from '../../workers/state/account.ts'
import { needs } from '../support/limits.ts'
import { idOf, paidRecord, rowOf } from '../support/telemetry.ts'
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
const MODEL = { route: 'own:m', provider: 'own', model: 'm', endpoint: 'own' }
const TABLES = ['limits', 'limit_seconds', 'limit_flights']

beforeEach(() => vi.useFakeTimers({ now: NOON, toFake: ['Date'] }))
afterEach(() => vi.useRealTimers())

function bench(...limits: OwnedLimits[]) {
  const state = durableState('tenant')
  const open = () => new Account(state.ctx, { TELEMETRY: { send: async () => {} } } as never)
  let account = open()
  account.setLimits(limits)
  let asked = 0
  return {
    state,
    account: () => account,
    wakeAnew: () => {
      account = open()
    },
    ask: (tokens: TokenAsk | undefined = needs(10, 90), keyId = 'key', nanoUsd = 0) => {
      const number = ++asked
      const abandoned = toParcel({
        kind: 'prediction',
        row: rowOf(number, { keyId, receivedAtMs: Date.now() }),
      })
      return account.maySpend(keyId, abandoned, {
        predictionId: idOf(number),
        attempt: 0,
        nanoUsd,
        call: MODEL,
        tokens,
      })
    },
    settle: (number: number) =>
      account.settle(
        toParcel(
          paidRecord(rowOf(number, { keyId: 'key', receivedAtMs: Date.now() }), [
            { ...MODEL, usage: { inputTokens: 10, outputTokens: 20 } },
          ]),
        ),
      ),
    rows: () => TABLES.map((table) => state.rows(table)),
  }
}
const waitOf = (verdict: object) =>
  'retryAfterMs' in verdict ? (verdict.retryAfterMs as number) : Number.NaN
const later = (ms: number) => vi.setSystemTime(Date.now() + ms)

describe('an account with limits', () => {
  it('lets through whoever waits exactly as long as it said, and nobody a millisecond earlier', () => {
    const { ask, wakeAnew } = bench({ keyId: 'key', requestsPerMinute: 3, tokensPerMinute: 1_000 })
    for (const ms of [0, 7_301, 900]) {
      later(ms)
      expect(ask().kind).toBe('allowed')
    }
    later(12_000)
    for (const tokens of [needs(10, 90), needs(10, 880)]) {
      const refused = ask(tokens)
      expect(refused).toMatchObject({ kind: 'limited', of: 'key' })
      later(waitOf(refused) - 1)
      expect(ask(tokens).kind).toBe('limited')
      wakeAnew()
      later(1)
      expect(ask(tokens).kind).toBe('allowed')
    }
  })

  it('wants to know the tokens, where a limit counts the key and only there', () => {
    const { account, ask } = bench({ keyId: 'key', requestsPerMinute: 3 })
    const abandoned = toParcel({ kind: 'prediction', row: rowOf(1) })
    const told = { predictionId: idOf(1), attempt: 0, nanoUsd: 0, call: MODEL }
    expect(account().maySpend('key', abandoned)).toEqual({ kind: 'unasked' })
    expect(account().maySpend('key', abandoned, told)).toEqual({ kind: 'unasked' })
    expect(account().maySpend('other', abandoned)).toMatchObject({ kind: 'allowed' })
    expect(ask(undefined, 'other')).not.toHaveProperty('limits')
    expect(ask()).toMatchObject({ limits: { rates: [{ kind: 'requests', limit: 3, remaining: 2 }] } })
  })

  it('counts nothing that a budget refuses, announces nothing that a limit refuses', () => {
    const { account, ask, state, rows } = bench({ keyId: null, requestsPerMinute: 1 })
    account().setBudgets([{ keyId: null, period: 'day', limitNanoUsd: 10, isHard: true }], [])
    expect(ask(needs(1), 'key', 11)).toMatchObject({ kind: 'exceeded' })
    expect([rows(), state.rows('outbox')]).toEqual([[1, 0, 0], 0])
    expect(ask(needs(1), 'key', 5)).toMatchObject({ kind: 'allowed', isHard: true })
    expect(ask(needs(1), 'key', 5)).toMatchObject({ kind: 'limited' })
    expect([rows(), state.rows('outbox'), state.rows('reservations')]).toEqual([[1, 1, 0], 1, 1])
  })

  it('counts a request once, whatever it tries', () => {
    const { account } = bench({ keyId: null, requestsPerMinute: 5, tokensPerMinute: 500 })
    account().setBudgets([{ keyId: null, period: 'day', limitNanoUsd: 10, isHard: false }], [])
    const abandoned = toParcel({ kind: 'prediction', row: rowOf(1) })
    for (const attempt of [0, 1, 2]) {
      const told = { predictionId: idOf(1), attempt, nanoUsd: 0, call: MODEL, tokens: needs(10, 90) }
      expect(account().maySpend('key', attempt === 0 ? abandoned : undefined, told).kind).toBe('allowed')
    }
    expect(account().limitStates()).toMatchObject([{ requestsUsed: 1, tokensUsed: 100, inFlight: 1 }])
  })

  it('gives tokens and flights back when requests end, and after a quarter of an hour where they do not', async () => {
    const { account, ask, settle, wakeAnew, rows } = bench({
      keyId: null,
      concurrency: 2,
      tokensPerMinute: 1_000,
    })
    ask()
    ask()
    expect(ask()).toMatchObject({ kind: 'limited', by: 'concurrency' })
    await settle(1)
    expect(account().limitStates()).toMatchObject([{ tokensUsed: 130, inFlight: 1 }])
    expect(ask().kind).toBe('allowed')
    wakeAnew()
    later(ABANDONED_AFTER_MS - 1)
    expect(ask()).toMatchObject({ by: 'concurrency' })
    later(1)
    expect([ask().kind, ask().kind, ask().kind]).toEqual(['allowed', 'allowed', 'limited'])
    expect(rows()).toEqual([1, 1, 2])
  })

  it('that is erased keeps none', () => {
    const { account, ask, rows } = bench({ keyId: null, requestsPerMinute: 1, concurrency: 1 })
    ask()
    account().erase()
    account().setLimits([{ keyId: null, requestsPerMinute: 1 }])
    expect(rows()).toEqual([0, 0, 0])
    expect(ask()).toEqual({ kind: 'revoked' })
  })
})
