import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Served } from '../../scripts/bench/workerd.ts'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Budget, BudgetState } from '../../src/cost/budget.ts'
import { listPrices } from '../../src/cost/list-prices.ts'
import type { SpendAsk, SpendVerdict } from '../../src/cost/spend.ts'
import type { OutboxRecord } from '../../src/feedback/outbox.ts'
import { toParcel } from '../../src/feedback/outbox.ts'
import { tablesOf } from '../../src/feedback/table-rows.ts'
import { type AccountStack, accountStack } from '../support/account-stack.ts'
import { idOf, paidRecord, rowOf } from '../support/telemetry.ts'

// A tenant's account as it would be deployed, on raw workerd and on disk: two hundred requests want the last five cents at
// once, and it is killed in the middle.

const DOOR = `export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok')
    const { call, args } = await request.json()
    return Response.json((await env.ACCOUNT.get(env.ACCOUNT.idFromName('tenant'))[call](...args)) ?? null)
  }
}`
const LIMIT = 50_000_000
const TOKEN_NANO = 1_000
const MODEL = {
  route: 'own:m',
  provider: 'own',
  model: 'm',
  endpoint: 'own',
  price: { inputUsdPerMTok: 1, outputUsdPerMTok: 0 },
}

let stack: AccountStack
const received = new Map<string, OutboxRecord>()
let served: Served

beforeAll(async () => {
  stack = await accountStack(DOOR, (records) => {
    // The table keeps the first word.
    for (const record of records)
      if (record.kind === 'prediction' && !received.has(record.row.id)) received.set(record.row.id, record)
    return true
  })
  served = await stack.start()
})
afterAll(async () => {
  await served?.close()
  await stack?.close()
})

/** Rejects where nobody knows whether it was done. */
async function call<T>(name: string, ...args: unknown[]): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${served.port}/`, {
    method: 'POST',
    body: JSON.stringify({ call: name, args }),
  })
  if (!response.ok) throw new Error(`${response.status}`)
  return (await response.json()) as T
}
const stateNow = async () => (await call<BudgetState[]>('budgetStates'))[0] as BudgetState

it('two hundred calls on the last five cents, killed in the middle, overspend nothing and leave nothing held back', {
  timeout: 120_000,
}, async () => {
  const seed = Date.now() & 0xffff
  console.log(`seed ${seed}`)
  const random = seededRandom(seed)
  const budget: Budget = { keyId: null, period: 'month', limitNanoUsd: LIMIT + 7, isHard: true }
  const day = new Date().toISOString().slice(0, 10)
  await call('setBudgets', [budget], [{ key: '', day, nanoUsd: 7 }])

  const plans = Array.from({ length: 200 }, (_, number) => ({
    number,
    calls: Array.from({ length: 1 + Math.floor(random() * 3) }, () => ({
      worst: TOKEN_NANO * (100 + Math.floor(random() * 900)),
      share: random(),
      isTold: random() < 0.7,
    })),
  }))
  /** What providers have charged, each call from the moment it was sent. */
  let billed = 0
  let left = 40
  let unasked = plans.length
  let refused = 0
  const allAsked = Promise.withResolvers<void>()
  const killed = Promise.withResolvers<void>()
  const row = (number: number) => rowOf(number, { keyId: 'key', receivedAtMs: Date.now() })

  const request = async ({ number, calls }: (typeof plans)[number]) => {
    const sent: Parameters<typeof paidRecord>[1][number][] = []
    for (const [attempt, { worst, share, isTold }] of calls.entries()) {
      const ask: SpendAsk = { predictionId: idOf(number), attempt, nanoUsd: worst, call: MODEL }
      const abandoned = attempt === 0 ? toParcel({ kind: 'prediction', row: row(number) }) : undefined
      const may = () => call<SpendVerdict>('maySpend', 'key', abandoned, ask)
      // Whose answer was lost may have reserved; it was not sent, and asks again.
      const verdict = await may().catch(async () => {
        await killed.promise
        return may()
      })
      // The providers take their time: nothing is free again before everybody has asked.
      if (attempt === 0 && --unasked === 0) allAsked.resolve()
      if (verdict.kind !== 'allowed') {
        refused += 1
        break
      }
      const tokens = Math.floor((share * worst) / TOKEN_NANO)
      billed += isTold ? tokens * TOKEN_NANO : worst
      expect(billed).toBeLessThanOrEqual(LIMIT)
      sent.push({
        ...MODEL,
        reservedNanoUsd: worst,
        result: isTold ? 'answered' : 'cancelled',
        usage: isTold ? { inputTokens: tokens, outputTokens: 0 } : undefined,
      })
      // SIGKILL, with the rest of them under way.
      if (--left === 0) {
        await served.close()
        served = await stack.start()
        killed.resolve()
      }
      await allAsked.promise
    }
    const parcel = toParcel(paidRecord(row(number), sent))
    // The gateway's own death is another test's: this one says it until it is heard.
    await call('settle', parcel).catch(async () => {
      await killed.promise
      await call('settle', parcel)
    })
  }
  await Promise.all(plans.map(request))

  expect(left).toBeLessThanOrEqual(0)
  expect(refused).toBeGreaterThan(50)
  const { spentNanoUsd, reservedNanoUsd } = await stateNow()
  expect([spentNanoUsd, reservedNanoUsd]).toEqual([billed + 7, 0])
  expect(billed).toBeGreaterThan(LIMIT / 4)
  expect(billed).toBeLessThanOrEqual(LIMIT)
  // All of it stands in the ledger too, to the billionth.
  await expect.poll(() => received.size, { timeout: 20_000, interval: 100 }).toBe(200)
  const ledger = tablesOf([...received.values()], listPrices([])).filter(({ table }) => table === 'ledger')
  const sums = ledger.flatMap(({ rows }) =>
    (rows as { cost_usd: number }[]).map(({ cost_usd }) => Math.round(cost_usd * 1e9)),
  )
  expect(sums.reduce((a, b) => a + b, 0)).toBe(billed)
})
