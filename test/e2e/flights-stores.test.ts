import { afterAll, beforeAll, expect, it } from 'vitest'
import { chatBody } from '../support/slots.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

let stack: Stack
let key: string

beforeAll(async () => {
  stack = await startStack()
  key = await stack.key('acme', 'paid')
})
afterAll(() => stack?.close())

it('all workers together, on real stores: who shares an answer has a row of its own, and pays nothing', async () => {
  // The isolate and the object start with their first request, which may take longer than a directory is waited for.
  await (await chat(stack.url, key, chatBody('first of all'))).text()
  const body = chatBody('[[sim: latency=1500]] all at once')
  const answers = await Promise.all(Array.from({ length: 20 }, () => chat(stack.url, key, body)))
  const texts = await Promise.all(answers.map((answer) => answer.text()))
  expect(new Set(texts).size).toBe(1)
  const calls = stack.provider.requests.filter(({ body }) => body.includes('all at once'))
  const shared = answers.filter((answer) => /; collapsed(?!=)/.test(answer.headers.get('cache-status') ?? ''))
  // On a busy machine some may find the directory too slow; then they ask, and say so.
  expect(calls.length + shared.length).toBe(20)
  expect(shared.length).toBeGreaterThan(0)
  const told = async () =>
    stack.supabase.sql(
      `select count(*)::int as rows, max(attempts)::int as attempts, max(cost_usd)::float8 as cost,
         count(distinct cached_prediction_id)::int as origins
       from ml_predictions where features ? 'collapsed' and cache = 'miss' and cache_match = 'exact'`,
    )
  await expect
    .poll(told, { timeout: 20_000, interval: 250 })
    .toEqual([{ rows: shared.length, attempts: 0, cost: 0, origins: 1 }])
})
